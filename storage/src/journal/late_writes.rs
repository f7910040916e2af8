//! Writes of a killed broker that are still on their way to the journal's files when the next broker starts.
//!
//! `kill -9` does not wait for direct writes that the device has: the process is gone, and reaped, while they go on (of
//! an io_uring only what its kernel workers run is waited for). The lock of the data directory does not tell, either: it
//! goes with the descriptors of the process. With a device slowed down to 400 KB/s, a write of 1 MiB ended 2.6 s after
//! the death of its process; the directory's lock was free at once.
//!
//! Nobody was told of such a write, so it may happen or not: as the last group it is torn, or whole, and then replayed. But
//! it must not come late, over a group that the next broker has written into the same blocks and acknowledged.
//!
//! So the writer of a journal holds a lock on each of its files, taken with the very opening through which it writes. A
//! request in flight refers to that opening and keeps it open, and only the end of the last reference releases the lock.
//! The next broker takes each of these locks once, before it reads: then there is no older write any more. What else a
//! killed broker has started is over when the directory's lock is free: system calls return before their thread ends,
//! and a thread ends after its kernel workers have.

use std::io;
use std::path::Path;
use std::time::Duration;

use ringlane_reactor::{DirectFile, OpenOptions, Reactor};

use super::names::{journal_files, journals};
use crate::error::StorageError;

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Nobody likes to look at a silent start for longer.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Waits until no write of an earlier broker is on its way to a journal in `dir`, whichever shard's.
///
/// # Errors
/// The disk's.
pub(crate) async fn wait_for_late_writes(
    reactor: &Reactor,
    dir: &Path,
) -> Result<(), StorageError> {
    let disk = reactor.disk();
    for journal in journals(&disk, dir).await? {
        for path in journal_files(&disk, dir, journal.shard).await? {
            let file = disk.open_direct(&path, OpenOptions::WRITE).await;
            let file = file.map_err(StorageError::io("open", &path))?;
            wait_for_lock(reactor, &file, &path).await.map_err(StorageError::io("lock", &path))?;
        }
    }
    Ok(())
}

async fn wait_for_lock(reactor: &Reactor, file: &DirectFile, path: &Path) -> io::Result<()> {
    let mut next_word = reactor.now() + PROGRESS_INTERVAL;
    loop {
        match file.try_lock() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            locked => return locked,
        }
        if reactor.now() >= next_word {
            next_word = reactor.now() + PROGRESS_INTERVAL;
            let path = path.display();
            tracing::warn!(
                "waiting for the device to end the last write of the broker before to {path}"
            );
        }
        reactor.sleep(POLL_INTERVAL).await;
    }
}

/// Takes the lock under which `file` is written to.
pub(super) fn lock_for_writing(file: &DirectFile) -> io::Result<()> {
    match file.try_lock() {
        // A journal of this same process that was closed, and still has its files: its writes are over.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        locked => locked,
    }
}
