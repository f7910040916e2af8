//! From batch to batch through a `.log` file, a chunk at a time: what a batch claims to be never decides how much memory is
//! taken, its checksum is computed over the chunks as they come.

use std::io;

use ringlane_batch::{BatchError, BatchHeader, peek_len};
use ringlane_reactor::File;

use super::Batch;

/// As much is read at once.
const CHUNK_BYTES: u64 = 256 << 10;

/// What lies at a position.
pub(super) enum Step {
    /// A whole batch of version 2; its checksum may be wrong.
    Batch(Batch),
    /// Nothing that is a batch, and why not.
    Fault(String),
}

/// A file with `limit` bytes of batches, and the chunk of it that was read last.
pub(super) struct Walk {
    file: File,
    limit: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
    /// Bytes read from the file since they were last taken.
    read_bytes: u64,
}

impl Walk {
    pub(super) fn new(file: File, limit: u64) -> Self {
        Self { file, limit, chunk: Vec::new(), chunk_at: 0, read_bytes: 0 }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// How many bytes were read since this was last asked.
    pub(super) fn take_read_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.read_bytes)
    }

    /// Reads anew what is asked for next.
    pub(super) fn forget_chunk(&mut self) {
        self.chunk.clear();
    }

    /// What lies at `position`, which is before the limit.
    pub(super) async fn at(&mut self, position: u64) -> io::Result<Step> {
        assert!(position < self.limit, "there is something at {position}");
        let left = self.limit - position;
        let want = left.min(BatchHeader::LEN as u64);
        let Some(header) = self.bytes(position, want).await?.first_chunk().copied() else {
            return Ok(Step::Fault(format!("{left} bytes are left, too few for a batch header")));
        };
        let Some(len) = peek_len(&header) else {
            let length = header[BatchHeader::LENGTH..].first_chunk().expect("a header field");
            return Ok(Step::Fault(BatchError::Length(i32::from_be_bytes(*length)).to_string()));
        };
        let magic = header[BatchHeader::MAGIC] as i8;
        if magic != BatchHeader::MAGIC_V2 {
            return Ok(Step::Fault(BatchError::Magic(magic).to_string()));
        }
        if len as u64 > left {
            let available = usize::try_from(left).unwrap_or(usize::MAX);
            return Ok(Step::Fault(BatchError::Truncated { needed: len, available }.to_string()));
        }
        let crc =
            self.crc(position + BatchHeader::ATTRIBUTES as u64, position + len as u64).await?;
        Ok(Step::Batch(Batch::of(header, position, len as u64, crc)))
    }

    /// The CRC-32C of the bytes from `start` to `end`.
    async fn crc(&mut self, start: u64, end: u64) -> io::Result<u32> {
        let (mut crc, mut at) = (0, start);
        while at < end {
            let bytes = self.bytes(at, 1).await?;
            let len = (bytes.len() as u64).min(end - at);
            crc = crc32c::crc32c_append(crc, &bytes[..len as usize]);
            at += len;
        }
        Ok(crc)
    }

    /// The bytes from `position` on that are in memory, at least `want` of them.
    async fn bytes(&mut self, position: u64, want: u64) -> io::Result<&[u8]> {
        let end = position + want;
        assert!(want <= CHUNK_BYTES && end <= self.limit, "a chunk holds what is asked for");
        let chunk_end = self.chunk_at + self.chunk.len() as u64;
        if position < self.chunk_at || end > chunk_end {
            let len = CHUNK_BYTES.min(self.limit - position);
            let mut buffer = std::mem::take(&mut self.chunk);
            buffer.resize(len as usize, 0);
            self.chunk = self.file.read_at(buffer, position).await?;
            self.chunk_at = position;
            self.read_bytes += self.chunk.len() as u64;
            if (self.chunk.len() as u64) < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(&self.chunk[(position - self.chunk_at) as usize..])
    }
}
