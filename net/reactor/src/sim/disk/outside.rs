//! What a story or an oracle does to a disk from outside, past all faults.

use std::io;
use std::path::Path;

use super::Disk;
use super::pages::PAGE_BYTES;

impl Disk {
    pub(in crate::sim) fn used_bytes(&mut self) -> u64 {
        self.collect();
        self.tree.allocated_pages() * PAGE_BYTES as u64
    }

    pub(in crate::sim) fn content(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let id = self.tree.find(path)?;
        Ok(self.tree.file(id)?.cached().to_vec())
    }

    pub(in crate::sim) fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.tree.put_durable(path, bytes)?;
        self.tree.sync_all_names();
        Ok(())
    }

    pub(in crate::sim) fn put_directory(&mut self, path: &Path) -> io::Result<()> {
        self.tree.create_directories(path)?;
        self.tree.sync_all_names();
        Ok(())
    }

    pub(in crate::sim) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.tree.remove_file(path)?;
        self.tree.sync_all_names();
        Ok(())
    }

    pub(in crate::sim) fn decay(&mut self, path: &Path, offset: u64) -> io::Result<()> {
        let id = self.tree.find(path)?;
        let bit = self.rng.below(8) as u32;
        let file = self.tree.file(id)?;
        if offset >= file.cached().len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        file.decay(offset, bit);
        Ok(())
    }

    pub(in crate::sim) fn paths(&mut self) -> Vec<String> {
        self.tree.paths()
    }
}
