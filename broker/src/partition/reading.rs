//! Where consumers get what a partition shows them from: memory, if they keep up; the file itself, where the page cache has enough of
//! it; and else a copy, whose checksums the log looks at.

use bytes::Bytes;
use ringlane_batch::Offset;
use ringlane_reactor::FileRange;
use ringlane_storage::ReadError;

use super::Partition;

/// Whole batches, and where they are.
#[derive(Clone)]
pub(crate) enum Batches {
    /// As slices that follow each other.
    Memory(Vec<Bytes>),
    /// In a file that the page cache has.
    File(FileRange),
}

impl Default for Batches {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl Batches {
    /// Bytes of them.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(batches) => batches.iter().map(Bytes::len).sum(),
            Self::File(range) => range.len(),
        }
    }

    /// How much memory they keep, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Memory(_) => self.len(),
            Self::File(_) => 0,
        }
    }
}

/// What one partition may answer.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    /// Bytes of batches.
    pub(crate) bytes_max: usize,
    /// Whether the first batch may be larger.
    pub(crate) at_least_one: bool,
    /// From so many bytes on they may be sent from the file.
    pub(crate) span_bytes_min: usize,
}

impl Partition {
    /// What consumers see from `from` on, below the high watermark `until`, and whether there is more that only another read gives.
    ///
    /// # Errors
    /// As `Log::read`.
    pub(crate) async fn read(
        &self,
        from: Offset,
        until: Offset,
        allowed: Allowed,
    ) -> Result<(Batches, bool), ReadError> {
        let Allowed { bytes_max, at_least_one, span_bytes_min } = allowed;
        if from >= until {
            self.log.expect_reader();
            return Ok(Default::default());
        }
        if bytes_max == 0 && !at_least_one {
            return Ok(Default::default());
        }
        if let Some(fetched) = self.log.read_tail(from, bytes_max, until, at_least_one) {
            return Ok((Batches::Memory(fetched.batches), false));
        }
        if let Some(span) = self.log.span(from, span_bytes_min..=bytes_max, until).await {
            // It ends where it can, and what is behind that may be there for no longer wait.
            return Ok((Batches::File(span.range), span.next_offset < until));
        }
        let fetched = self.log.read(from, bytes_max, until, at_least_one).await?;
        if fetched.next_offset >= until {
            self.log.expect_reader();
        }
        let read_to = fetched.next_offset.max(self.log.segment_end(from));
        let has_more = !fetched.batches.is_empty() && read_to < until;
        Ok((Batches::Memory(fetched.batches), has_more))
    }
}
