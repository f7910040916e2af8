//! What is left of deleted logs, once their names are durably gone. Freeing the blocks of large files takes the file system
//! long, and nobody waits for it: one directory after the other goes in the background, and a start removes what is left.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::LogManager;
use crate::kept;
use crate::shard_checkpoint::LogKey;

/// Directories to be removed, the oldest first.
#[derive(Default)]
pub(super) struct Removals {
    waiting: RefCell<VecDeque<PathBuf>>,
    running: Cell<bool>,
}

impl LogManager {
    /// Removes what was kept of the entries of a log that is gone.
    pub(crate) async fn remove_kept(&self, key: LogKey) {
        let path = kept::path(&self.0.directory, key);
        match self.0.disk.remove_file(&path).await {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let path = path.display();
                tracing::warn!("{path}, of a log that was deleted, stays: {error}");
            }
            _ => {}
        }
    }

    /// Removes `dir` with all that is in it, some time.
    pub(crate) fn remove_later(&self, dir: PathBuf) {
        let removals = &self.0.removals;
        removals.waiting.borrow_mut().push_back(dir);
        if !removals.running.replace(true) {
            let this = self.clone();
            self.spawn_background(async move { this.remove_all().await });
        }
    }

    async fn remove_all(&self) {
        let removals = &self.0.removals;
        loop {
            let next = removals.waiting.borrow_mut().pop_front();
            let Some(dir) = next else { return removals.running.set(false) };
            if let Err(error) = self.0.disk.remove_dir_all(&dir).await {
                let dir = dir.display();
                tracing::warn!(
                    "the files of a deleted log stay until the next start: {dir}: {error}"
                );
            }
        }
    }
}
