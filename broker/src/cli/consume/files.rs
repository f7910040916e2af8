//! Records as files: each value below one directory, under its key as path.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use ringlane_batch::Record;
use ringlane_reactor::{Disk, OpenOptions, Reactor};

use crate::cli::failure::Failure;

pub(super) struct Files {
    disk: Disk,
    directory: PathBuf,
    /// Directories that are there.
    made: BTreeSet<PathBuf>,
    /// Not written yet.
    pending: Vec<(PathBuf, Vec<u8>)>,
}

impl Files {
    pub(super) async fn open(reactor: &Reactor, directory: &Path) -> Result<Self, Failure> {
        let disk = reactor.disk();
        disk.create_dir_all(directory).await.map_err(|error| failed(directory, &error))?;
        let made = BTreeSet::from([directory.to_owned()]);
        Ok(Self { disk, directory: directory.to_owned(), made, pending: Vec::new() })
    }

    /// Takes a record. One without value deletes nothing and makes no file.
    pub(super) fn add(&mut self, place: (&str, i32), record: &Record<'_>) -> Result<(), Failure> {
        let Some(value) = record.value else { return Ok(()) };
        let own_name = format!("{}-{}-{}", place.0, place.1, record.offset);
        let path = match record.key {
            None => PathBuf::from(&own_name),
            Some(key) => safe_path(key).ok_or_else(|| {
                let key = String::from_utf8_lossy(key);
                Failure::Failed(format!(
                    "the key {key:?} of record {own_name} is no path below a directory: leave out --output to read it"
                ))
            })?,
        };
        self.pending.push((self.directory.join(path), value.to_vec()));
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        for (path, value) in std::mem::take(&mut self.pending) {
            if let Some(parent) = path.parent()
                && !self.made.contains(parent)
            {
                self.disk.create_dir_all(parent).await.map_err(|error| failed(parent, &error))?;
                self.made.insert(parent.to_owned());
            }
            let file = self.disk.open(&path, OpenOptions::CREATE_EMPTY).await;
            let written = file.and_then(|file| file.write_at(&value, 0));
            written.map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("cannot write {}: {error}; choose another --output", path.display()))
}

/// A key as a path that stays below where it begins: relative, of names alone.
fn safe_path(key: &[u8]) -> Option<PathBuf> {
    let path = Path::new(std::str::from_utf8(key).ok().filter(|key| !key.contains('\0'))?);
    let is_name = |component: Component<'_>| matches!(component, Component::Normal(_));
    let is_safe = path.components().all(is_name) && path.components().next().is_some();
    is_safe.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_directory_are_taken() {
        assert_eq!(safe_path(b"a/b.txt"), Some("a/b.txt".into()));
        for bad in [&b""[..], b"/etc/passwd", b"../x", b"a/../../x", b"./a", b"a\0b", b"\xff"] {
            assert_eq!(safe_path(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
