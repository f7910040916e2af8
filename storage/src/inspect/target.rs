//! What a path leads to: a data directory, a partition's directory, or one of the files in it.

use std::io;
use std::path::{Path, PathBuf};

use ringlane_batch::{Offset, PartitionIndex};
use ringlane_reactor::{DirEntry, Disk, FileLock};

use crate::error::StorageError;
use crate::meta_properties;
use crate::names::{Kind, parse_partition_directory};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A broker's data directory, with the partitions in it, by name.
    DataDirectory(Vec<PartitionPath>),
    /// One partition's directory.
    Partition(PartitionPath),
    /// One file.
    File(PathBuf, FileKind),
}

/// A partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionPath {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: PartitionIndex,
    /// Where it is.
    pub path: PathBuf,
}

/// A kind of file that can be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `.log`
    Segment,
    /// `.index`
    OffsetIndex,
    /// `.timeindex`
    TimeIndex,
    /// `.snapshot`
    ProducerSnapshot,
}

impl FileKind {
    /// Of the file called `name`, with the offset that names it; `None` when it is none of these.
    fn parse(name: &str) -> Option<(Offset, Self)> {
        let (kind, offset) = Kind::parse(name)?;
        let kind = match kind {
            Kind::Log => Self::Segment,
            Kind::OffsetIndex => Self::OffsetIndex,
            Kind::TimeIndex => Self::TimeIndex,
            Kind::ProducerSnapshot => Self::ProducerSnapshot,
        };
        Some((offset, kind))
    }
}

impl Target {
    /// Looks at what is there.
    ///
    /// # Errors
    /// The disk's; `Foreign` when nothing of a broker's is there.
    pub async fn of(disk: &Disk, path: &Path) -> Result<Self, StorageError> {
        let metadata = disk.metadata(path).await.map_err(StorageError::io("look at", path))?;
        let foreign = |reason: &str| {
            Err(StorageError::Foreign { path: path.to_path_buf(), reason: reason.to_string() })
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !metadata.is_dir {
            return match FileKind::parse(name) {
                Some((_, kind)) => Ok(Self::File(path.to_path_buf(), kind)),
                None => {
                    foreign("is no .log, .index, .timeindex or .snapshot file named by its offset")
                }
            };
        }
        let names = disk.list(path).await.map_err(StorageError::io("list", path))?;
        if is_partition(&names) {
            return Ok(Self::Partition(PartitionPath::of(path)));
        }
        let partitions: Vec<PartitionPath> = names
            .iter()
            .filter(|entry| entry.is_dir)
            .filter(|entry| parse_partition_directory(&entry.name).is_some_and(is_brokers))
            .map(|entry| PartitionPath::of(&path.join(&entry.name)))
            .collect();
        let is_data = names.iter().any(|entry| entry.name == "meta.properties");
        if partitions.is_empty() && !is_data {
            return foreign("is neither a data directory nor a partition's");
        }
        Ok(Self::DataDirectory(partitions))
    }
}

/// Whether `names` are those of a log's directory.
pub(super) fn is_partition(names: &[DirEntry]) -> bool {
    names.iter().any(|entry| {
        entry.name == "partition.metadata"
            || matches!(Kind::parse(&entry.name), Some((Kind::Log, _)))
    })
}

/// The controller's own log has Kafka's name for it, and is none of a broker's partitions.
fn is_brokers((topic, _): (&str, PartitionIndex)) -> bool {
    topic != "__cluster_metadata"
}

impl PartitionPath {
    /// A copy may have any name: then that is the topic's, too. A path such as "." has none: the directory has.
    fn of(path: &Path) -> Self {
        let resolved = path.file_name().is_none().then(|| path.canonicalize().ok()).flatten();
        let name = resolved.as_deref().unwrap_or(path);
        let name = name.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (topic, partition) =
            parse_partition_directory(name).unwrap_or((name, PartitionIndex(0)));
        Self { topic: topic.to_string(), partition, path: path.to_path_buf() }
    }

    /// The files in it that can be inspected, in order of the offsets that name them.
    ///
    /// # Errors
    /// The disk's.
    pub async fn files(&self, disk: &Disk) -> Result<Vec<(PathBuf, FileKind)>, StorageError> {
        let names = disk.list(&self.path).await.map_err(StorageError::io("list", &self.path))?;
        let known = names.into_iter().filter(|entry| !entry.is_dir).filter_map(|entry| {
            FileKind::parse(&entry.name).map(|(offset, kind)| ((offset, kind), entry.name))
        });
        let mut files: Vec<_> = known.collect();
        files.sort();
        Ok(files.into_iter().map(|((_, kind), name)| (self.path.join(name), kind)).collect())
    }
}

/// Takes the lock that a running broker holds on its data directory, where `dir` is one or lies in one: `None` where
/// there is no lock file.
///
/// # Errors
/// `InUse` while a broker runs, else the disk's.
pub async fn lock(disk: &Disk, dir: &Path) -> Result<Option<FileLock>, StorageError> {
    // Not `parent()`: `dir` may be "." or lead through a link.
    let is_data = disk.metadata(&meta_properties::path(dir)).await.is_ok();
    let directory = if is_data { dir.to_path_buf() } else { dir.join("..") };
    let path = directory.join(".lock");
    if disk.metadata(&path).await.is_err() {
        return Ok(None);
    }
    match disk.lock(&path).await {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(StorageError::InUse(directory))
        }
        Err(error) => Err(StorageError::io("lock", &path)(error)),
    }
}
