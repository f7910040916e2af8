//! A consumer without a group: reads partitions to their end, waits there, goes back now and then.

use std::collections::BTreeMap;

use ringlane_reactor::Rng;
use ringlane_wire::ErrorCode;

use super::{Work, passes, pause};
use crate::client::{Client, Failure};
use crate::invariants::visible_stays_visible;
use crate::oracle::{PartitionName, RecordId};

/// Reads until it is told to stop.
pub(super) async fn consume(work: Work, mut client: Client, mut rng: Rng) {
    let mut positions = BTreeMap::<PartitionName, i64>::new();
    while !work.is_stopping() {
        let topic = &work.topics[rng.below(work.topics.len() as u64) as usize];
        let partition = (topic.name.clone(), rng.below(topic.partitions as u64) as i32);
        let position = positions.entry(partition.clone()).or_default();
        if rng.one_in(20) {
            *position = rng.below(*position as u64 + 1) as i64;
        }
        let wait_ms = rng.below(400) as i32;
        match read_once(&work, &mut client, &partition, *position, wait_ms).await {
            Ok(end) => *position = end,
            Err(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE)) => {
                let lost = "visible_stays_visible";
                assert!(!topic.durable, "{lost}: {partition:?}: {position} is out of range");
                *position = 0;
            }
            Err(Failure::Code(code)) => {
                let corrupt = code == ErrorCode::CORRUPT_MESSAGE;
                assert!(passes(code) && !corrupt, "reading {partition:?}: {code}");
                client.back_off().await;
            }
            Err(Failure::Io(_)) => client.back_off().await,
        }
        pause(&client, &mut rng, 20).await;
    }
}

/// One fetch; where the next one continues.
async fn read_once(
    work: &Work,
    client: &mut Client,
    partition: &PartitionName,
    position: i64,
    wait_ms: i32,
) -> Result<i64, Failure> {
    let era = work.oracle.era();
    let known = work.oracle.high_watermark(partition);
    let fetched = client.fetch(&partition.0, partition.1, position, wait_ms).await?;
    if era == work.oracle.era() {
        let never_back =
            visible_stays_visible::does_not_go_back(partition, known, fetched.high_watermark);
        never_back.unwrap_or_else(|violation| panic!("{violation}"));
    }
    let record = |(offset, value): (i64, &[u8])| {
        let id = RecordId::of(value);
        (offset, id.unwrap_or_else(|| panic!("{partition:?}: no record is at {offset}: {value:?}")))
    };
    let records = fetched.records.iter();
    let records: Vec<_> = records.map(|found| record((found.offset, &found.value))).collect();
    work.oracle.read(era, partition, position, &records, fetched.high_watermark);
    Ok(position + records.len() as i64)
}
