//! The device of one directory fails: whatever touches the directory, or what is below it, fails with EIO until it is mended.
//! What was cached and not synced is then as after a failed write-back: written or not.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::Disk;
use super::names::InodeId;

/// What lies on devices that have failed.
#[derive(Default)]
pub(super) struct Failed(BTreeSet<InodeId>);

impl Disk {
    pub(in crate::sim) fn fail_below(&mut self, path: &Path) -> io::Result<()> {
        let directory = self.tree.find(path)?;
        self.failed.0.extend(self.tree.below(directory));
        Ok(())
    }

    pub(in crate::sim) fn mend(&mut self) {
        self.failed.0.clear();
    }

    /// Whether the device of a file works.
    pub(super) fn check(&self, inode: InodeId) -> io::Result<()> {
        match self.failed.0.contains(&inode) {
            true => Err(io::Error::from_raw_os_error(libc::EIO)),
            false => Ok(()),
        }
    }

    /// Whether the device works on which `path` lies, or would lie.
    pub(super) fn check_path(&mut self, path: &Path) -> io::Result<()> {
        if self.failed.0.is_empty() {
            return Ok(());
        }
        let existing = path.ancestors().find_map(|path| self.tree.find(path).ok());
        existing.map_or(Ok(()), |inode| self.check(inode))
    }
}
