//! The file of the Raft log: frames appended one group at a time, each synced before the next is written.
//!
//! Contract: when [`LogFile::append`] or [`LogFile::rewrite`] returns `Ok`, the group survives a power cut. Hence only the
//! last frame of a file can be torn, and a bad frame with a whole one behind it is damage, never a crash. On a full device they
//! wait (`space.rs`). After any other error the file's state is unknown, and every later call is refused.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};

use ringlane_reactor::{Disk, File, OpenOptions};

use super::frame::{self, FrameError, Kind};
use super::records::LogGroup;
use super::space::Space;
use super::{frame_error, io_error};
use crate::controller::ControllerError;

/// More than a log can have: it is cut at every snapshot.
const MAX_BYTES: u64 = 1 << 30;

pub(super) struct LogFile {
    space: Space,
    path: PathBuf,
    file: RefCell<File>,
    /// Where the next frame goes.
    end: Cell<u64>,
    failed: Cell<bool>,
}

impl LogFile {
    /// Opens the log at `path`, made when missing, and gives its groups. A torn tail is cut off.
    pub(super) async fn open(
        space: &Space,
        path: &Path,
    ) -> Result<(Self, Vec<LogGroup>), ControllerError> {
        let disk = space.disk();
        let failed = io_error(path);
        let file = disk.open(path, OpenOptions::CREATE).await.map_err(&failed)?;
        let bytes = disk.read(path, MAX_BYTES).await.map_err(&failed)?;
        let (groups, end) = scan(&bytes).map_err(|error| frame_error(path, error))?;
        if end < bytes.len() {
            // A read that went wrong must not cost us what is on the disk: only what reads the same twice is torn.
            if disk.read(path, MAX_BYTES).await.map_err(&failed)? != bytes {
                return Err(failed(io::Error::other("two reads gave different bytes")));
            }
            let torn = bytes.len() - end;
            tracing::warn!(path = %path.display(), torn, "cut off an entry that a crash left unfinished");
            file.set_len(end as u64).map_err(&failed)?;
        }
        // What survived the end of the last process need not have been on the device: it has to be before it counts.
        if !bytes.is_empty() {
            file.sync_data().await.map_err(&failed)?;
        }
        let log = Self {
            space: space.clone(),
            path: path.to_owned(),
            file: RefCell::new(file),
            end: Cell::new(end as u64),
            failed: Cell::new(false),
        };
        Ok((log, groups))
    }

    /// Adds a group.
    pub(super) async fn append(&self, group: &LogGroup) -> io::Result<()> {
        self.guard(self.try_append(group)).await
    }

    /// Replaces all groups by one.
    pub(super) async fn rewrite(&self, group: &LogGroup) -> io::Result<()> {
        self.guard(self.try_rewrite(group)).await
    }

    /// Lets nothing happen after a failure, nor while `change` runs, whose drop would leave it half done.
    async fn guard(&self, change: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        if self.failed.replace(true) {
            return Err(io::Error::other("the log failed before and is not written again"));
        }
        let result = change.await;
        self.failed.set(result.is_err());
        result
    }

    async fn try_append(&self, group: &LogGroup) -> io::Result<()> {
        let frame = frame::encode(Kind::Log, group);
        let file = self.file.borrow().clone();
        assert_eq!(self.end.get() % frame::HEADER_LEN as u64, 0, "frames are aligned");
        let (end, write) = (self.end.get(), file.clone());
        let attempt = async || {
            // What a write that found no space left behind is cut off again.
            let cut = |error| write.set_len(end).and(Err(error));
            write.write_at(&frame, end).or_else(cut)
        };
        self.space.retry(&self.path, attempt).await?;
        file.sync_data().await?;
        self.end.set(self.end.get() + frame.len() as u64);
        Ok(())
    }

    async fn try_rewrite(&self, group: &LogGroup) -> io::Result<()> {
        let frame = frame::encode(Kind::Log, group);
        self.space.replace(&self.path, &frame).await?;
        let file = self.space.disk().open(&self.path, OpenOptions::WRITE).await?;
        self.file.replace(file);
        self.end.set(frame.len() as u64);
        Ok(())
    }
}

/// The groups of the log at `path`, without those that a crash left unfinished; none where there is no file.
pub(super) async fn read(disk: &Disk, path: &Path) -> Result<Vec<LogGroup>, ControllerError> {
    match disk.read(path, MAX_BYTES).await {
        Ok(bytes) => {
            scan(&bytes).map(|(groups, _)| groups).map_err(|error| frame_error(path, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io_error(path)(error)),
    }
}

/// The groups in a log's bytes, and where the last of them ends.
fn scan(bytes: &[u8]) -> Result<(Vec<LogGroup>, usize), FrameError> {
    let mut groups = Vec::new();
    let mut end = 0;
    while end < bytes.len() {
        match frame::decode::<LogGroup>(Kind::Log, &bytes[end..]) {
            Ok((group, len)) => {
                groups.push(group);
                end += len;
            }
            Err(FrameError::Broken) => {
                let behind = (end..bytes.len()).step_by(frame::HEADER_LEN).skip(1);
                if let Some(at) =
                    behind.into_iter().find(|&at| frame::whole(&bytes[at..]).is_some())
                {
                    return Err(FrameError::Foreign(format!(
                        "damaged at byte {end}, before a whole entry at byte {at}"
                    )));
                }
                break;
            }
            Err(error) => return Err(error),
        }
    }
    assert!(end <= bytes.len(), "frames lie within the file");
    Ok((groups, end))
}

#[cfg(test)]
mod tests;
