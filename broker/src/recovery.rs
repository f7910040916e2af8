//! What a start does with the log directories before the doors open: in each of them every shard replays journals, opens its
//! logs, makes durable what it found, and only then are the journals written again. A directory in which any of that
//! fails goes offline, and the others go on (KIP-112).

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use ringlane_controller::ClusterImage;
use ringlane_reactor::{Disk, Queue};
use ringlane_storage::{
    Found, LogDirectory, LogKey, LogManager, PartitionDirectory, Recovered, Replayed, StorageError,
    keep, partition_directory_name, replay, replay_kept, stray_directory_name,
};
use tracing::{error, warn};

use crate::misnamed::Misnamed;
use crate::race::join_all;
use crate::shard::Shard;

/// A log directory that this broker holds.
pub(crate) struct OpenDirectory {
    /// Its place in `log.dirs`.
    pub(crate) index: usize,
    pub(crate) directory: LogDirectory,
    /// What lies in it.
    pub(crate) found: Found,
    /// What of that is not the log that it says: it is set aside.
    pub(crate) misnamed: Vec<Misnamed>,
    /// Logs in it that must not be opened, and why.
    pub(crate) refused: BTreeMap<LogKey, String>,
    pub(crate) recovered: Arc<Recovered>,
}

/// What every shard is told of a directory.
#[derive(Clone)]
pub(crate) struct FoundDirectory {
    /// Its place in `log.dirs`.
    pub(crate) index: usize,
    pub(crate) path: PathBuf,
    pub(crate) recovered: Arc<Recovered>,
    /// Logs in it that no shard opens.
    pub(crate) refused: Vec<LogKey>,
}

impl OpenDirectory {
    /// What every shard is to know of it.
    pub(crate) fn for_shards(&self) -> FoundDirectory {
        FoundDirectory {
            index: self.index,
            path: self.directory.path().to_path_buf(),
            recovered: self.recovered.clone(),
            refused: self.refused.keys().copied().collect(),
        }
    }

    pub(crate) fn new(index: usize, directory: LogDirectory) -> Self {
        let (found, misnamed, refused) = (Found::default(), Vec::new(), BTreeMap::new());
        Self { index, directory, found, misnamed, refused, recovered: Arc::default() }
    }

    /// Finishes deletions and looks what there is; what was never completely created goes.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn look(&mut self) -> Result<(), StorageError> {
        self.directory.remove_deleted().await?;
        self.found = self.directory.look().await?;
        let partitions = std::mem::take(&mut self.found.partitions);
        for partition in partitions {
            match partition.topic_id {
                Some(_) => self.found.partitions.push(partition),
                // Its creation was never answered, and nothing was ever acknowledged in it.
                None => self.directory.remove(&partition.path).await?,
            }
        }
        Ok(())
    }

    /// Reads the checkpoints, and has every shard write its share of the journals back into the logs.
    ///
    /// # Errors
    /// The disk's; damage to what is only ever replaced whole; damage that may concern any log.
    pub(crate) async fn recover(&mut self, shard: &Rc<Shard>) -> Result<(), String> {
        let disk = shard.reactor.disk();
        let path = self.directory.path().to_path_buf();
        let mut recovered = Recovered::read(&disk, &path).await.map_err(text)?;
        if !self.directory.was_left_cleanly() {
            let logs = self.found.partitions.iter().filter(|_| !self.directory.is_new());
            let logs = logs.map(|partition| &*partition.path);
            recovered.miss_checkpoints(&disk, &path, logs).await.map_err(text)?;
        }
        let not_refused = |partition: &&PartitionDirectory| {
            let id = partition.topic_id.expect("only whole ones are left");
            !self.refused.contains_key(&(id, partition.partition))
        };
        let partitions: Vec<_> =
            self.found.partitions.iter().filter(not_refused).cloned().collect();
        let share = Share {
            directory: path,
            recovered: Arc::new(recovered.clone()),
            partitions: Arc::new(partitions),
            was_left_cleanly: self.directory.was_left_cleanly(),
        };
        let (mut all, partitions) = (recovered, share.partitions.clone());
        let replay = move |shard: &Rc<Shard>| {
            let (shard, share) = (shard.clone(), share.clone());
            async move {
                // Before anything is written.
                let watched = shard.reactor.disk().watch_file_system(&share.directory).await;
                watched.map_err(text)?;
                share.replay(&shard).await.map_err(text)
            }
        };
        for replayed in shard.router.call_all(shard, replay).await {
            replayed?.into_iter().for_each(|replayed| all.merge(replayed));
        }
        replay_kept(&disk, &mut all, &partitions).await.map_err(text)?;
        all.take_loss(self.directory.path())?;
        self.recovered = Arc::new(all);
        Ok(())
    }

    /// Renames directories of topics that the cluster does not have, and those that are not the log that they say, so that they
    /// are neither served nor lost.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn set_aside(
        &mut self,
        shard: &Shard,
        image: &ClusterImage,
    ) -> Result<(), StorageError> {
        let is_known = |found: &PartitionDirectory| {
            found.topic_id.is_some_and(|id| image.topic_by_id(id).is_some())
        };
        let (known, strays): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.found.partitions).into_iter().partition(is_known);
        self.found.partitions = known;
        let strays = strays.into_iter().map(|stray| {
            let name = partition_directory_name(&stray.topic, stray.partition);
            let id = stray.topic_id.expect("only whole ones are left");
            let said = format!(
                "{name} belongs to a topic ({id}) that the cluster does not have: it is set aside"
            );
            (stray, said)
        });
        let misnamed = std::mem::take(&mut self.misnamed).into_iter().map(|misnamed| {
            let said = format!("{}: it is set aside, unread,", misnamed.sentence());
            (misnamed.directory, said)
        });
        let aside: Vec<_> = strays.chain(misnamed).collect();
        match aside.is_empty() {
            true => Ok(()),
            false => self.rename_aside(&shard.reactor.disk(), aside).await,
        }
    }

    /// Renames them, each with what is said of it, to names that are free.
    async fn rename_aside(
        &self,
        disk: &Disk,
        aside: Vec<(PartitionDirectory, String)>,
    ) -> Result<(), StorageError> {
        let parent = self.directory.path();
        let io = |tried, path: &Path| {
            let path = path.to_path_buf();
            move |source| StorageError::Io { tried, path, source }
        };
        // What the journals had of strays is in their files: for good, before they lose the name that journals know.
        disk.sync_file_system(parent).await.map_err(io("sync the file system of", parent))?;
        let names = disk.list(parent).await.map_err(io("list", parent))?;
        let mut taken: BTreeSet<String> = names.into_iter().map(|entry| entry.name).collect();
        for (found, said) in aside {
            let name = partition_directory_name(&found.topic, found.partition);
            let id = found.topic_id.expect("only whole ones are left");
            let mut names = (1..).map(|nth| stray_directory_name(&name, id, nth));
            let free = names.find(|name| !taken.contains(name)).expect("there are many numbers");
            warn!("{said} as {free}");
            let renamed = disk.rename(&found.path, &parent.join(&free)).await;
            renamed.map_err(io("rename", &found.path))?;
            taken.insert(free);
        }
        disk.sync_dir(parent).await.map_err(io("sync", parent))
    }

    /// Keeps what the journals hold of the logs in `offline`, before they are written over.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn keep(
        &self,
        shard: &Shard,
        offline: &BTreeMap<LogKey, String>,
    ) -> Result<(), StorageError> {
        if offline.is_empty() {
            return Ok(());
        }
        let (disk, path) = (shard.reactor.disk(), self.directory.path());
        for kept in keep(&disk, path, &self.recovered, offline).await? {
            let ((id, partition), file) = (kept.key, kept.path.display());
            let what_to_do = match kept.is_lossy {
                true => "remove that file to serve the log without the records that are lost",
                false => "a start that can open the log puts them back",
            };
            error!(
                "what the journal held of partition {partition} of topic {id}, which is offline, is kept in {file}: {what_to_do}"
            );
        }
        Ok(())
    }

    /// Ends what was accepted for this start, before a journal is begun anew.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn end_acceptance(&self, shard: &Shard) -> Result<(), StorageError> {
        self.recovered.end_acceptance(&shard.reactor.disk(), self.directory.path()).await
    }

    /// Removes what nobody needs any more, after every journal was begun anew.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn remove_leftovers(
        &self,
        shard: &Shard,
        offline: &BTreeMap<LogKey, String>,
    ) -> Result<(), StorageError> {
        let (disk, shards) = (shard.reactor.disk(), shard.reactor.shard_count());
        self.recovered.remove_kept(&disk, offline).await?;
        self.recovered.remove_leftovers(&disk, self.directory.path(), shards).await
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// What each shard needs for its share.
#[derive(Clone)]
struct Share {
    directory: PathBuf,
    recovered: Arc<Recovered>,
    partitions: Arc<Vec<PartitionDirectory>>,
    was_left_cleanly: bool,
}

impl Share {
    async fn replay(&self, shard: &Shard) -> Result<Vec<Replayed>, StorageError> {
        let (own, shards) = (shard.reactor.shard().0, shard.reactor.shard_count());
        // One directory after the other, and no log is open yet.
        let files = shard.descriptors.logs_of_each(shards, 1);
        let mut all = Vec::new();
        for journal in self.recovered.journals_for(own, shards, self.was_left_cleanly) {
            let (recovered, partitions) = (&self.recovered, &self.partitions);
            let (reactor, directory) = (&shard.reactor, &self.directory);
            all.push(replay(reactor, directory, recovered, partitions, journal, files).await?);
        }
        Ok(all)
    }
}

/// Has every shard `act` on its part of every directory that is online there; the directories where that failed, and why.
pub(crate) async fn everywhere<F>(
    shard: &Rc<Shard>,
    act: impl Fn(LogManager) -> F + Clone + Send + 'static,
) -> Vec<(usize, String)>
where
    F: Future<Output = Result<(), StorageError>> + 'static,
{
    let act = move |shard: &Rc<Shard>| {
        let (shard, act) = (shard.clone(), act.clone());
        async move {
            let online =
                shard.partitions.directories().filter(|(_, logs)| logs.is_offline().is_none());
            let acting = online.map(|(index, logs)| {
                let acting = act(logs.clone());
                let act = async move { acting.await.err().map(|error| (index, error.to_string())) };
                shard.reactor.spawn(Queue::Client, act)
            });
            let failed = join_all(acting.collect()).await;
            failed.into_iter().flatten().collect::<Vec<_>>()
        }
    };
    shard.router.call_all(shard, act).await.into_iter().flatten().collect()
}
