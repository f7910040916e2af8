//! The batches that a read gives are checked, each by its checksum and, as that leaves out the base offset, against its
//! neighbours (docs/decisions/0007-scrubber.md).

use std::io;

use bytes::Bytes;
use ringlane_batch::{BatchView, Offset, batches};

use super::damage::{DamagedRange, between};
use crate::segment::{Located, Source, Wanted, batch_bytes, is_index_fault, locate, read_batches};

/// What a read comes to when every batch is checked.
pub(super) enum Trusted {
    /// Whole batches, and the offset behind them.
    Batches(Bytes, Offset),
    /// The segment has nothing from there on.
    Nothing,
    /// The first batch is none that can be trusted.
    Damage(String),
}

/// Reads between the damaged ranges that are known, and checks what it read: the batches before the first bad one.
pub(super) async fn read_trusted(
    source: &Source,
    damage: &[DamagedRange],
    wanted: Wanted,
) -> io::Result<Trusted> {
    let source = between(source, damage, wanted.from);
    let (bytes, next_offset) = match read_batches(&source, wanted).await {
        Ok(Some((bytes, _))) if bytes.is_empty() => return nothing_fits(&source, wanted).await,
        Ok(Some(read)) => read,
        Ok(None) if damage.iter().all(|range| range.offsets.end <= wanted.from) => {
            return Ok(Trusted::Nothing);
        }
        Ok(None) => return Ok(Trusted::Damage("a damaged batch was to follow".into())),
        Err(error) if error.kind() == io::ErrorKind::InvalidData && !is_index_fault(&error) => {
            return Ok(Trusted::Damage(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let mut checked = Checked::from(wanted.from);
    let mut damage = batches(&bytes).find_map(|batch| checked.take(batch.ok()).err());
    if damage.is_none() && checked.leaves_out_some() {
        let last = locate(&source, checked.before.1).await?;
        let end = last.map_or(source.len, |last| last.position + last.len);
        // One that is damaged says nothing of this one.
        let following = source.header_at(end).await.ok().flatten();
        damage = following.and_then(|following| checked.precedes(following.base).err());
    }
    match damage {
        Some(what) if checked.len == 0 => Ok(Trusted::Damage(what.into())),
        Some(_) => Ok(Trusted::Batches(bytes.slice(..checked.len), checked.next)),
        None => Ok(Trusted::Batches(bytes, next_offset)),
    }
}

/// The batches of a read that can be trusted so far.
struct Checked {
    /// Bytes of them, and the offset behind them.
    len: usize,
    next: Offset,
    /// The same before the last of them.
    before: (usize, Offset),
    /// Where the last of them begins.
    last_base: Offset,
}

impl Checked {
    fn from(offset: Offset) -> Self {
        Self { len: 0, next: offset, before: (0, offset), last_base: offset }
    }

    /// Adds the next batch, which may be none.
    fn take(&mut self, batch: Option<BatchView<'_>>) -> Result<(), &'static str> {
        let batch = batch.filter(BatchView::crc_is_valid).ok_or("the checksum does not match")?;
        if self.len > 0 {
            self.precedes(batch.base_offset())?;
        }
        self.before = (self.len, self.next);
        self.last_base = batch.base_offset();
        (self.len, self.next) = (self.len + batch.len(), batch.next_offset());
        Ok(())
    }

    /// Whether the last batch does not begin where the one before ended, as after a compaction; or its base offset is wrong,
    /// which the checksum does not cover.
    fn leaves_out_some(&self) -> bool {
        self.last_base > self.before.1
    }

    /// Whether a batch at `base` may follow. If not, one of the two has a wrong offset: the last, if `base` would follow what
    /// lies before that.
    fn precedes(&mut self, base: Offset) -> Result<(), &'static str> {
        if base >= self.next {
            return Ok(());
        }
        if self.leaves_out_some() && base >= self.before.1 {
            (self.len, self.next) = self.before;
        }
        Err("the offsets do not follow each other")
    }
}

/// The first batch is too long or reaches too far, unless it is damage in its header that says so.
async fn nothing_fits(source: &Source, wanted: Wanted) -> io::Result<Trusted> {
    let first = locate(source, wanted.from).await?;
    let fits = |first: &Located| {
        first.last < wanted.until && (wanted.at_least_one || first.len <= wanted.max_bytes)
    };
    if first.as_ref().is_some_and(fits) {
        return Ok(Trusted::Damage("the header was another one a moment ago".into()));
    }
    if let Some(first) = first.filter(|first| first.last >= wanted.until) {
        let bytes = batch_bytes(source, &first).await?;
        let is_batch = BatchView::parse(&bytes).is_ok_and(|batch| batch.crc_is_valid());
        // The checksum does not cover the base offset.
        if !is_batch || first.last >= source.end {
            return Ok(Trusted::Damage("the batch reaches too far".into()));
        }
    }
    Ok(Trusted::Batches(Bytes::new(), wanted.from))
}
