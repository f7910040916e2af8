//! The tree of names, as processes see it and as the device has it: a change of a name is durable once its directory is
//! synced. Until then a loss of power keeps it or not, each change as a whole, and never one that rests on a lost one.

mod durability;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use super::content::Content;

pub(in crate::sim) type InodeId = u64;

const ROOT: InodeId = 0;

#[derive(Clone)]
enum Inode {
    File(Content),
    Directory(Directory),
}

/// One directory's names, now and on the device.
#[derive(Clone, Default)]
struct Directory {
    cached: BTreeMap<String, InodeId>,
    durable: BTreeMap<String, InodeId>,
}

/// A name in a directory.
type Place = (InodeId, String);

/// A change of names that the device does not have yet.
#[derive(Clone)]
enum Change {
    Add { at: Place, inode: InodeId },
    Remove { at: Place },
    Rename { from: Place, to: Place, inode: InodeId },
}

impl Change {
    fn places(&self) -> impl Iterator<Item = &Place> {
        let (first, second) = match self {
            Self::Add { at, .. } | Self::Remove { at } => (at, None),
            Self::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    fn inode(&self) -> Option<InodeId> {
        match self {
            Self::Add { inode, .. } | Self::Rename { inode, .. } => Some(*inode),
            Self::Remove { .. } => None,
        }
    }
}

/// All inodes of a disk and the changes of names on their way, numbered in order.
#[derive(Clone)]
pub(super) struct Tree {
    inodes: BTreeMap<InodeId, Inode>,
    changes: BTreeMap<u64, Change>,
    next_change: u64,
    next_inode: InodeId,
}

/// The names that a path is made of: `/` is where every path starts, relative ones too.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(ErrorKind::InvalidInput)?.to_string());
            }
            Component::ParentDir => _ = names.pop(),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Inode::Directory(Directory::default());
        Self {
            inodes: BTreeMap::from([(ROOT, root)]),
            changes: BTreeMap::new(),
            next_change: 0,
            next_inode: ROOT + 1,
        }
    }

    fn directory(&mut self, id: InodeId) -> io::Result<&mut Directory> {
        match self.inodes.get_mut(&id) {
            Some(Inode::Directory(directory)) => Ok(directory),
            Some(Inode::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn child(&mut self, directory: InodeId, name: &str) -> io::Result<Option<InodeId>> {
        Ok(self.directory(directory)?.cached.get(name).copied())
    }

    /// The inode at `path`.
    pub(super) fn find(&mut self, path: &Path) -> io::Result<InodeId> {
        let mut at = ROOT;
        for name in names(path)? {
            at = self.child(at, &name)?.ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The directory that holds the last name of `path`, and that name.
    pub(super) fn place(&mut self, path: &Path) -> io::Result<Place> {
        let mut names = names(path)?;
        let last = names.pop().ok_or(ErrorKind::InvalidInput)?;
        let mut at = ROOT;
        for name in names {
            at = self.child(at, &name)?.ok_or(ErrorKind::NotFound)?;
        }
        self.directory(at)?;
        Ok((at, last))
    }

    pub(super) fn file(&mut self, id: InodeId) -> io::Result<&mut Content> {
        match self.inodes.get_mut(&id) {
            Some(Inode::File(content)) => Ok(content),
            Some(Inode::Directory(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn is_directory(&self, id: InodeId) -> bool {
        matches!(self.inodes.get(&id), Some(Inode::Directory(_)))
    }

    /// The names in a directory, each with whether it is one itself.
    pub(super) fn list(&mut self, id: InodeId) -> io::Result<Vec<(String, bool)>> {
        let entries = self.directory(id)?.cached.clone();
        Ok(entries.into_iter().map(|(name, id)| (name, self.is_directory(id))).collect())
    }

    pub(super) fn allocated_pages(&self) -> u64 {
        let pages = |inode: &Inode| match inode {
            Inode::File(content) => content.allocated_pages(),
            Inode::Directory(_) => 0,
        };
        self.inodes.values().map(pages).sum()
    }

    /// A new inode under a free name.
    fn add(&mut self, at: Place, inode: Inode) -> io::Result<InodeId> {
        let id = self.next_inode;
        self.next_inode += 1;
        let replaced = self.directory(at.0)?.cached.insert(at.1.clone(), id);
        assert!(replaced.is_none(), "a name is added where there was none");
        self.inodes.insert(id, inode);
        self.change(Change::Add { at, inode: id });
        Ok(id)
    }

    fn change(&mut self, change: Change) {
        self.changes.insert(self.next_change, change);
        self.next_change += 1;
    }

    /// The file at `path`, made when missing and `create`; whether it is new.
    pub(super) fn open(&mut self, path: &Path, create: bool) -> io::Result<(InodeId, bool)> {
        let at = self.place(path)?;
        match self.child(at.0, &at.1)? {
            Some(id) => self.file(id).map(|_| (id, false)),
            None if create => Ok((self.add(at, Inode::File(Content::default()))?, true)),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn create_directories(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in names(path)? {
            at = match self.child(at, &name)? {
                Some(id) => id,
                None => self.add((at, name), Inode::Directory(Directory::default()))?,
            };
        }
        self.directory(at).map(|_| ())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let inode = self.child(from.0, &from.1)?.ok_or(ErrorKind::NotFound)?;
        if from == to {
            return Ok(());
        }
        if let Some(replaced) = self.child(to.0, &to.1)? {
            self.may_replace(inode, replaced)?;
        }
        self.directory(from.0)?.cached.remove(&from.1);
        self.directory(to.0)?.cached.insert(to.1.clone(), inode);
        self.change(Change::Rename { from, to, inode });
        Ok(())
    }

    /// As rename(2): a file replaces a file, a directory an empty directory.
    fn may_replace(&mut self, inode: InodeId, replaced: InodeId) -> io::Result<()> {
        match (self.is_directory(inode), self.is_directory(replaced)) {
            (false, false) => Ok(()),
            (false, true) => Err(ErrorKind::IsADirectory.into()),
            (true, false) => Err(ErrorKind::NotADirectory.into()),
            (true, true) if self.directory(replaced)?.cached.is_empty() => Ok(()),
            (true, true) => Err(ErrorKind::DirectoryNotEmpty.into()),
        }
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let at = self.place(path)?;
        let id = self.child(at.0, &at.1)?.ok_or(ErrorKind::NotFound)?;
        self.file(id)?;
        self.remove(at)
    }

    fn remove(&mut self, at: Place) -> io::Result<()> {
        self.directory(at.0)?.cached.remove(&at.1);
        self.change(Change::Remove { at });
        Ok(())
    }

    /// Removes everything below `path` and it, deepest first, stopping after `limit` names (a crash in the middle).
    pub(super) fn remove_all(&mut self, path: &Path, limit: u64) -> io::Result<()> {
        let at = self.place(path)?;
        let id = self.child(at.0, &at.1)?.ok_or(ErrorKind::NotFound)?;
        self.directory(id)?;
        let mut places = vec![at];
        let mut next = 0;
        while let Some((directory, name)) = places.get(next).cloned() {
            next += 1;
            if let Some(id) = self.child(directory, &name)?.filter(|&id| self.is_directory(id)) {
                let below = self.directory(id)?.cached.keys().map(|name| (id, name.clone()));
                places.extend(below.collect::<Vec<_>>());
            }
        }
        places.into_iter().rev().take(limit as usize).try_for_each(|at| self.remove(at))
    }

    /// A directory and everything in it.
    pub(super) fn below(&self, directory: InodeId) -> Vec<InodeId> {
        let mut found = vec![directory];
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            next += 1;
            if let Some(Inode::Directory(directory)) = self.inodes.get(&id) {
                found.extend(directory.cached.values());
            }
        }
        found
    }

    /// Every file's path, in order.
    pub(super) fn paths(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut directories = vec![(String::new(), ROOT)];
        while let Some((path, id)) = directories.pop() {
            for (name, child) in self.directory(id).map(|d| d.cached.clone()).unwrap_or_default() {
                let path = format!("{path}/{name}");
                match self.is_directory(child) {
                    true => directories.push((path, child)),
                    false => found.push(path),
                }
            }
        }
        found.sort();
        found
    }
}
