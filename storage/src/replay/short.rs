//! A segment that is shorter than it was when it was synced. Nothing is written into it: it would look whole. Entries that come
//! later in the journal may explain it: a truncation that was carried out, or the deletion of all that belonged there.
//! Who only says what a replay would do (`inspect/overlay.rs`) asks here, too.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ringlane_batch::Offset;
use ringlane_reactor::Disk;

use super::LogDamage;
use crate::journal::EntryHead;
use crate::names::Kind;
use crate::shard_checkpoint::Record;

/// See the module. Always the segment that the log's record names.
#[derive(Clone, Debug)]
pub(crate) struct Short {
    base: Offset,
    /// Its bytes; none where it is missing.
    len: u64,
    /// How long it was.
    recorded: u64,
    /// The first offset of the last batch that belongs there.
    last_batch: Offset,
}

impl Short {
    /// The segment that the batch of `head` belongs into, if it is the one that `record` names and short. Asked before the
    /// first batch of the journal is written there, and not after a truncation: then it may well be shorter.
    pub(crate) async fn find(
        disk: &Disk,
        dir: &Path,
        record: Option<&Arc<Record>>,
        head: &EntryHead,
    ) -> io::Result<Option<Self>> {
        let base = head.segment_base;
        let record = record.filter(|record| record.segment_base == base);
        let recorded = record.map_or(0, |record| record.position);
        if recorded == 0 {
            return Ok(None);
        }
        let len = match disk.metadata(&Kind::Log.path(dir, base)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            metadata => metadata?.len,
        };
        let last_batch = head.base_offset;
        Ok((len < recorded).then_some(Self { base, len, recorded, last_batch }))
    }

    /// Whether the batch of `head` belongs there, and is not written.
    pub(crate) fn takes(&mut self, head: &EntryHead) -> bool {
        let takes = head.segment_base == self.base;
        if takes {
            self.last_batch = head.base_offset;
        }
        takes
    }

    /// Whether a truncation of the log to this place left it so.
    pub(crate) fn is_cut_at(&self, segment_base: Offset, position: u32) -> bool {
        (segment_base, u64::from(position)) <= (self.base, self.len)
    }

    /// Whether a log that starts at `start` needs nothing of it.
    pub(crate) fn is_deleted_before(&self, start: Offset) -> bool {
        self.last_batch < start
    }

    /// What it means when nothing explains it.
    pub(super) fn damage(&self) -> LogDamage {
        LogDamage { reason: self.sentence(), is_lossy: false }
    }

    /// The same, to be read.
    pub(crate) fn sentence(&self) -> String {
        let file = Kind::Log.path(Path::new(""), self.base);
        format!("{} {}", file.display(), shortness(self.len, self.recorded))
    }
}

/// What is wrong with a file of `len` bytes that had `recorded`.
pub(crate) fn shortness(len: u64, recorded: u64) -> String {
    format!(
        "has {len} bytes, and {recorded} of them were on disk: records that were acknowledged are lost; put the file back from a copy or a replica"
    )
}
