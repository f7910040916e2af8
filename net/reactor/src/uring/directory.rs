//! Names on disk: directories, renames, removals. Through the ring, which hands them to a kernel worker.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use io_uring::squeue::Entry;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{opcode, types};

use super::Shard;
use super::file::{c_path, open, sync};
use crate::file::{DirEntry, Metadata};

const HERE: Fd = Fd(libc::AT_FDCWD);

impl Shard {
    pub(crate) async fn create_dir_all(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        // Upwards to the first directory that can be made or is there, then down again.
        let mut missing = vec![path];
        while let Some(&path) = missing.last() {
            match self.create_dir(path).await {
                Ok(()) => missing.pop(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                    missing.push(parent.ok_or(error)?);
                    continue;
                }
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// One directory; an existing one is fine.
    async fn create_dir(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        let name = c_path(path)?;
        let create = opcode::MkDirAt::new(HERE, name.as_ptr()).mode(0o777).build();
        match self.on_paths(create, [name]).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if self.metadata(path).await?.is_dir { Ok(()) } else { Err(error) }
            }
            created => created,
        }
    }

    pub(crate) async fn rename(self: &Rc<Self>, from: &Path, to: &Path) -> io::Result<()> {
        let names = [c_path(from)?, c_path(to)?];
        let rename = opcode::RenameAt::new(HERE, names[0].as_ptr(), HERE, names[1].as_ptr());
        self.on_paths(rename.build(), names).await
    }

    pub(crate) async fn remove_file(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.unlink(path, 0).await
    }

    pub(crate) async fn remove_dir_all(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        // Each directory is looked at twice: to remove the files and find the directories in it, and, those being gone, to
        // be removed itself.
        let mut left: Vec<(PathBuf, bool)> = vec![(path.to_path_buf(), false)];
        while let Some((directory, emptied)) = left.pop() {
            if emptied {
                self.unlink(&directory, libc::AT_REMOVEDIR).await?;
                continue;
            }
            left.push((directory.clone(), true));
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    left.push((entry.path(), false));
                } else {
                    self.unlink(&entry.path(), 0).await?;
                }
            }
        }
        Ok(())
    }

    async fn unlink(self: &Rc<Self>, path: &Path, flags: i32) -> io::Result<()> {
        let name = c_path(path)?;
        let unlink = opcode::UnlinkAt::new(HERE, name.as_ptr()).flags(flags).build();
        self.on_paths(unlink, [name]).await
    }

    /// Runs an operation that points to `paths` and to nothing else.
    async fn on_paths<const N: usize>(
        self: &Rc<Self>,
        entry: Entry,
        paths: [CString; N],
    ) -> io::Result<()> {
        // SAFETY: the paths are on the heap and belong to the operation.
        unsafe { self.start(entry, paths) }.await.0.map(drop)
    }

    pub(crate) async fn list(self: &Rc<Self>, path: &Path) -> io::Result<Vec<DirEntry>> {
        // readdir(3) has no operation in the ring.
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            let len = match kind.is_file().then(|| entry.metadata()).transpose() {
                Ok(metadata) => metadata.map_or(0, |metadata| metadata.len()),
                // Removed since it was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let (is_dir, is_link) = (kind.is_dir(), kind.is_symlink());
            names.push(DirEntry { name, is_dir, is_link, len });
        }
        names.sort();
        Ok(names)
    }

    pub(crate) async fn metadata(self: &Rc<Self>, path: &Path) -> io::Result<Metadata> {
        let name = c_path(path)?;
        // SAFETY: a statx of zeros is a value of that type, to be overwritten.
        let mut stat: Box<libc::statx> = Box::new(unsafe { std::mem::zeroed() });
        let target = (&raw mut *stat).cast::<types::statx>();
        let statx = opcode::Statx::new(HERE, name.as_ptr(), target);
        let statx = statx.mask(libc::STATX_TYPE | libc::STATX_SIZE).build();
        // SAFETY: the path and the boxed answer belong to the operation.
        let (found, (_, stat)) = unsafe { self.start(statx, (name, stat)) }.await;
        found?;
        let is_dir = u32::from(stat.stx_mode) & libc::S_IFMT == libc::S_IFDIR;
        Ok(Metadata { len: stat.stx_size, is_dir })
    }

    pub(crate) async fn sync_dir(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        // The parent of a plain name is the current directory.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let directory = open(self, path, libc::O_RDONLY | libc::O_DIRECTORY).await?;
        sync(self, Arc::new(directory), FsyncFlags::empty()).await
    }
}
