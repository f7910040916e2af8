//! The entries of an index file in order, a block at a time.

use std::collections::VecDeque;
use std::io;

use ringlane_batch::Offset;
use ringlane_reactor::File;

use crate::segment::Entry;

const BLOCK_ENTRIES: u64 = 4096;

/// See the module.
pub(super) struct Entries<E> {
    file: File,
    base: Offset,
    len: u64,
    /// The byte behind the block.
    at: u64,
    block: VecDeque<E>,
}

impl<E: Entry> Entries<E> {
    /// Of `file`, the index of the segment at `base`.
    pub(super) fn new(file: File, base: Offset) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, base, len, at: 0, block: VecDeque::new() })
    }

    /// Bytes at the file's end that are a part of an entry only.
    pub(super) fn partial_bytes(&self) -> u64 {
        self.len % E::LEN as u64
    }

    /// The next entry and the byte where it lies.
    pub(super) async fn next(&mut self) -> io::Result<Option<(u64, E)>> {
        let whole = self.len - self.partial_bytes();
        if self.block.is_empty() && self.at < whole {
            let len = (BLOCK_ENTRIES * E::LEN as u64).min(whole - self.at);
            let bytes = self.file.read_at(vec![0; len as usize], self.at).await?;
            if (bytes.len() as u64) < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.at += len;
            self.block.extend(bytes.chunks_exact(E::LEN).map(|e| E::decode(self.base.0, e)));
        }
        let position = self.at - (self.block.len() * E::LEN) as u64;
        Ok(self.block.pop_front().map(|entry| (position, entry)))
    }
}
