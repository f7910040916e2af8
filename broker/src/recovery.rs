//! What a start does with the log directory before the doors open: every shard replays journals, opens its logs, makes durable
//! what it found, and only then are the journals written again.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ringlane_storage::{
    LogDirectory, PartitionDirectory, Recovered, Replayed, StorageError, replay,
};

use crate::server::{StartError, failed};
use crate::shard::Shard;

/// Reads the checkpoints, and has every shard write its share of the journals back into the logs in `partitions`.
///
/// # Errors
/// The disk's, and damage to what is only ever replaced whole.
pub(crate) async fn recover(
    shard: &Rc<Shard>,
    directory: &LogDirectory,
    partitions: Vec<PartitionDirectory>,
) -> Result<Arc<Recovered>, StartError> {
    let disk = shard.reactor.disk();
    let recovered = Recovered::read(&disk, directory.path()).await.map_err(failed)?;
    let share = Share {
        directory: directory.path().to_path_buf(),
        recovered: Arc::new(recovered.clone()),
        partitions: Arc::new(partitions),
        was_left_cleanly: directory.was_left_cleanly(),
    };
    let replay = move |shard: &Rc<Shard>| {
        let (shard, share) = (shard.clone(), share.clone());
        async move {
            // Before anything is written.
            let watched = shard.reactor.disk().watch_file_system(&share.directory).await;
            watched.map_err(|error| error.to_string())?;
            share.replay(&shard).await.map_err(|error| error.to_string())
        }
    };
    let mut all = recovered;
    for replayed in shard.router.call_all(shard, replay).await {
        replayed.map_err(failed)?.into_iter().for_each(|replayed| all.merge(replayed));
    }
    Ok(Arc::new(all))
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
        let mut all = Vec::new();
        for journal in self.recovered.journals_for(own, shards, self.was_left_cleanly) {
            let (recovered, partitions) = (&self.recovered, &self.partitions);
            let (reactor, directory) = (&shard.reactor, &self.directory);
            all.push(replay(reactor, directory, recovered, partitions, journal).await?);
        }
        Ok(all)
    }
}

/// Tells every shard where partitions live and what was found there.
pub(crate) async fn tell_what_was_found(
    shard: &Rc<Shard>,
    directory: &LogDirectory,
    recovered: &Arc<Recovered>,
) {
    let (directory, recovered) = (directory.path().to_path_buf(), recovered.clone());
    let tell = move |shard: &Rc<Shard>| {
        shard.partitions.found(shard, &directory, recovered.clone());
        std::future::ready(())
    };
    shard.router.call_all(shard, tell).await;
}

/// Has every shard make durable what was replayed, and when all have, lets them write their journals anew.
///
/// # Errors
/// The disk's.
pub(crate) async fn begin_writing(
    shard: &Rc<Shard>,
    directory: &LogDirectory,
    recovered: &Recovered,
) -> Result<(), StartError> {
    let settle = |shard: &Rc<Shard>| {
        let logs = shard.partitions.logs().clone();
        async move { logs.settle().await.map_err(|error| error.to_string()) }
    };
    for settled in shard.router.call_all(shard, settle).await {
        settled.map_err(failed)?;
    }
    let begin = |shard: &Rc<Shard>| {
        let logs = shard.partitions.logs().clone();
        async move { logs.begin().await.map_err(|error| error.to_string()) }
    };
    for begun in shard.router.call_all(shard, begin).await {
        begun.map_err(failed)?;
    }
    let disk = shard.reactor.disk();
    let shards = shard.reactor.shard_count();
    recovered.remove_leftovers(&disk, directory.path(), shards).await.map_err(failed)
}
