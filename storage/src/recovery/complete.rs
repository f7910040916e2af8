//! The segments before the recovery point: complete and synced, so they are not scanned. Index files that are missing or
//! hold a part of an entry are built anew from the batch headers.

use ringlane_batch::Offset;
use ringlane_reactor::OpenOptions;

use super::{Listing, Recovery};
use crate::error::StorageError;
use crate::names::Kind;
use crate::segment::{Entry, Files, OffsetEntry, Segment, TimeEntry, can_hold, header_at};

impl Listing {
    /// How many entries an index file holds; `None` when it is missing or holds a part of one.
    fn entries_of<E: Entry>(&self, kind: Kind, base: Offset) -> Option<u32> {
        let len = self.len_of(kind, base)?;
        len.is_multiple_of(E::LEN as u64).then_some((len / E::LEN as u64) as u32)
    }
}

impl Recovery<'_> {
    /// A segment before the recovery point: complete, synced, not scanned.
    pub(super) async fn load_complete(
        &self,
        listing: &Listing,
        base: Offset,
    ) -> Result<Segment, StorageError> {
        let len = listing.len_of(Kind::Log, base).unwrap_or(0);
        if len == 0 {
            let log = Kind::Log.path(self.dir, base);
            tracing::error!(log = %log.display(), "is empty, and another segment follows: its records are lost");
        }
        let offsets = listing.entries_of::<OffsetEntry>(Kind::OffsetIndex, base);
        let timestamps = listing.entries_of::<TimeEntry>(Kind::TimeIndex, base);
        match (offsets, timestamps) {
            (Some(offsets), Some(timestamps)) => {
                Ok(Segment::complete(base, len, offsets, timestamps))
            }
            _ => self.rebuild_indexes(base, len).await,
        }
    }

    pub(super) async fn len_of(
        &self,
        kind: Kind,
        base: Offset,
    ) -> Result<Option<u64>, StorageError> {
        let path = kind.path(self.dir, base);
        match self.disk.metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("look at", &path)(error)),
        }
    }

    /// Builds the indexes of a complete segment anew from its batch headers, as far as these go.
    async fn rebuild_indexes(&self, base: Offset, len: u64) -> Result<Segment, StorageError> {
        let failed = || StorageError::io("rebuild an index in", self.dir);
        let opened = Files::open(self.disk, self.dir, base, OpenOptions::CREATE).await;
        let files = opened.map_err(failed())?;
        files.offset_index.set_len(0).map_err(failed())?;
        files.time_index.set_len(0).map_err(failed())?;
        let mut segment = Segment::new(base, files.clone(), self.now_ms);
        self.note_headers(&mut segment, len).await.map_err(failed())?;
        segment.flush_indexes().map_err(failed())?;
        files.offset_index.sync_data().await.map_err(failed())?;
        files.time_index.sync_data().await.map_err(failed())?;
        let entries = (segment.offset_index.flushed(), segment.time_index.flushed());
        Ok(Segment::complete(base, len, entries.0, entries.1))
    }

    /// Takes note of the batches of `segment`, whose files are open, before `len`, as far as their headers go: builds its
    /// indexes anew.
    pub(super) async fn note_headers(
        &self,
        segment: &mut Segment,
        len: u64,
    ) -> std::io::Result<()> {
        let log = segment.files.as_ref().expect("its files are open").log.clone();
        let mut next_offset = segment.base;
        while segment.len < len {
            let damage = match header_at(&log, segment.len, len).await {
                Ok(Some(batch))
                    if batch.base >= next_offset && can_hold(batch.last, segment.base) =>
                {
                    segment.note(&batch, self.config.index_interval_bytes);
                    next_offset = batch.last.plus(1);
                    continue;
                }
                // The checksum leaves them out, and is not looked at here.
                Ok(Some(batch)) => format!("offset {} does not follow {next_offset}", batch.base),
                Ok(None) => break,
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => error.to_string(),
                Err(error) => return Err(error),
            };
            let log = Kind::Log.path(self.dir, segment.base);
            tracing::error!(log = %log.display(), error = damage, "damaged before the recovery point");
            break;
        }
        Ok(())
    }
}
