//! How logs come into being: their directories and the topic ids in them are durable before the first append. Few are made
//! durable one by one; many together, with two syncs of the file system instead of four syncs for each log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ringlane_batch::{DurableEndOffset, LogEndOffset, LogStartOffset, Offset, RecoveryPoint};
use ringlane_reactor::{OpenOptions, Queue};

use super::{Loaded, Log, Offsets, State};
use crate::config::LogConfig;
use crate::error::StorageError;
use crate::leader_epochs::LeaderEpochs;
use crate::manager::LogManager;
use crate::partition_metadata;
use crate::producer_state::ProducerState;
use crate::segment::{Files, Segment};
use crate::shard_checkpoint::LogKey;

/// From so many on logs are made durable together. A sync of the whole file system also waits for what others have written.
const TOGETHER_MIN: usize = 16;
/// So many are worked on at the same time.
const AT_A_TIME_MAX: usize = 64;

/// A log that is to be created.
#[derive(Clone, Debug)]
pub struct NewLog {
    /// Its directory, whose parent exists.
    pub directory: PathBuf,
    /// Which log it is.
    pub key: LogKey,
    /// Its settings, which it may share with others.
    pub config: Rc<LogConfig>,
}

impl Log {
    /// Creates the log `key` in `dir`, whose parent exists. The directory and the topic id in it are durable when this
    /// returns. What an interrupted creation left there is used.
    ///
    /// # Errors
    /// `Exists` when there is a log, `Kept` when there are records of one, else the disk's.
    pub async fn create(
        manager: &LogManager,
        dir: &Path,
        key: LogKey,
        config: impl Into<Rc<LogConfig>>,
    ) -> Result<Self, StorageError> {
        let new = NewLog { directory: dir.to_path_buf(), key, config: config.into() };
        create_alone(manager.clone(), new).await
    }

    /// Creates logs as [`Log::create`] does; the outcomes in their order.
    pub async fn create_all(
        manager: &LogManager,
        new: Vec<NewLog>,
    ) -> Vec<Result<Self, StorageError>> {
        if new.len() < TOGETHER_MIN {
            return for_each(manager, new, create_alone).await;
        }
        let begun = for_each(manager, new, begin).await;
        // What the files hold is on disk before they have the names that count.
        let begun = synced(manager, begun).await;
        let named = for_each(manager, begun, put_in_place).await;
        let named = synced(manager, named).await;
        named.into_iter().map(|named| Ok(created(manager, named?))).collect()
    }
}

async fn create_alone(manager: LogManager, new: NewLog) -> Result<Log, StorageError> {
    let new = begin(manager.clone(), new).await?;
    let (disk, directory) = (&manager.0.disk, &new.directory);
    let parent = directory.parent().unwrap_or(Path::new("."));
    disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
    // Last, and with it the other names in the directory become durable.
    partition_metadata::write(disk, directory, new.key.0).await?;
    Ok(created(&manager, new))
}

/// Makes the directory, the first segment's files, and the topic id under a name that does not count yet.
async fn begin(manager: LogManager, new: NewLog) -> Result<NewLog, StorageError> {
    if let Some(reason) = manager.is_offline() {
        return Err(StorageError::Offline(reason));
    }
    if let Some(kept) = manager.0.recovered.kept(new.key) {
        return Err(StorageError::Kept(kept.path.clone()));
    }
    let (disk, dir) = (&manager.0.disk, &new.directory);
    disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
    let names = disk.list(dir).await.map_err(StorageError::io("list", dir))?;
    if names.iter().any(|entry| entry.name == partition_metadata::NAME) {
        return Err(StorageError::Exists(new.directory));
    }
    // Closed again: of many logs that come into being few are written to at once.
    let opened = Files::open(disk, dir, Offset::ZERO, OpenOptions::CREATE_EMPTY).await;
    opened.map_err(StorageError::io("create a segment in", dir))?;
    partition_metadata::prepare(disk, dir, new.key.0).await?;
    Ok(new)
}

async fn put_in_place(
    manager: LogManager,
    begun: Result<NewLog, StorageError>,
) -> Result<NewLog, StorageError> {
    let new = begun?;
    partition_metadata::put_in_place(&manager.0.disk, &new.directory).await?;
    Ok(new)
}

/// The log of what is durable now.
fn created(manager: &LogManager, new: NewLog) -> Log {
    let base = Offset::ZERO;
    let loaded = Loaded {
        segments: vec![Segment::closed(base, manager.0.reactor.wall_clock_ms())],
        offsets: Offsets {
            start: LogStartOffset::at(base),
            recovery_point: RecoveryPoint::at(base),
            durable: DurableEndOffset::at(base),
            end: LogEndOffset::at(base),
        },
        producers: ProducerState::default(),
        epochs: LeaderEpochs::default(),
        snapshots: BTreeSet::new(),
        snapshots_waiting: Vec::new(),
        log_sequence: 0,
    };
    let mut state = State::new(new.directory, new.key, new.config, loaded);
    state.names_synced = state.names_changed;
    Log::of(manager, state)
}

/// Makes durable what was done for those that succeeded so far; all of them fail when that does.
async fn synced(
    manager: &LogManager,
    done: Vec<Result<NewLog, StorageError>>,
) -> Vec<Result<NewLog, StorageError>> {
    let Err(error) = manager.sync_file_system().await else { return done };
    let failed = || error.of_another();
    done.into_iter().map(|done| done.and_then(|_| Err(failed()))).collect()
}

/// Does `work` for each of `items`, some at a time; the results in their order.
async fn for_each<T: 'static, R: 'static, F: Future<Output = R> + 'static>(
    manager: &LogManager,
    items: Vec<T>,
    work: fn(LogManager, T) -> F,
) -> Vec<R> {
    let shared = manager.clone();
    let work = async move |item| work(shared.clone(), item).await;
    let at_a_time = manager.at_a_time(AT_A_TIME_MAX);
    manager.0.reactor.for_each(Queue::Client, at_a_time, items, work).await
}
