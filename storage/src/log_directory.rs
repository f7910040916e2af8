//! The data directory of a broker: locked against others, identified by `meta.properties`, full of partition
//! directories, and marked when it was left cleanly.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use ringlane_batch::{PartitionIndex, TopicId};
use ringlane_reactor::{Disk, FileLock, Queue, Reactor};

use crate::error::StorageError;
use crate::journal::wait_for_late_writes;
use crate::meta_properties::{self, MetaProperties};
use crate::names::{is_deleted_directory, parse_partition_directory};
use crate::partition_metadata;
use crate::shard_checkpoint::journal_directory;

const FILE_BYTES_MAX: u64 = 1 << 20;
/// So many small files are read at the same time.
const READS_AT_ONCE: usize = 64;

/// A partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDirectory {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: PartitionIndex,
    /// Where it is.
    pub path: PathBuf,
    /// The topic's id; `None` when the log was never completely created: [`LogDirectory::remove`] it.
    pub topic_id: Option<TopicId>,
}

/// What a log directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The directories of all partitions, by name.
    pub partitions: Vec<PartitionDirectory>,
    /// Partitions whose directories do not say whose they are: their `partition.metadata` is damaged, or missing beside
    /// records. They stay as they are.
    pub unnamed: Vec<(String, PartitionIndex)>,
}

/// A data directory that this process holds. Lives on one shard; the logs in it may live on any.
pub struct LogDirectory {
    reactor: Reactor,
    disk: Disk,
    path: PathBuf,
    meta: MetaProperties,
    is_new: bool,
    was_left_cleanly: bool,
    _lock: FileLock,
}

impl LogDirectory {
    /// Takes the directory for the node `node_id`: creates, locks and identifies it. Without a `cluster_id` the
    /// directory's own is taken, or drawn for a new one. Forgets, durably, that it was left cleanly.
    ///
    /// # Errors
    /// One sentence that says what to do: in use, not writable, another node's or cluster's, a newer version's.
    pub async fn open(
        reactor: &Reactor,
        path: &Path,
        node_id: i32,
        cluster_id: Option<&str>,
    ) -> Result<Self, StorageError> {
        let disk = reactor.disk();
        let not_writable = |source| StorageError::NotWritable { path: path.to_path_buf(), source };
        create_durably(&disk, path).await.map_err(not_writable)?;
        let lock = match disk.lock(&path.join(".lock")).await {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(StorageError::InUse(path.to_path_buf()));
            }
            Err(error) => return Err(not_writable(error)),
        };
        let is_new = is_missing(&disk, &meta_properties::path(path)).await?;
        let meta = identify(reactor, &disk, path, node_id, cluster_id).await?;
        wait_for_late_writes(reactor, &journal_directory(path)).await?;
        let was_left_cleanly = take_clean_shutdown(&disk, path).await?;
        let (reactor, path) = (reactor.clone(), path.to_path_buf());
        Ok(Self { reactor, disk, path, meta, is_new, was_left_cleanly, _lock: lock })
    }

    /// Whose directory `path` is, as far as it can be read; `None` for one that is new, or cannot be read.
    pub async fn identity(reactor: &Reactor, path: &Path) -> Option<MetaProperties> {
        let path = meta_properties::path(path);
        let text = reactor.disk().read(&path, FILE_BYTES_MAX).await.ok()?;
        MetaProperties::decode(&path, &text).ok()
    }

    /// Remembers, durably, the broker's other log directories.
    ///
    /// # Errors
    /// The disk's.
    pub async fn remember_others(&mut self, ids: BTreeSet<TopicId>) -> Result<(), StorageError> {
        if self.meta.other_directory_ids == ids {
            return Ok(());
        }
        let meta = MetaProperties { other_directory_ids: ids, ..self.meta.clone() };
        let path = meta_properties::path(&self.path);
        let written = self.disk.replace(&path, meta.encode().as_bytes()).await;
        written.map_err(StorageError::io("write", &path))?;
        self.meta = meta;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub fn meta(&self) -> &MetaProperties {
        &self.meta
    }

    /// Whether nothing said whose it is before it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether the last stop was clean: the checkpoints of the shards are then all there is to know.
    pub fn was_left_cleanly(&self) -> bool {
        self.was_left_cleanly
    }

    /// The directories of all partitions, by name.
    ///
    /// # Errors
    /// The disk's.
    pub async fn partitions(&self) -> Result<Vec<PartitionDirectory>, StorageError> {
        Ok(self.look().await?.partitions)
    }

    /// Everything in it.
    ///
    /// # Errors
    /// The disk's.
    pub async fn look(&self) -> Result<Found, StorageError> {
        let names = self.directories().await?;
        let named = names.iter().filter_map(|name| {
            // The controller's own log has Kafka's name for it, and is none of a broker's partitions.
            let (topic, partition) =
                parse_partition_directory(name).filter(|found| found.0 != "__cluster_metadata")?;
            let (topic, path) = (topic.to_string(), self.path.join(name));
            Some(PartitionDirectory { topic, partition, path, topic_id: None })
        });
        let disk = self.disk.clone();
        let identify = async move |found: PartitionDirectory| {
            let topic_id = partition_metadata::topic_of(&disk, &found.path).await;
            (found, topic_id)
        };
        let identified =
            self.reactor.for_each(Queue::Client, READS_AT_ONCE, named.collect(), identify);
        let mut found = Found::default();
        for (partition, topic_id) in identified.await {
            match topic_id {
                Err(StorageError::Corrupt { .. }) => {
                    found.unnamed.push((partition.topic, partition.partition));
                }
                topic_id => {
                    let topic_id = topic_id?;
                    found.partitions.push(PartitionDirectory { topic_id, ..partition });
                }
            }
        }
        Ok(found)
    }

    /// Removes what interrupted deletions left. Gives back how many there were.
    ///
    /// # Errors
    /// The disk's.
    pub async fn remove_deleted(&self) -> Result<usize, StorageError> {
        let names = self.directories().await?;
        let deleted: Vec<_> = names.into_iter().filter(|name| is_deleted_directory(name)).collect();
        for name in &deleted {
            self.remove(&self.path.join(name)).await?;
        }
        Ok(deleted.len())
    }

    /// Removes a partition's directory whose log is not open.
    ///
    /// # Errors
    /// The disk's.
    pub async fn remove(&self, partition: &Path) -> Result<(), StorageError> {
        assert_eq!(partition.parent(), Some(&*self.path), "only directories in here are removed");
        let removed = self.disk.remove_dir_all(partition).await;
        removed.map_err(StorageError::io("remove", partition))
    }

    /// Marks the directory as left cleanly and lets go of it. Every log must have been closed.
    ///
    /// # Errors
    /// The disk's.
    pub async fn close(self) -> Result<(), StorageError> {
        let marker = marker_path(&self.path);
        let content = br#"{"version":0,"brokerEpoch":-1}"#;
        self.disk.replace(&marker, content).await.map_err(StorageError::io("write", &marker))
    }

    async fn directories(&self) -> Result<Vec<String>, StorageError> {
        let entries = self.disk.list(&self.path).await;
        let entries = entries.map_err(StorageError::io("list", &self.path))?;
        Ok(entries.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name).collect())
    }
}

/// Creates a directory and those above it that are missing, and makes all their names durable: also those that an
/// interrupted start may have made.
async fn create_durably(disk: &Disk, path: &Path) -> io::Result<()> {
    disk.create_dir_all(path).await?;
    for parent in path.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match disk.sync_dir(parent).await {
            // Not ours to read, hence not made by us.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn marker_path(dir: &Path) -> PathBuf {
    dir.join(".kafka_cleanshutdown")
}

/// Reads `meta.properties`, or writes it into a new directory.
async fn identify(
    reactor: &Reactor,
    disk: &Disk,
    dir: &Path,
    node_id: i32,
    cluster_id: Option<&str>,
) -> Result<MetaProperties, StorageError> {
    let path = meta_properties::path(dir);
    match disk.read(&path, FILE_BYTES_MAX).await {
        Ok(text) => {
            let meta = MetaProperties::decode(&path, &text)?;
            meta.check(&path, node_id, cluster_id)?;
            // A killed process may have left the name in memory alone, and others are about to remember these ids.
            disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir))?;
            Ok(meta)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let drawn = || random_id(reactor);
            let cluster_id = cluster_id.map_or_else(|| drawn().to_string(), str::to_string);
            let (directory_id, other_directory_ids) = (drawn(), BTreeSet::new());
            let meta = MetaProperties { cluster_id, node_id, directory_id, other_directory_ids };
            let written = disk.replace(&path, meta.encode().as_bytes()).await;
            let not_writable = |source| StorageError::NotWritable { path: dir.into(), source };
            written.map_err(not_writable)?;
            Ok(meta)
        }
        Err(error) => Err(StorageError::io("read", &path)(error)),
    }
}

fn random_id(reactor: &Reactor) -> TopicId {
    loop {
        let bits = u128::from(reactor.random_u64()) << 64 | u128::from(reactor.random_u64());
        if let Some(id) = TopicId::from_random(bits.to_be_bytes()) {
            return id;
        }
    }
}

/// Whether there is the marker of a clean stop.
pub(crate) async fn was_left_cleanly(disk: &Disk, dir: &Path) -> Result<bool, StorageError> {
    Ok(!is_missing(disk, &marker_path(dir)).await?)
}

/// Whether there is no such file.
pub(crate) async fn is_missing(disk: &Disk, path: &Path) -> Result<bool, StorageError> {
    match disk.metadata(path).await {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(StorageError::io("look at", path)(error)),
    }
}

/// Whether there is the marker of a clean stop; removes it, so that the next start knows only its own stop.
async fn take_clean_shutdown(disk: &Disk, dir: &Path) -> Result<bool, StorageError> {
    let marker = marker_path(dir);
    if !was_left_cleanly(disk, dir).await? {
        return Ok(false);
    }
    disk.remove_file(&marker).await.map_err(StorageError::io("remove", &marker))?;
    disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir))?;
    Ok(true)
}
