//! Two log directories, one failing, as librdkafka sees it (KIP-112): a disk error for what is in that one, and everything else as
//! before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseRecord;

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::DescribeLogDirsRequest;

use crate::broker::{Broker, Directory, wait_until};
use crate::clients::{TestProducer, create_topic};
use crate::raw::{Raw, ask};

const PARTITIONS: i32 = 4;

/// Two directories beside each other, and the setting that names them.
fn two(disks: &Directory) -> ([PathBuf; 2], String) {
    let paths = ["one", "two"].map(|name| disks.path(name));
    let setting = format!("log.dirs={},{}", paths[0].display(), paths[1].display());
    (paths, setting)
}

fn start(log_dirs: &str) -> Broker {
    // Soon full, and then there is a round of checkpoints, which finds out.
    Broker::start(&[log_dirs, "ringlane.journal.file.bytes=65536", "ringlane.journal.files=2"])
}

/// The partitions of `orders` in a directory.
fn within(directory: &Path) -> BTreeSet<i32> {
    let names = fs::read_dir(directory).expect("it is there");
    let names = names.map(|entry| entry.expect("a name").file_name());
    let partition = |name: std::ffi::OsString| name.to_str()?.strip_prefix("orders-")?.parse().ok();
    names.filter_map(partition).collect()
}

/// Sends one record to each partition, not tried again; the partitions that took it, and those whose disk failed.
fn put_all(address: &str) -> (BTreeSet<i32>, BTreeSet<i32>) {
    let (mut taken, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for partition in 0..PARTITIONS {
        let producer = TestProducer::new(address, &[("acks", "all"), ("retries", "0")]);
        producer.learn("orders");
        producer.send(BaseRecord::to("orders").partition(partition).payload(&[7; 3000]));
        for report in producer.finish() {
            match report {
                Ok(record) => _ = taken.insert(record.partition),
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::KafkaStorageError)) => {
                    failed.insert(partition);
                }
                Err(other) => panic!("partition {partition}: {other}"),
            }
        }
    }
    (taken, failed)
}

/// What DescribeLogDirs says of each directory: its error, and the partitions of `orders` in it.
fn described(address: &str) -> Vec<(ErrorCode, BTreeSet<i32>)> {
    let request = DescribeLogDirsRequest { topics: None };
    ask(&mut Raw::connect(address), 5, &request, |answer| {
        let results = answer.results.iter().map(|result| {
            let orders = result.topics.iter().filter(|topic| topic.name == "orders");
            let partitions = orders.flat_map(|topic| &topic.partitions);
            (result.error_code, partitions.map(|partition| partition.partition_index).collect())
        });
        results.collect()
    })
}

#[test]
fn a_directory_that_goes_away_takes_only_its_own_logs_along() {
    let disks = Directory::new();
    let ([one, two], log_dirs) = two(&disks);
    let mut broker = start(&log_dirs);
    create_topic(&broker.address, "orders", PARTITIONS, &[]).expect("created");
    let (there, gone) = (within(&one), within(&two));
    assert_eq!((there.len(), gone.len()), (2, 2));
    assert_eq!(put_all(&broker.address).0.len(), 4);

    fs::remove_dir_all(&two).expect("removed");
    wait_until("the broker notices", || {
        let (taken, _) = put_all(&broker.address);
        assert!(taken.is_superset(&there), "{taken:?}");
        (taken == there).then_some(())
    });
    assert_eq!(put_all(&broker.address), (there.clone(), gone.clone()));
    let line = format!("the log directory {} is offline", two.display());
    assert_eq!(broker.log().matches(&line).count(), 1, "{}", broker.log());
    let described = described(&broker.address);
    assert_eq!(
        described,
        [(ErrorCode::NONE, there.clone()), (ErrorCode::KAFKA_STORAGE_ERROR, BTreeSet::new())]
    );
    create_topic(&broker.address, "others", PARTITIONS, &[]).expect("created");

    // An empty directory in its place is none of before: nothing is created anew in it.
    broker = broker.kill_and_restart();
    assert_eq!(put_all(&broker.address), (there, gone));
    assert!(
        broker.log().contains("log directories of this broker are missing"),
        "{}",
        broker.log()
    );
}

#[test]
fn a_directory_that_cannot_be_used_at_the_start_is_left_out() {
    let disks = Directory::new();
    let ([one, two], log_dirs) = two(&disks);
    fs::write(&two, "no directory").expect("written");
    let broker = start(&log_dirs);
    let line = format!("the log directory {} is offline", two.display());
    assert!(broker.log().contains(&line), "{}", broker.log());
    create_topic(&broker.address, "orders", PARTITIONS, &[]).expect("created");
    assert_eq!(within(&one).len(), 4, "all that is new goes where there is a disk");
    assert_eq!(put_all(&broker.address).0.len(), 4);
}
