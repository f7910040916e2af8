//! Making what was appended durable: which files that takes, and what a completed sync proves.

use std::io;
use std::path::PathBuf;

use ringlane_batch::{DurableEndOffset, LogEndOffset};
use ringlane_reactor::File;

use super::{Log, State};

/// What one sync covers: taken when it begins, so that appends behind it are not claimed.
pub(super) struct Sync {
    pub(super) files: Vec<File>,
    /// The log's directory, when names in it are not durable.
    pub(super) directory: Option<PathBuf>,
    end: LogEndOffset,
    names_changed: u64,
    truncations: u64,
}

impl State {
    /// Whether a durable log has something that no completed sync covers.
    pub(super) fn wants_sync(&self) -> bool {
        self.config.durable && self.offline_reason().is_none() && self.is_behind()
    }

    fn is_behind(&self) -> bool {
        self.offsets().durable.offset() < self.offsets().end.offset()
    }

    /// A sync of all that is appended now.
    pub(super) fn begin_sync(&self) -> Sync {
        Sync {
            files: match self.is_behind() {
                true => self.unsynced_files(),
                false => Vec::new(),
            },
            directory: (self.names_synced < self.names_changed).then(|| self.dir.clone()),
            end: self.offsets().end,
            names_changed: self.names_changed,
            truncations: self.truncations,
        }
    }

    /// The files with bytes behind the durable end. One that ends there is among them while it is open: if a torn tail or
    /// a failed write was cut off it, nothing after it may be durable before that is.
    fn unsynced_files(&self) -> Vec<File> {
        let durable = self.offsets().durable.offset();
        let first = self.segment_index(durable);
        let before = self.segments[..first].last().filter(|_| self.segments[first].base == durable);
        let before = before.and_then(|segment| segment.files.as_ref());
        let behind = self.segments[first..].iter().map(|segment| {
            segment.files.as_ref().expect("a segment stays open until it is synced")
        });
        before.into_iter().chain(behind).map(|files| files.log.clone()).collect()
    }

    /// Takes note of a completed sync. One that began before a truncation proves nothing.
    pub(super) fn finish_sync(&mut self, sync: &Sync) {
        if self.is_closed() || sync.truncations != self.truncations {
            return;
        }
        self.names_synced = self.names_synced.max(sync.names_changed);
        let end = DurableEndOffset::at(sync.end.offset());
        self.move_offsets(|offsets| offsets.durable = offsets.durable.max(end));
    }
}

impl Log {
    /// One sync, on behalf of the shard's group.
    pub(crate) async fn sync(&self) {
        let sync = {
            let mut state = self.0.state.borrow_mut();
            state.sync_registered = false;
            if !state.wants_sync() {
                return;
            }
            state.begin_sync()
        };
        match self.execute(&sync).await {
            Ok(()) => {
                self.0.state.borrow_mut().finish_sync(&sync);
                self.0.durable_changed.notify_all();
                self.register_if_wanted();
            }
            // The directory of a deleted log is gone; of an open one it is not.
            Err(_) if self.0.state.borrow().is_closed() => {}
            // Never retried: the kernel may have dropped the bytes and call the next sync a success (fsyncgate).
            Err(error) => self.go_offline(&format!("cannot sync: {error}")),
        }
    }

    pub(super) async fn execute(&self, sync: &Sync) -> io::Result<()> {
        if let Some(directory) = &sync.directory {
            self.0.disk.sync_dir(directory).await?;
        }
        for file in &sync.files {
            file.sync_data().await?;
        }
        Ok(())
    }
}
