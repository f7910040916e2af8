//! The device of one directory fails: whatever touches the directory, or what is below it, fails with EIO until it is mended.
//! What was cached and not synced is then as after a failed write-back: written or not. Or a file or directory may not be changed
//! (`chattr +i`): that is EPERM, and concerns nothing else.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::Disk;
use super::names::InodeId;

/// What lies on devices that have failed, and what may not be changed.
#[derive(Default)]
pub(super) struct Failed {
    dead: BTreeSet<InodeId>,
    sealed: BTreeSet<InodeId>,
}

impl Disk {
    pub(in crate::sim) fn fail_below(&mut self, path: &Path) -> io::Result<()> {
        let directory = self.tree.find(path)?;
        self.failed.dead.extend(self.tree.below(directory));
        Ok(())
    }

    pub(in crate::sim) fn seal(&mut self, path: &Path) -> io::Result<()> {
        let inode = self.tree.find(path)?;
        self.failed.sealed.insert(inode);
        Ok(())
    }

    pub(in crate::sim) fn mend(&mut self) {
        self.failed = Failed::default();
    }

    /// Whether a file may be changed.
    pub(super) fn check_change(&self, inode: InodeId) -> io::Result<()> {
        self.check(inode)?;
        match self.failed.sealed.contains(&inode) {
            true => Err(io::Error::from_raw_os_error(libc::EPERM)),
            false => Ok(()),
        }
    }

    /// Whether the name `path` may come or go.
    pub(super) fn check_name(&mut self, path: &Path) -> io::Result<()> {
        self.check_path(path)?;
        for path in [Some(path), path.parent()].into_iter().flatten() {
            if let Ok(inode) = self.tree.find(path) {
                self.check_change(inode)?;
            }
        }
        Ok(())
    }

    /// Whether the device of a file works.
    pub(super) fn check(&self, inode: InodeId) -> io::Result<()> {
        match self.failed.dead.contains(&inode) {
            true => Err(io::Error::from_raw_os_error(libc::EIO)),
            false => Ok(()),
        }
    }

    /// Whether the device works on which `path` lies, or would lie.
    pub(super) fn check_path(&mut self, path: &Path) -> io::Result<()> {
        if self.failed.dead.is_empty() {
            return Ok(());
        }
        let existing = path.ancestors().find_map(|path| self.tree.find(path).ok());
        existing.map_or(Ok(()), |inode| self.check(inode))
    }
}
