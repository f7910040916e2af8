//! The part of a segment that a truncation keeps, as a new file. Clients may still be sent the old one's pages, from a span or a
//! socket's queue: what is appended next must not be written there (docs/decisions/0020-fetch.md).

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use ringlane_batch::Offset;
use ringlane_reactor::{File, OpenOptions};

use super::Log;
use crate::compaction::swap;
use crate::error::StorageError;
use crate::names::Kind;

/// So much is copied at once, by a kernel worker.
const CHUNK_BYTES: u64 = 1 << 20;
/// A start removes files of this name.
const TEMPORARY: &str = ".tmp";

impl Log {
    /// Copies the first `len` bytes of `old`, the `.log` file of the segment at `base`, and syncs them. The file's name says nothing
    /// yet: it is to be renamed.
    pub(super) async fn copy_beginning(
        &self,
        old: &File,
        base: Offset,
        len: u64,
    ) -> Result<PathBuf, StorageError> {
        let path = swap::path(&self.directory(), Kind::Log, base, TEMPORARY);
        let copied = async {
            let new = self.0.disk.open(&path, OpenOptions::CREATE_EMPTY).await?;
            let mut at = 0;
            while at < len {
                let chunk = old.read_at(vec![0; (len - at).min(CHUNK_BYTES) as usize], at).await?;
                if chunk.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let (from, chunk) = (at, Rc::new(chunk));
                at += chunk.len() as u64;
                new.write_behind(chunk.clone(), from).await?;
                // The sync at the end finds little left to do.
                new.start_write_back(from, chunk.len() as u64);
            }
            new.sync_data().await
        };
        if let Err(error) = copied.await {
            // What stays is removed at the next start.
            let _ = self.0.disk.remove_file(&path).await;
            return Err(StorageError::Io { tried: "copy a segment to", path, source: error });
        }
        Ok(path)
    }
}
