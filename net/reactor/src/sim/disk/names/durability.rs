//! Which names the device has: after a sync, after a loss of power; and which inodes nothing leads to any more.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::super::content::Snapshot;
use super::{Change, Content, Inode, InodeId, Place, ROOT, Tree};
use crate::Rng;

impl Tree {
    /// What a sync of names that begins now covers.
    pub(in crate::sim::disk) fn snapshot(&self) -> u64 {
        self.next_change
    }

    /// Makes the changes before `snapshot` durable that touch `directory`, with those that they rest on.
    pub(in crate::sim::disk) fn sync(
        &mut self,
        directory: InodeId,
        snapshot: u64,
    ) -> io::Result<()> {
        self.directory(directory)?;
        let mut covered = Vec::new();
        let mut places = BTreeSet::new();
        for (&number, change) in self.changes.range(..snapshot).rev() {
            if change.places().any(|place| place.0 == directory || places.contains(place)) {
                places.extend(change.places().cloned());
                covered.push(number);
            }
        }
        for number in covered.into_iter().rev() {
            let change = self.changes.remove(&number).expect("a covered change is pending");
            self.make_durable(change);
        }
        Ok(())
    }

    fn make_durable(&mut self, change: Change) {
        let mut set = |(directory, name): Place, inode: Option<InodeId>| {
            // A directory that is gone takes its names with it.
            let Ok(directory) = self.directory(directory) else { return };
            match inode {
                Some(inode) => _ = directory.durable.insert(name, inode),
                None => _ = directory.durable.remove(&name),
            }
        };
        match change {
            Change::Add { at, inode } => set(at, Some(inode)),
            Change::Remove { at } => set(at, None),
            Change::Rename { from, to, inode } => {
                set(from, None);
                set(to, Some(inode));
            }
        }
    }

    /// Keeps, of what is not on the device, what the seed says. See the head of this file and of `content.rs`.
    pub(in crate::sim::disk) fn lose_power(&mut self, sector_bytes: usize, rng: &mut Rng) {
        let survives = rng.below(5);
        let mut lost = BTreeSet::new();
        for change in std::mem::take(&mut self.changes).into_values() {
            let rests_on_lost = change.places().any(|place| lost.contains(place));
            if rests_on_lost || rng.below(4) >= survives {
                lost.extend(change.places().cloned());
            } else {
                self.make_durable(change);
            }
        }
        for inode in self.inodes.values_mut() {
            match inode {
                Inode::File(content) => content.lose_power(sector_bytes, rng),
                Inode::Directory(directory) => directory.cached.clone_from(&directory.durable),
            }
        }
    }

    /// Forgets the inodes that no name, now or after any crash, and no open file leads to.
    pub(in crate::sim::disk) fn collect(&mut self, open: impl Iterator<Item = InodeId>) {
        let mut reached = BTreeSet::new();
        let mut next: Vec<_> =
            open.chain(self.changes.values().filter_map(Change::inode)).collect();
        next.push(ROOT);
        while let Some(id) = next.pop() {
            if reached.insert(id)
                && let Some(Inode::Directory(directory)) = self.inodes.get(&id)
            {
                next.extend(directory.cached.values().chain(directory.durable.values()));
            }
        }
        self.inodes.retain(|id, _| reached.contains(id));
    }

    /// Puts a whole file there; with [`Tree::sync_all_names`] it is durable.
    pub(in crate::sim::disk) fn put_durable(
        &mut self,
        path: &Path,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.create_directories(path.parent().unwrap_or(Path::new("/")))?;
        let (id, _) = self.open(path, true)?;
        *self.file(id)? = Content::durable(bytes);
        Ok(())
    }

    /// Makes every change of names durable.
    pub(in crate::sim::disk) fn sync_all_names(&mut self) {
        self.sync_names_before(self.snapshot());
    }

    /// Makes every change of names before `snapshot` durable.
    pub(in crate::sim::disk) fn sync_names_before(&mut self, snapshot: u64) {
        let later = self.changes.split_off(&snapshot);
        for change in std::mem::replace(&mut self.changes, later).into_values() {
            self.make_durable(change);
        }
    }

    /// The files that a sync of everything has something to do for, in order.
    pub(in crate::sim::disk) fn unsynced_files(&self) -> Vec<(InodeId, Snapshot)> {
        let unsynced = |(&id, inode): (&InodeId, &Inode)| match inode {
            Inode::File(content) if !content.is_synced() => Some((id, content.snapshot())),
            _ => None,
        };
        self.inodes.iter().filter_map(unsynced).collect()
    }
}
