//! Reads a segment that no longer changes, in chunks of whole batches, each batch checked before anyone trusts it.

use std::io;

use ringlane_batch::{BatchView, Offset, peek_len};
use ringlane_reactor::File;

use super::plan::SegmentView;

/// Whole batches of a file from `position` on.
pub(crate) struct Chunks {
    file: File,
    position: u64,
    len: u64,
    /// No batch that follows begins before it.
    next_offset: Offset,
    /// None goes on behind it.
    end: Offset,
    chunk_bytes: u64,
}

impl Chunks {
    /// The batches of `segment`, whose `.log` is `file`, from `position` on, about `chunk_bytes` at a time.
    pub(crate) fn new(file: File, segment: &SegmentView, position: u64, chunk_bytes: u64) -> Self {
        let &SegmentView { base, end, len, .. } = segment;
        assert!(position <= len, "a batch begins within the segment");
        Self { file, position, len, next_offset: base, end, chunk_bytes: chunk_bytes.max(1 << 10) }
    }

    /// The next whole batches, one at least; `None` at the end.
    ///
    /// # Errors
    /// The disk's; `InvalidData` and `UnexpectedEof` where the file does not hold batches.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let rest = self.len - self.position;
        if rest == 0 {
            return Ok(None);
        }
        let mut bytes = self.read(self.chunk_bytes.min(rest)).await?;
        let first = peek_len(&bytes).filter(|first| *first as u64 <= rest);
        let first = first.ok_or_else(|| self.damaged("is no batch"))?;
        if first > bytes.len() {
            // Larger than a chunk; the file is that long, so the length is not a mere claim.
            bytes = self.read(first as u64).await?;
        }
        let mut end = 0;
        while let Some(len) = peek_len(&bytes[end..])
            && len <= bytes.len() - end
        {
            end += len;
        }
        assert!(end > 0, "the first batch is in the chunk");
        bytes.truncate(end);
        self.check(&bytes)?;
        self.position += end as u64;
        Ok(Some(bytes))
    }

    async fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        let bytes = self.file.read_at(vec![0; len as usize], self.position).await?;
        match bytes.len() as u64 == len {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A record of a damaged batch must neither be dropped nor be given a new, right checksum. Nor must a batch with a wrong
    /// offset make other records look old: the checksum leaves that out.
    fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        for batch in ringlane_batch::batches(bytes) {
            let follows = |batch: &BatchView<'_>| {
                batch.base_offset() >= self.next_offset && batch.next_offset() <= self.end
            };
            let is_good = |batch: &BatchView<'_>| {
                batch.crc_is_valid() && batch.last_offset_delta() >= 0 && batch.record_count() >= 0
            };
            let good = batch.ok().filter(|batch| is_good(batch) && follows(batch));
            self.next_offset = good.ok_or_else(|| self.damaged("is damaged"))?.next_offset();
        }
        Ok(())
    }

    fn damaged(&self, what: &str) -> io::Error {
        let text = format!("what lies behind byte {} {what}", self.position);
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}
