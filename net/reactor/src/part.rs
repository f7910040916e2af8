//! What a stream sends: bytes in memory, and ranges of files that never pass through the process's memory.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::{sim, uring};

/// A part of what [`crate::Stream::write_parts`] sends.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file.
    File(FileRange),
}

impl Part {
    /// Bytes of it.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(range) => range.len(),
        }
    }

    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much memory it keeps, in bytes.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(_) => 0,
        }
    }

    /// Takes the first `len` bytes off it.
    ///
    /// # Panics
    /// When it has fewer.
    #[must_use]
    pub fn split_to(&mut self, len: usize) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.split_to(len)),
            Self::File(range) => Self::File(range.split_to(len)),
        }
    }
}

impl From<Bytes> for Part {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// Bytes of a file that were in the page cache when this was made. Keeps the file open, whatever becomes of its name.
///
/// Contract: nobody changes these bytes while this exists, nor until the peer of the stream that sent them has them: a socket
/// refers to the file's pages, and sends again what is lost on the way. What is added behind them is no change.
#[derive(Clone)]
pub struct FileRange {
    side: RangeSide,
    offset: u64,
    len: usize,
    _kept: Option<Arc<dyn Any + Send + Sync>>,
}

#[derive(Clone)]
enum RangeSide {
    Uring(uring::SharedFile),
    Sim(sim::SharedFile),
}

impl FileRange {
    pub(crate) fn of_uring(file: uring::SharedFile, offset: u64, len: usize) -> Self {
        Self { side: RangeSide::Uring(file), offset, len, _kept: None }
    }

    pub(crate) fn of_sim(file: sim::SharedFile, offset: u64, len: usize) -> Self {
        Self { side: RangeSide::Sim(file), offset, len, _kept: None }
    }

    /// Keeps `kept` for as long as this and what is split from it exist.
    #[must_use]
    pub fn keeping(self, kept: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _kept: Some(kept), ..self }
    }

    /// Bytes of it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the first `len` bytes off it.
    ///
    /// # Panics
    /// When it has fewer.
    #[must_use]
    pub fn split_to(&mut self, len: usize) -> Self {
        assert!(len <= self.len, "no more is taken off a range than it has");
        let first = Self { len, ..self.clone() };
        self.offset += len as u64;
        self.len -= len;
        first
    }

    /// Where it begins, and the file of the real side.
    pub(crate) fn of_kernel(&self) -> io::Result<(&uring::SharedFile, u64)> {
        match &self.side {
            RangeSide::Uring(file) => Ok((file, self.offset)),
            RangeSide::Sim(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// The same of the simulation.
    pub(crate) fn of_simulation(&self) -> io::Result<(&sim::SharedFile, u64)> {
        match &self.side {
            RangeSide::Sim(file) => Ok((file, self.offset)),
            RangeSide::Uring(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl fmt::Debug for FileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of a file from {} on", self.len, self.offset)
    }
}
