//! A partition of `__consumer_offsets` whose records cannot be read: its groups have no coordinator until they can.

use std::fs;
use std::os::unix::fs::FileExt;

use ringlane_batch::{
    BatchBuilder, BatchFields, BatchHeader, Codec, TimestampMs, batches, stamp_log_append_time,
};
use ringlane_wire::ErrorCode;
use ringlane_wire::messages as m;
use ringlane_wire::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ringlane_wire::messages::offset_fetch::OffsetFetchRequestTopic;

use crate::broker::{Broker, wait_until};
use crate::raw::{Raw, ask};

const SEGMENT: &str = "__consumer_offsets-0/00000000000000000000.log";

fn commit(connection: &mut Raw, committed_offset: i64) -> ErrorCode {
    let partition = OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "hostile",
        partitions: vec![partition],
        ..Default::default()
    };
    let request =
        m::OffsetCommitRequest { group_id: "group", topics: vec![topic], ..Default::default() };
    ask(connection, 7, &request, |answer| answer.topics[0].partitions[0].error_code)
}

/// The group's offset, or why there is none. While the groups are loaded for the first time, asks again.
fn committed(connection: &mut Raw) -> Result<i64, ErrorCode> {
    let topics = vec![OffsetFetchRequestTopic { name: "hostile", partition_indexes: vec![0] }];
    let request =
        m::OffsetFetchRequest { group_id: "group", topics: Some(topics), ..Default::default() };
    wait_until("the groups were read, or could not be", || {
        ask(connection, 7, &request, |answer| match answer.error_code {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => None,
            ErrorCode::NONE => Some(Ok(answer.topics[0].partitions[0].committed_offset)),
            refused => Some(Err(refused)),
        })
    })
}

/// A batch for the end of a log that holds `records`, as it should be; and one of the same length that claims to be
/// compressed, with a checksum that fits.
fn good_and_bad_batch(records: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let last = batches(records).last().expect("a batch").expect("a valid one");
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(1), Some(b"no key of a group"), Some(b"value"), &[]);
    let mut good = builder.finish(&BatchFields::default()).to_vec();
    good[..8].copy_from_slice(&last.next_offset().0.to_be_bytes());
    let mut bad = good.clone();
    bad[BatchHeader::ATTRIBUTES + 1] |= 1; // gzip
    stamp_log_append_time(&mut bad, TimestampMs(1));
    stamp_log_append_time(&mut good, TimestampMs(1));
    (good, bad)
}

#[test]
fn groups_that_cannot_be_read_have_no_coordinator_until_they_can() {
    let broker = Broker::start(&["offsets.topic.num.partitions=1"]);
    crate::topic_id(&broker.address);
    let mut connection = Raw::connect(&broker.address);
    let request = m::FindCoordinatorRequest { key: "group", ..Default::default() };
    ask(&mut connection, 3, &request, |answer| assert_eq!(answer.error_code, ErrorCode::NONE));
    wait_until("the offset is committed", || {
        (commit(&mut connection, 5) == ErrorCode::NONE).then_some(())
    });

    let path = broker.data_directory().join(SEGMENT);
    let records = wait_until("the segment has what the journal has", || {
        fs::read(&path).ok().filter(|records| !records.is_empty())
    });
    let (good, bad) = good_and_bad_batch(&records);
    let segment = fs::OpenOptions::new().write(true).open(&path).expect("the segment");
    segment.write_all_at(&bad, records.len() as u64).expect("written");
    let broker = broker.kill_and_restart();

    let mut connection = Raw::connect(&broker.address);
    for _ in 0..10 {
        assert_eq!(committed(&mut connection), Err(ErrorCode::NOT_COORDINATOR));
        assert_eq!(commit(&mut connection, 6), ErrorCode::NOT_COORDINATOR);
    }
    segment.write_all_at(&good, records.len() as u64).expect("written");
    let offset = wait_until("the groups are loaded again", || committed(&mut connection).ok());
    assert_eq!(offset, 5);
    let log = broker.log();
    let errors = log.lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, 1, "{log}");
}
