//! The sync of everything: all files and all names of the disk.

use std::io;
use std::path::Path;

use super::Disk;
use super::content::{Landing, Snapshot};
use super::names::{InodeId, Tree};
use crate::Rng;

/// A sync of everything on its way: what it covers.
pub(in crate::sim) struct FileSystemSync {
    directory: InodeId,
    files: Vec<(InodeId, Snapshot)>,
    names: u64,
}

impl Disk {
    /// Begins a sync of everything. `None`: the crash cut fell on it.
    pub(in crate::sim) fn start_sync_file_system(
        &mut self,
        path: &Path,
    ) -> io::Result<Option<FileSystemSync>> {
        self.check_path(path)?;
        if self.faults.no_threads {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        let directory = self.tree.find(path)?;
        if !self.tree.is_directory(directory) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let (mut files, names) = (self.tree.unsynced_files(), self.tree.snapshot());
        files.retain(|(inode, _)| self.check(*inode).is_ok());
        if !self.cut_is_next() {
            self.operations += 1;
            return Ok(Some(FileSystemSync { directory, files, names }));
        }
        let part = |tree: &mut Tree, rng: &mut Rng| {
            for (inode, snapshot) in &files {
                let file = tree.file(*inode).expect("the file was there a moment ago");
                match rng.below(3) {
                    0 => {}
                    1 => file.tear_sync(snapshot, rng),
                    _ => file.install(snapshot, rng, |_| Landing::Right),
                }
            }
        };
        let whole = |tree: &mut Tree, rng: &mut Rng| {
            for (inode, snapshot) in &files {
                tree.file(*inode)?.install(snapshot, rng, |_| Landing::Right);
            }
            tree.sync_names_before(names);
            Ok(())
        };
        self.operate(part, whole).map(|()| None)
    }

    pub(in crate::sim) fn end_sync_file_system(&mut self, sync: &FileSystemSync) -> io::Result<()> {
        let faults = self.faults;
        let fails =
            self.rng.one_in(faults.sync_error_one_in) || self.check(sync.directory).is_err();
        let lost = !fails && self.rng.one_in(faults.sync_lost_one_in);
        for (inode, snapshot) in &sync.files {
            // A file that has gone since needs no sync.
            let fails = fails || self.check(*inode).is_err();
            let Ok(file) = self.tree.file(*inode) else { continue };
            match fails {
                true => file.fail_sync(snapshot, &mut self.rng),
                false => file.install(snapshot, &mut self.rng, |rng| faults.landing(lost, rng)),
            }
        }
        if fails {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.tree.sync_names_before(sync.names);
        Ok(())
    }
}
