//! The file system that is looked at: the machine's own, or a directory that holds a recorded one. Nothing is read or
//! written outside of it, whatever symbolic links it holds.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

/// The longest file that is read. /proc/interrupts of a machine with 512 CPUs and thousands of interrupts is the largest.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// The longest file that is a setting: a page, which /sys never exceeds, and room for what people write under /etc.
const SETTING_BYTES_MAX: usize = 64 << 10;

/// A file system; paths in it are absolute, as on the machine that it is or was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    path: PathBuf,
}

/// Why a file was not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unread {
    /// There is none: this machine does not have it.
    Missing,
    /// It is there; the reason in words.
    Unreadable(String),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // ENOENT, ENOTDIR; and what files of /sys answer for a thing that the device does not do.
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidInput => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Unreadable("permission denied".into()),
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

impl Default for Root {
    fn default() -> Self {
        Self { path: PathBuf::from("/") }
    }
}

impl Root {
    /// The file system under `path`.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        if !path.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path })
    }

    /// Whether it is the machine itself.
    pub fn is_machine(&self) -> bool {
        self.path == Path::new("/")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where `path` of the file system lies for this process.
    fn place(&self, path: &str) -> PathBuf {
        let inside = Path::new(path).components().filter(|c| matches!(c, Component::Normal(_)));
        inside.fold(self.path.clone(), |place, name| place.join(name))
    }

    /// The same with symbolic links followed; an error where they lead out of the root.
    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let place = fs::canonicalize(self.place(path))?;
        self.must_hold(place)
    }

    fn must_hold(&self, place: PathBuf) -> io::Result<PathBuf> {
        if place.starts_with(&self.path) {
            return Ok(place);
        }
        let outside = format!("{} leads out of {}", place.display(), self.path.display());
        Err(io::Error::other(outside))
    }

    /// Whether there is such a file or directory.
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path).is_ok()
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, Unread> {
        let place = self.resolve(path)?;
        if !place.is_file() {
            return Err(Unread::Unreadable("not a file".into()));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(place)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(Unread::Unreadable(format!("longer than {} MiB", FILE_BYTES_MAX >> 20)));
        }
        Ok(bytes)
    }

    /// The whole of a file as text; bytes that are none become U+FFFD.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn text(&self, path: &str) -> Result<String, Unread> {
        Ok(String::from_utf8_lossy(&self.bytes(path)?).into_owned())
    }

    /// What a file that holds one setting says, without the blanks around it.
    ///
    /// # Errors
    /// [`Unread`]; also for a file that is empty, or longer than any setting.
    pub fn setting(&self, path: &str) -> Result<String, Unread> {
        let text = self.text(path)?;
        if text.len() > SETTING_BYTES_MAX {
            return Err(Unread::Unreadable("too long for a setting".into()));
        }
        match text.trim() {
            "" => Err(Unread::Unreadable("empty".into())),
            text => Ok(text.to_owned()),
        }
    }

    /// The names in a directory, in order of the numbers in them (`cpu2` before `cpu10`); none where there is none.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = self.resolve(path).and_then(fs::read_dir);
        let entries = entries.into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_by_cached_key(|name| natural_key(name));
        names
    }

    /// The last component of what a symbolic link names.
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.place(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// The names above and of the file that `path` is, once symbolic links are followed, from the root down.
    pub fn real_names(&self, path: &str) -> Vec<String> {
        let place = self.resolve(path).unwrap_or_default();
        let inside = place.strip_prefix(&self.path).unwrap_or(Path::new(""));
        inside.iter().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// Overwrites a file that exists, in one write as files of /proc and /sys want it.
    ///
    /// # Errors
    /// As open(2) and write(2).
    pub fn overwrite(&self, path: &str, content: &[u8]) -> io::Result<()> {
        let place = self.resolve(path)?;
        if !place.is_file() {
            return Err(io::Error::other("not a file"));
        }
        let mut file = OpenOptions::new().write(true).truncate(true).open(place)?;
        file.write_all(content)
    }

    /// Replaces or makes a file so that a crash leaves the old or the new one, and the directories above it that are
    /// missing.
    ///
    /// # Errors
    /// Of any of the steps.
    pub fn replace(&self, path: &str, content: &[u8]) -> io::Result<()> {
        let place = self.place(path);
        let parent = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.make_directories(parent)?;
        let temporary = place.with_extension("ringlane-tmp");
        let mut file = fs::File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, &place)?;
        fs::File::open(parent)?.sync_all()
    }

    fn make_directories(&self, directory: &Path) -> io::Result<()> {
        let existing = directory.ancestors().find(|ancestor| ancestor.exists());
        self.must_hold(fs::canonicalize(existing.unwrap_or(&self.path))?)?;
        fs::create_dir_all(directory)
    }

    /// The directories above `path` that are missing, the lowest first.
    pub(crate) fn missing_directories(&self, path: &str) -> Vec<String> {
        let ancestors = Path::new(path).ancestors().skip(1);
        let missing =
            ancestors.take_while(|ancestor| !self.place(&ancestor.to_string_lossy()).exists());
        missing.map(|ancestor| ancestor.to_string_lossy().into_owned()).collect()
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As unlink(2), except that a file that is gone is fine.
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        let place = self.place(path);
        let Some(parent) = place.parent().filter(|parent| parent.exists()) else { return Ok(()) };
        self.must_hold(fs::canonicalize(parent)?)?;
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a directory that is empty; keeps any other.
    pub(crate) fn remove_if_empty(&self, path: &str) {
        if let Ok(place) = self.resolve(path) {
            let _ = fs::remove_dir(place);
        }
    }
}

/// A name cut into text and numbers.
fn natural_key(name: &str) -> Vec<(String, u64)> {
    let mut key = vec![(String::new(), 0_u64)];
    let mut in_number = false;
    for c in name.chars() {
        if let Some(digit) = c.to_digit(10) {
            let number = &mut key.last_mut().expect("never empty").1;
            *number = number.saturating_mul(10).saturating_add(digit.into());
            in_number = true;
        } else {
            if std::mem::take(&mut in_number) {
                key.push((String::new(), 0));
            }
            key.last_mut().expect("never empty").0.push(c);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_their_numbers() {
        let mut names = ["cpu10", "cpu2", "cpufreq", "cpu", "7", "cpu2a"];
        names.sort_by_cached_key(|name| natural_key(name));
        assert_eq!(names, ["7", "cpu", "cpu2", "cpu2a", "cpu10", "cpufreq"]);
    }

    #[test]
    fn a_path_stays_below_the_root() {
        let root = Root { path: PathBuf::from("/recorded") };
        assert_eq!(root.place("/proc/../../etc/./passwd"), Path::new("/recorded/proc/etc/passwd"));
        assert!(root.must_hold(PathBuf::from("/etc/passwd")).is_err());
        assert!(root.must_hold(PathBuf::from("/recorded/etc")).is_ok());
    }
}
