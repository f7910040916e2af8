//! A log's directory is copied or renamed by somebody: a copy takes nothing from the log that is served, and of a log that has only
//! a directory of another name nothing is served, begun empty, or lost until it has its name again.

use ringlane_reactor::sim::{CrashKind, Options};

use super::{SEEDS, all, code, create, put};
use crate::cluster::Cluster;

const OFFLINE: Option<&str> = Some("KAFKA_STORAGE_ERROR");
const DIRECTORIES: [&str; 2] = ["/data", "/second"];

/// The files whose paths begin with `directory`.
fn files_in(cluster: &Cluster, directory: &str) -> Vec<String> {
    let files = cluster.simulation.files(cluster.broker).into_iter();
    files.filter(|path| path.starts_with(directory)).collect()
}

fn copy(cluster: &mut Cluster, from: &str, to: &str) {
    let host = cluster.broker;
    for path in files_in(cluster, &format!("{from}/")) {
        let content = cluster.simulation.read_file(host, &path).expect("it is there");
        let path = path.replacen(from, to, 1);
        cluster.simulation.write_file(host, path, &content).expect("room");
    }
}

fn rename(cluster: &mut Cluster, from: &str, to: &str) {
    copy(cluster, from, to);
    for path in files_in(cluster, &format!("{from}/")) {
        cluster.simulation.remove_file(cluster.broker, &path).expect("it is there");
    }
}

/// A broker that was killed, with four records of `orders`, the later two in the journal; and the directory of it.
fn killed(seed: u64, log_dirs: &[&str], kind: CrashKind) -> (Cluster, String) {
    let setting = format!("log.dirs={}", log_dirs.join(","));
    let mut cluster = Cluster::new(Options::seed(seed), 2, &[&setting]);
    cluster.start();
    // The one after the other, so that with two directories each has one.
    create(&mut cluster, "others");
    create(&mut cluster, "orders");
    for values in [["one", "two"], ["three", "four"]] {
        for value in values {
            put(&mut cluster, "orders", value).expect("a good disk");
        }
        if values[0] == "one" {
            cluster.stop();
            cluster.start();
        }
    }
    cluster.crash(kind);
    let directory = format!("{}/orders-0", log_dirs.last().expect("there is one"));
    assert!(!files_in(&cluster, &format!("{directory}/")).is_empty(), "where the fewest are");
    (cluster, directory)
}

fn kind(seed: u64) -> CrashKind {
    if seed.is_multiple_of(2) { CrashKind::Power } else { CrashKind::Process }
}

#[test]
fn a_copy_takes_nothing_from_the_log() {
    for seed in SEEDS {
        for log_dirs in [&DIRECTORIES[..1], &DIRECTORIES] {
            for root in log_dirs {
                for name in ["orders.bak-0", "backup-0"] {
                    let (mut cluster, directory) = killed(seed, log_dirs, kind(seed));
                    let copied = format!("{root}/{name}");
                    copy(&mut cluster, &directory, &copied);
                    cluster.start();
                    let there = all(&mut cluster, "orders");
                    assert_eq!(there, ["one", "two", "three", "four"], "seed {seed}, {copied}");
                    assert_eq!(files_in(&cluster, &format!("{copied}/")), [""; 0]);
                    assert!(!files_in(&cluster, &format!("{copied}.")).is_empty(), "set aside");
                    assert_eq!(put(&mut cluster, "orders", "five").ok(), Some(4));
                    cluster.restart(kind(seed));
                    assert_eq!(all(&mut cluster, "orders").len(), 5, "seed {seed}, {copied}");
                }
            }
        }
    }
}

#[test]
fn a_renamed_log_stays_offline_until_it_has_its_name_again() {
    for seed in SEEDS {
        for log_dirs in [&DIRECTORIES[..1], &DIRECTORIES] {
            for root in log_dirs {
                let (mut cluster, directory) = killed(seed, log_dirs, kind(seed));
                let renamed = format!("{root}/foo-0");
                rename(&mut cluster, &directory, &renamed);
                for shards in [1, 3] {
                    cluster.set_shards(shards);
                    cluster.start();
                    let refused = code(put(&mut cluster, "orders", "refused"));
                    assert_eq!(refused.map(|code| code.name()), OFFLINE, "seed {seed}, {renamed}");
                    put(&mut cluster, "others", "goes on").expect("a good disk");
                    create(&mut cluster, if shards == 1 { "new" } else { "newer" });
                    cluster.crash(kind(seed));
                }
                rename(&mut cluster, &renamed, &directory);
                cluster.start();
                let there = all(&mut cluster, "orders");
                assert_eq!(there, ["one", "two", "three", "four"], "seed {seed}, {renamed}");
                assert_eq!(put(&mut cluster, "orders", "five").ok(), Some(4));
                cluster.restart(kind(seed));
                assert_eq!(all(&mut cluster, "orders").len(), 5, "seed {seed}, {renamed}");
            }
        }
    }
}

#[test]
fn logs_that_have_each_others_names_stay_offline_until_they_have_their_own() {
    for seed in SEEDS {
        let (mut cluster, _) = killed(seed, &DIRECTORIES[..1], kind(seed));
        let swap = |cluster: &mut Cluster| {
            rename(cluster, "/data/orders-0", "/data/aside");
            rename(cluster, "/data/others-0", "/data/orders-0");
            rename(cluster, "/data/aside", "/data/others-0");
        };
        swap(&mut cluster);
        for _ in 0..2 {
            cluster.start();
            for topic in ["orders", "others"] {
                let refused = code(put(&mut cluster, topic, "refused"));
                assert_eq!(refused.map(|code| code.name()), OFFLINE, "seed {seed}");
            }
            cluster.crash(kind(seed));
        }
        swap(&mut cluster);
        cluster.start();
        assert_eq!(all(&mut cluster, "orders"), ["one", "two", "three", "four"], "seed {seed}");
        assert_eq!(put(&mut cluster, "others", "one").ok(), Some(0));
    }
}

/// What an operator does with a log that is not wanted any more.
#[test]
fn a_topic_that_is_deleted_while_its_log_is_renamed_leaves_its_name_to_a_new_one() {
    let (mut cluster, directory) = killed(5, &DIRECTORIES[..1], CrashKind::Process);
    rename(&mut cluster, &directory, "/data/foo-0");
    cluster.start();
    let deleted = cluster.client(|mut client| async move { client.delete_topic("orders").await });
    deleted.expect("it is there");
    create(&mut cluster, "orders");
    assert_eq!(put(&mut cluster, "orders", "new").ok(), Some(0));
    cluster.restart(CrashKind::Power);
    assert_eq!(all(&mut cluster, "orders"), ["new"]);
    assert!(!files_in(&cluster, "/data/foo-0.").is_empty(), "a stray now");
    assert!(files_in(&cluster, "/data/journal/").iter().all(|path| !path.ends_with(".kept")));
}
