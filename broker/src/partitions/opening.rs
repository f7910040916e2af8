//! How the logs of partitions that a shard has come to own are opened or created, each in the directory it belongs in. One that
//! cannot be is offline, and the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ringlane_batch::{LeaderEpoch, PartitionIndex};
use ringlane_reactor::Queue;
use ringlane_storage::{Log, LogManager, NewLog, StorageError};
use tracing::{error, info, warn};

use super::{AT_ONCE_MAX, Offline, TopicPart};
use crate::log_dirs::Place;
use crate::partition::{Partition, PartitionKey};
use crate::race::join_all;
use crate::shard::Shard;

/// From so many on, one look at all names is cheaper than one for each.
const LISTED_MIN: usize = 16;

/// A partition to open.
pub(super) struct Missing {
    pub(super) part: Rc<TopicPart>,
    pub(super) index: PartitionIndex,
    pub(super) place: Place,
}

impl Missing {
    fn key(&self) -> PartitionKey {
        (self.part.topic.id, self.index)
    }

    fn directory_name(&self) -> String {
        self.part.directory_name(self.index)
    }
}

/// Opens all of them, those of several directories at the same time.
pub(super) async fn open_all(shard: &Rc<Shard>, missing: Vec<Missing>) {
    let mut by_directory: BTreeMap<usize, Vec<Missing>> = BTreeMap::new();
    for missing in missing {
        match missing.place {
            Place::In(index) => by_directory.entry(index).or_default().push(missing),
            Place::Missing => {
                stay_offline(
                    shard,
                    &missing,
                    "no log directory has all of it under its name: the rest may be in one that is missing, under another name, or in the journal of another",
                );
            }
        }
    }
    let opening = by_directory.into_iter().map(|(index, missing)| {
        let shard = shard.clone();
        Box::pin(async move {
            let logs = shard.partitions.logs.get().and_then(|logs| logs.get(&index));
            match logs {
                Some(logs) => open_in(&shard, logs, missing).await,
                None => missing.iter().for_each(|missing| {
                    stay_offline(&shard, missing, "its log directory is offline");
                }),
            }
        })
    });
    join_all(opening.collect()).await;
}

async fn open_in(shard: &Rc<Shard>, logs: &LogManager, missing: Vec<Missing>) {
    let there = directories(shard, logs, &missing).await;
    // One that waits has perhaps half a log: its creation ends that, and finds out whether it is a whole one.
    let waits = |missing: &Missing| {
        let offline = shard.partitions.offline.borrow();
        offline.get(&missing.key()).is_some_and(|offline| offline.waits_for_space)
    };
    let is_there = |missing: &Missing| there.contains(&missing.directory_name()) && !waits(missing);
    let (mut there, new): (Vec<_>, Vec<_>) = missing.into_iter().partition(is_there);
    there.extend(create(shard, logs, new).await);
    let (task_shard, task_logs) = (shard.clone(), logs.clone());
    let open = async move |missing: Missing| open(&task_shard, &task_logs, missing).await;
    shard.reactor.for_each(Queue::Client, logs.at_a_time(AT_ONCE_MAX), there, open).await;
}

/// Which of the partitions' directories are there, by name; one that cannot be looked at counts as there.
async fn directories(shard: &Shard, logs: &LogManager, of: &[Missing]) -> BTreeSet<String> {
    let (disk, root) = (shard.reactor.disk(), logs.directory());
    if of.len() >= LISTED_MIN {
        match disk.list(root).await {
            Ok(names) => return names.into_iter().map(|entry| entry.name).collect(),
            Err(error) => error!(root = %root.display(), "cannot be listed: {error}"),
        }
    }
    let mut found = BTreeSet::new();
    for missing in of {
        let name = missing.directory_name();
        let looked = disk.metadata(&root.join(&name)).await;
        if !looked.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            found.insert(name);
        }
    }
    found
}

/// Creates the logs; answers which are there already.
async fn create(shard: &Rc<Shard>, logs: &LogManager, new: Vec<Missing>) -> Vec<Missing> {
    let wanted = new.iter().map(|missing| NewLog {
        directory: logs.directory().join(missing.directory_name()),
        key: missing.key(),
        config: missing.part.log_config.clone(),
    });
    let created = Log::create_all(logs, wanted.collect()).await;
    let mut there = Vec::new();
    let is_start = shard.image.current().version() == 0;
    for (missing, created) in new.into_iter().zip(created) {
        if is_start && !matches!(created, Err(StorageError::Kept(_))) {
            let name = missing.directory_name();
            warn!(name, "no log directory has the log of this partition: it begins empty");
        }
        match created {
            Err(error) if error.is_shortage() => {
                // Half a log is in the way of the next attempt, and of the next topic of the name.
                let directory = logs.directory().join(missing.directory_name());
                let _ = shard.reactor.disk().remove_dir_all(&directory).await;
                wait_for_space(shard, &missing, &error.to_string());
            }
            Err(StorageError::Exists(_)) => there.push(missing),
            created => lead(shard, logs, &missing, created),
        }
    }
    there
}

async fn open(shard: &Rc<Shard>, logs: &LogManager, missing: Missing) {
    let directory = logs.directory().join(missing.directory_name());
    let key = missing.key();
    let opened = Log::open(logs, &directory, key, missing.part.log_config.clone()).await;
    lead(shard, logs, &missing, opened.map(|(log, _report)| log));
}

/// Why a log must not be led in `epoch`, though it could be opened.
fn is_ahead(log: &Log, epoch: LeaderEpoch) -> Option<String> {
    let latest = log.latest_epoch();
    let reason = || {
        format!(
            "its records are of leader epoch {latest}, and the cluster has come to {epoch}: they are damaged, or the cluster's metadata is an old copy"
        )
    };
    (latest > epoch).then(reason)
}

/// Takes up leading a partition whose log is there now.
fn lead(shard: &Rc<Shard>, logs: &LogManager, missing: &Missing, log: Result<Log, StorageError>) {
    let log = match log {
        Ok(log) => log,
        Err(error) => {
            if matches!(error, StorageError::Io { .. }) {
                logs.suspect_device();
            }
            return stay_offline(shard, missing, &error.to_string());
        }
    };
    let Missing { part, index, .. } = missing;
    if let Some(reason) = is_ahead(&log, part.state(*index).leader_epoch) {
        log.go_offline(&reason);
        return stay_offline(shard, missing, &reason);
    }
    let (state, key) = (part.state(*index), (part.topic.id, *index));
    let (name, config) = (part.name.clone(), part.config.clone());
    let partition = Partition::lead(name, key, log, state.leader_epoch, config);
    partition.update(state.leader_epoch, state.isr.len(), None);
    let before = shard.partitions.offline.borrow_mut().remove(&key);
    if before.is_some_and(|offline| offline.waits_for_space) {
        info!(name = missing.directory_name(), "there is space again: the partition is online");
    }
    shard.partitions.by_key.borrow_mut().insert(key, partition.clone());
    shard.coordinators.elect(shard, &partition);
}

/// The log cannot be opened. Where the whole directory is offline, one line has said so.
fn stay_offline(shard: &Shard, missing: &Missing, reason: &str) {
    let Missing { part, index, place } = missing;
    if shard.partitions.is_directory_online(*place) {
        let name = missing.directory_name();
        error!(name, "the partition stays offline: {reason}");
    }
    let offline = Offline { place: *place, reason: reason.to_owned(), waits_for_space: false };
    shard.partitions.offline.borrow_mut().insert((part.topic.id, *index), offline);
}

/// The device is full, or there is no descriptor. Said once.
fn wait_for_space(shard: &Shard, missing: &Missing, reason: &str) {
    let Missing { part, index, place } = missing;
    let offline = Offline { place: *place, reason: reason.to_owned(), waits_for_space: true };
    let before = shard.partitions.offline.borrow_mut().insert((part.topic.id, *index), offline);
    if before.is_none_or(|before| !before.waits_for_space) {
        let name = missing.directory_name();
        error!(name, "the partition is offline until there is space for its log: {reason}");
    }
}
