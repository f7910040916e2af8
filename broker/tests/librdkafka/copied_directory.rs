//! Somebody copies a partition's directory beside the original, as a backup: what was acknowledged is served from the
//! original, whatever the copy is called, and the copy is set aside as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rdkafka::Offset;

use crate::broker::{Broker, Directory};
use crate::clients::{create_topic, produce, read, reader};

/// One sorts after `orders-0`, one before it.
const COPIES: [&str; 2] = ["orders.bak-0", "backup-0"];

fn values(round: u32) -> Vec<Vec<u8>> {
    (0..50).map(|number| format!("round {round}, record {number}").into_bytes()).collect()
}

/// The files in `directory`, with what is in them.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("a name"));
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().expect("text");
    entries.map(|entry| (name(&entry), fs::read(entry.path()).expect("a file"))).collect()
}

/// Copies the directory of `orders`; what is in it.
fn copy(data: &Path, name: &str) -> BTreeMap<String, Vec<u8>> {
    let files = contents(&data.join("orders-0"));
    fs::create_dir(data.join(name)).expect("a new name");
    for (file, bytes) in &files {
        fs::write(data.join(name).join(file), bytes).expect("written");
    }
    files
}

fn assert_all_is_there(broker: &Broker, rounds: u32) {
    let expected: Vec<_> = (0..rounds).flat_map(values).collect();
    let consumer = reader(&broker.address, "orders", Offset::Beginning);
    let found = read(&[&consumer], expected.len()).into_iter().enumerate().map(|(at, record)| {
        assert_eq!(record.offset, at as i64, "offsets are dense");
        record.value.expect("a value")
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

/// The segment of `orders`.
fn segment(data: &Path) -> PathBuf {
    data.join("orders-0/00000000000000000000.log")
}

/// Kills the broker in the way that leaves most to the journal: the segment has nothing behind `synced_bytes`.
fn kill(broker: Broker, synced_bytes: u64) -> Directory {
    let segment = segment(&broker.data_directory());
    let directory = broker.kill();
    let file = fs::OpenOptions::new().write(true).open(segment).expect("a file");
    file.set_len(synced_bytes).expect("cut");
    directory
}

fn topic_id(data: &Path) -> String {
    let metadata = fs::read_to_string(data.join("orders-0/partition.metadata")).expect("a file");
    metadata.rsplit_once("topic_id: ").expect("its id").1.to_owned()
}

#[test]
fn a_copy_takes_nothing_from_the_log_and_is_set_aside() {
    let mut broker = Broker::start(&[]);
    create_topic(&broker.address, "orders", 1, &[]).expect("created");
    let id = topic_id(&broker.data_directory());
    // The second time the names of before are taken.
    for (round, suffix) in (0..).zip(["-stray", ".2-stray"]) {
        let data = broker.data_directory();
        let synced_bytes = fs::metadata(segment(&data)).expect("a file").len();
        produce(&broker.address, "orders", &[("acks", "all")], &values(round));
        let directory = kill(broker, synced_bytes);
        let copied = COPIES.map(|name| copy(&data, name));
        broker = Broker::start_in(directory, Vec::new());
        assert_all_is_there(&broker, round + 1);
        for (name, files) in COPIES.iter().zip(copied) {
            let aside = format!("{name}.{id}{suffix}");
            let line = format!("{name} says that it belongs to the topic orders ({id})");
            let log = broker.log();
            assert!(log.contains(&line) && log.contains(&aside), "{log}");
            assert_eq!(contents(&data.join(&aside)), files, "unread and unchanged");
            assert!(!data.join(name).exists());
        }
        broker = broker.kill_and_restart();
        assert_all_is_there(&broker, round + 1);
        assert!(!broker.log().contains("says that it belongs"), "{}", broker.log());
    }
}
