//! A log that a start cannot open stays offline, and what the journal held of it is kept however often the journal is written over
//! by others: when the log can be opened again it is all there, and where records are lost nobody is served a log that
//! seems whole.

use ringlane_reactor::sim::{CrashKind, Options};

use super::{all, code, create, put};
use crate::cluster::{Cluster, DATA};

const OFFLINE: Option<&str> = Some("KAFKA_STORAGE_ERROR");

/// Enough for the journal of the shard to be written over.
fn churn(cluster: &mut Cluster) {
    cluster.client(|mut client| async move {
        let value = "x".repeat(3000);
        for _ in 0..120 {
            client.put("others", &value).await.expect("the other log goes on");
        }
    });
}

fn kept(cluster: &Cluster) -> Vec<String> {
    let files = cluster.simulation.files(cluster.broker).into_iter();
    files.filter(|path| path.ends_with(".kept")).collect()
}

fn refusal(cluster: &mut Cluster) -> Option<&'static str> {
    code(put(cluster, "orders", "refused")).map(|code| code.name())
}

/// One shard, so that both logs share a journal.
fn cluster(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(Options::seed(seed), 1, &[]);
    cluster.start();
    create(&mut cluster, "orders");
    create(&mut cluster, "others");
    cluster
}

#[test]
fn a_log_whose_file_was_cut_has_everything_once_the_file_is_back() {
    for seed in 0..10 {
        let mut cluster = cluster(seed);
        let host = cluster.broker;
        for value in ["one", "two"] {
            put(&mut cluster, "orders", value).expect("a good disk");
        }
        cluster.stop();
        let path = format!("{DATA}/orders-0/00000000000000000000.log");
        let whole = cluster.simulation.read_file(host, &path).expect("it is there");
        cluster.start();
        for value in ["three", "four"] {
            put(&mut cluster, "orders", value).expect("a good disk");
        }
        cluster.crash(CrashKind::Power);
        cluster.simulation.write_file(host, &path, &whole[..100]).expect("a file");
        let kind = if seed % 2 == 0 { CrashKind::Power } else { CrashKind::Process };
        for _ in 0..3 {
            cluster.start();
            assert_eq!(refusal(&mut cluster), OFFLINE);
            assert_eq!(kept(&cluster).len(), 1, "{:?}", kept(&cluster));
            churn(&mut cluster);
            cluster.crash(kind);
        }
        cluster.simulation.write_file(host, &path, &whole).expect("a file");
        cluster.start();
        assert_eq!(all(&mut cluster, "orders"), ["one", "two", "three", "four"]);
        assert_eq!(kept(&cluster), [""; 0]);
        assert_eq!(put(&mut cluster, "orders", "five").ok(), Some(4));
        cluster.restart(kind);
        assert_eq!(all(&mut cluster, "orders"), ["one", "two", "three", "four", "five"]);
    }
}

/// Somebody makes the log's file immutable while the broker runs.
#[test]
fn a_log_that_cannot_be_written_goes_offline_alone_and_keeps_all() {
    for seed in 0..10 {
        let mut cluster = cluster(seed);
        put(&mut cluster, "orders", "one").expect("a good disk");
        let path = format!("{DATA}/orders-0/00000000000000000000.log");
        cluster.simulation.seal(cluster.broker, &path).expect("it is there");
        // The journal has it, whatever becomes of the file.
        put(&mut cluster, "orders", "two").expect("it is held back");
        churn(&mut cluster);
        assert_eq!(refusal(&mut cluster), OFFLINE);
        assert_eq!(kept(&cluster).len(), 1, "{:?}", kept(&cluster));
        match seed % 3 {
            0 => cluster.crash(CrashKind::Power),
            1 => cluster.crash(CrashKind::Process),
            _ => cluster.stop(),
        }
        cluster.simulation.mend_directories(cluster.broker);
        cluster.start();
        assert_eq!(all(&mut cluster, "orders"), ["one", "two"]);
        assert_eq!(put(&mut cluster, "orders", "three").ok(), Some(2));
    }
}

/// The start that keeps them dies at any of its operations.
#[test]
fn nothing_is_lost_when_the_start_that_keeps_it_dies() {
    for operation in 0..120 {
        let mut cluster = cluster(operation);
        let host = cluster.broker;
        put(&mut cluster, "orders", "one").expect("a good disk");
        cluster.stop();
        let path = format!("{DATA}/orders-0/00000000000000000000.log");
        let whole = cluster.simulation.read_file(host, &path).expect("it is there");
        cluster.start();
        put(&mut cluster, "orders", "two").expect("a good disk");
        let kind = if operation % 2 == 0 { CrashKind::Power } else { CrashKind::Process };
        cluster.crash(kind);
        cluster.simulation.write_file(host, &path, b"").expect("a file");
        cluster.boot();
        cluster.crash_at(operation, kind);
        cluster.crash(kind);
        cluster.simulation.write_file(host, &path, &whole).expect("a file");
        cluster.boot();
        cluster.crash_at(operation, kind);
        cluster.crash(kind);
        cluster.start();
        assert_eq!(all(&mut cluster, "orders"), ["one", "two"], "operation {operation}");
    }
}

/// Damage in the journal: what is lost stays lost, and is not passed over until somebody says so.
#[test]
fn a_log_with_lost_records_stays_offline_until_that_is_accepted() {
    let mut cluster = cluster(5);
    let host = cluster.broker;
    let values = ["one", "two", "three", "four"];
    for value in values {
        put(&mut cluster, "orders", value).expect("a good disk");
    }
    cluster.crash(CrashKind::Power);
    // Every group takes a block; the third record's is followed by another.
    let path = format!("{DATA}/journal/shard-0-0.journal");
    let journal = cluster.simulation.read_file(host, &path).expect("it is there");
    let third = journal.windows(5).position(|bytes| bytes == b"three").expect("it is there");
    cluster.simulation.corrupt(host, &path, third as u64).expect("it is there");
    for _ in 0..3 {
        cluster.start();
        assert_eq!(refusal(&mut cluster), OFFLINE);
        assert_eq!(kept(&cluster).len(), 1);
        churn(&mut cluster);
        cluster.crash(CrashKind::Power);
    }
    let file = kept(&cluster).swap_remove(0);
    let bytes = cluster.simulation.read_file(host, &file).expect("it is there");
    assert!(bytes.windows(4).any(|part| part == b"four"), "what is behind the loss is kept");
    cluster.simulation.remove_file(host, &file).expect("it is there");
    cluster.start();
    // The log's own files may have more than the journal proved.
    let there = all(&mut cluster, "orders");
    assert!(there.len() >= 2 && values.map(str::to_owned).starts_with(&there), "{there:?}");
    assert_eq!(put(&mut cluster, "orders", "five").ok(), Some(there.len() as i64));
}

/// What an operator does with a topic that is lost.
#[test]
fn a_topic_that_is_deleted_while_it_is_offline_leaves_its_name_to_a_new_one() {
    let mut cluster = cluster(5);
    let host = cluster.broker;
    put(&mut cluster, "orders", "old").expect("a good disk");
    cluster.stop();
    let path = format!("{DATA}/orders-0/00000000000000000000.log");
    cluster.simulation.write_file(host, &path, &[0; 10]).expect("a file");
    cluster.start();
    assert_eq!(refusal(&mut cluster), OFFLINE);
    let deleted = cluster.client(|mut client| async move { client.delete_topic("orders").await });
    deleted.expect("it is there");
    create(&mut cluster, "orders");
    assert_eq!(put(&mut cluster, "orders", "new").ok(), Some(0));
    cluster.restart(CrashKind::Power);
    assert_eq!(all(&mut cluster, "orders"), ["new"]);
}

/// Somebody removes the directory of a log that is offline: a log that began empty would get the records that are kept among its
/// own at a later start.
#[test]
fn a_log_does_not_begin_empty_beside_what_is_kept_of_it() {
    let mut cluster = cluster(5);
    let host = cluster.broker;
    put(&mut cluster, "orders", "one").expect("a good disk");
    cluster.stop();
    cluster.start();
    put(&mut cluster, "orders", "two").expect("a good disk");
    cluster.crash(CrashKind::Power);
    let path = format!("{DATA}/orders-0/00000000000000000000.log");
    cluster.simulation.write_file(host, &path, b"").expect("a file");
    cluster.start();
    assert_eq!(refusal(&mut cluster), OFFLINE);
    cluster.crash(CrashKind::Power);
    for path in cluster.simulation.files(host) {
        if path.starts_with(&format!("{DATA}/orders-0/")) {
            cluster.simulation.remove_file(host, &path).expect("it is there");
        }
    }
    for _ in 0..2 {
        cluster.start();
        assert_eq!(refusal(&mut cluster), OFFLINE);
        assert_eq!(kept(&cluster).len(), 1);
        churn(&mut cluster);
        cluster.crash(CrashKind::Power);
    }
    let file = kept(&cluster).swap_remove(0);
    cluster.simulation.remove_file(host, &file).expect("it is there");
    cluster.start();
    for (offset, value) in (0..).zip(["new", "newer", "newest"]) {
        assert_eq!(put(&mut cluster, "orders", value).ok(), Some(offset));
    }
    cluster.restart(CrashKind::Power);
    assert_eq!(all(&mut cluster, "orders"), ["new", "newer", "newest"]);
}
