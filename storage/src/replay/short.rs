//! A segment that is shorter than it was when it was synced. Nothing is written into it: it would look whole. Entries that come
//! later in the journal may explain it: a truncation that was carried out, or the deletion of all that belonged there.

use std::path::Path;

use ringlane_batch::Offset;

use super::LogDamage;
use crate::names::Kind;

/// See the module. Always the segment that the log's record names.
#[derive(Clone, Debug)]
pub(super) struct Short {
    pub(super) base: Offset,
    /// Its bytes; none where it is missing.
    pub(super) len: u64,
    /// How long it was.
    pub(super) recorded: u64,
    /// The first offset of the last batch that belongs there.
    pub(super) last_batch: Offset,
}

impl Short {
    /// Whether a truncation of the log to this place left it so.
    pub(super) fn is_cut_at(&self, segment_base: Offset, position: u32) -> bool {
        (segment_base, u64::from(position)) <= (self.base, self.len)
    }

    /// Whether a log that starts at `start` needs nothing of it.
    pub(super) fn is_deleted_before(&self, start: Offset) -> bool {
        self.last_batch < start
    }

    /// What it means when nothing explains it.
    pub(super) fn damage(&self) -> LogDamage {
        let file = Kind::Log.path(Path::new(""), self.base);
        let (file, len, recorded) = (file.display(), self.len, self.recorded);
        let reason = format!(
            "{file} has {len} bytes, and {recorded} of them were on disk: records that were acknowledged are lost; put the file back from a copy or a replica"
        );
        LogDamage { reason, is_lossy: false }
    }
}
