//! `.index`: where some batches lie. 8 bytes an entry: offset relative to the segment's base i32, position i32
//! (Kafka's `OffsetIndex`; the offset is that of the batch's last record).

use ringlane_batch::Offset;
use ringlane_reactor::File;

use super::index::{Entry, search};

/// The batch at `position` holds `offset`, as its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) offset: Offset,
    pub(crate) position: u32,
}

impl Entry for OffsetEntry {
    const LEN: usize = 8;

    fn encode(&self, base: i64, bytes: &mut Vec<u8>) {
        bytes.extend(relative(self.offset, base).to_be_bytes());
        bytes.extend(self.position.to_be_bytes());
    }

    fn decode(base: i64, bytes: &[u8]) -> Self {
        let (offset, position) = bytes.split_at(4);
        let offset = u32::from_be_bytes(offset.try_into().expect("an entry has 8 bytes"));
        let position = u32::from_be_bytes(position.try_into().expect("an entry has 8 bytes"));
        Self { offset: Offset(base).plus(i64::from(offset)), position }
    }
}

/// `offset` as an index holds it.
pub(super) fn relative(offset: Offset, base: i64) -> i32 {
    let distance = offset.distance_from(Offset(base));
    i32::try_from(distance).expect("a segment rolls before an offset leaves the index's range")
}

/// Whether an index of a segment that starts at `base` can hold `offset`.
pub(crate) fn can_hold(offset: Offset, base: Offset) -> bool {
    (0..=i64::from(i32::MAX)).contains(&offset.distance_from(base))
}

/// How many of the `count` entries in the file are below `offset`, and the last of them.
pub(crate) async fn below(
    file: &File,
    base: Offset,
    count: u32,
    offset: Offset,
) -> std::io::Result<(u32, Option<OffsetEntry>)> {
    search(file, base.0, count, |entry: &OffsetEntry| entry.offset < offset).await
}

/// The last of the `count` entries in the file for which `before` holds, as it does for all entries before that.
pub(crate) async fn last_where(
    file: &File,
    base: Offset,
    count: u32,
    before: impl Fn(&OffsetEntry) -> bool,
) -> std::io::Result<Option<OffsetEntry>> {
    Ok(search(file, base.0, count, &before).await?.1.filter(before))
}
