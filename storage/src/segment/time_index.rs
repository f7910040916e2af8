//! `.timeindex`: up to where no record is newer than a timestamp. 12 bytes an entry: timestamp i64, offset relative to
//! the segment's base i32 (Kafka's `TimeIndex`; the offset is the last one of the batch with that timestamp).

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::File;

use super::index::{Entry, search, search_synced};
use super::offset_index::relative;

/// The largest timestamp of all batches up to the one that ends at `offset`, which has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: TimestampMs,
    pub(crate) offset: Offset,
}

impl Entry for TimeEntry {
    const LEN: usize = 12;

    fn encode(&self, base: i64, bytes: &mut Vec<u8>) {
        bytes.extend(self.timestamp.0.to_be_bytes());
        bytes.extend(relative(self.offset, base).to_be_bytes());
    }

    fn decode(base: i64, bytes: &[u8]) -> Self {
        let (timestamp, offset) = bytes.split_at(8);
        let timestamp = i64::from_be_bytes(timestamp.try_into().expect("an entry has 12 bytes"));
        let offset = u32::from_be_bytes(offset.try_into().expect("an entry has 12 bytes"));
        let offset = Offset(base).plus(i64::from(offset));
        Self { timestamp: TimestampMs(timestamp), offset }
    }
}

/// How many of the `count` entries in the file point below `offset`, up to where it was synced, and the last of them.
pub(crate) async fn below(
    file: &File,
    base: Offset,
    count: u32,
    offset: Offset,
) -> std::io::Result<(u32, Option<TimeEntry>)> {
    search_synced(file, base, count, offset, |entry: &TimeEntry| entry.offset).await
}

/// The last of the `count` entries in the file whose timestamp is below `timestamp`.
pub(crate) async fn older_than(
    file: &File,
    base: Offset,
    count: u32,
    timestamp: TimestampMs,
) -> std::io::Result<Option<TimeEntry>> {
    Ok(search(file, base.0, count, |entry: &TimeEntry| entry.timestamp < timestamp).await?.1)
}
