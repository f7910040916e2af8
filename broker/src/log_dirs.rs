//! Which log directory a log lives in (KIP-112, KIP-113): where it is found at the start; a new one goes to the online
//! directory that has the fewest. Decided on the controller's shard; pure.
//!
//! A log of before that is found nowhere is not created anew while a directory is missing that may hold it: its records
//! would seem to be gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringlane_controller::{BrokerId, ClusterImage, Topic};

use crate::partition::PartitionKey;

/// Where a log belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the directory of this index in `log.dirs`.
    In(usize),
    /// It was nowhere at the start, or not all of it, and the rest may be elsewhere: not every directory was there, or one of another
    /// name says that it is this log, or another's journal has records of it.
    Missing,
}

/// Where the logs of an image belong that are new in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Places {
    /// There is one directory.
    #[default]
    Only,
    /// As assigned.
    Of(Arc<BTreeMap<PartitionKey, Place>>),
}

impl Places {
    /// The place of a log that is new in the image.
    pub(crate) fn of(&self, key: PartitionKey) -> Option<Place> {
        match self {
            Self::Only => Some(Place::In(0)),
            Self::Of(places) => places.get(&key).copied(),
        }
    }
}

/// A log directory as the controller's shard knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogDir {
    pub(crate) path: PathBuf,
    /// Why it is offline.
    offline: Option<String>,
    logs: usize,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct LogDirs {
    all: Vec<LogDir>,
    /// The controller's data is in this one, if in any.
    metadata: Option<usize>,
    /// Where logs are; not kept while all that is asked for has the same answer.
    places: BTreeMap<PartitionKey, Place>,
    /// Whether every directory that has held logs is there.
    is_complete: bool,
}

impl LogDirs {
    /// The directories of `log.dirs`, all online; `metadata` holds the controller's data.
    pub(crate) fn new(paths: Vec<PathBuf>, metadata: &Path) -> Self {
        let metadata = paths.iter().position(|path| path == metadata);
        let dir = |path| LogDir { path, offline: None, logs: 0 };
        let all = paths.into_iter().map(dir).collect();
        Self { all, metadata, places: BTreeMap::new(), is_complete: true }
    }

    /// All of them, in the order of `log.dirs`.
    pub(crate) fn all(&self) -> &[LogDir] {
        &self.all
    }

    /// Takes one offline; the first reason counts. Answers whether it was online until now.
    pub(crate) fn take_offline(&mut self, index: usize, reason: &str) -> bool {
        let dir = &mut self.all[index];
        let was_online = dir.offline.is_none();
        dir.offline.get_or_insert_with(|| reason.to_owned());
        was_online
    }

    /// Whether it works.
    pub(crate) fn is_online(&self, index: usize) -> bool {
        self.all[index].offline.is_none()
    }

    /// Why the broker cannot go on: no directory is left, or not the one with the controller's data (as in Kafka).
    pub(crate) fn fatal(&self) -> Option<String> {
        let reason = |dir: &LogDir| dir.offline.clone();
        if let [only] = &self.all[..] {
            return reason(only);
        }
        let metadata = self.metadata.map(|index| &self.all[index]);
        if let Some((dir, reason)) = metadata.and_then(|dir| Some((dir, reason(dir)?))) {
            let path = dir.path.display();
            return Some(format!(
                "the log directory {path} holds the controller's data and cannot be used: {reason}"
            ));
        }
        let reasons: Option<Vec<String>> = self.all.iter().map(reason).collect();
        reasons.map(|reasons| format!("no log directory can be used: {}", reasons.join("; ")))
    }

    /// A directory that has held logs is not there: what is not found may be in it.
    pub(crate) fn note_missing(&mut self) {
        self.is_complete = false;
    }

    /// The log, or a part of it, is not where it belongs: a directory of another name says that it is this log, or it was moved away
    /// from its journal.
    pub(crate) fn note_elsewhere(&mut self, key: PartitionKey) {
        if let Some(Place::In(index)) = self.places.insert(key, Place::Missing) {
            self.all[index].logs -= 1;
        }
    }

    /// Whether there is but one answer to where a log belongs.
    pub(crate) fn is_single(&self) -> bool {
        self.all.len() == 1 && self.is_complete && self.places.is_empty()
    }

    /// A log was found in a directory. Answers the directory where it had been found before.
    pub(crate) fn found(&mut self, key: PartitionKey, index: usize) -> Option<usize> {
        if self.is_single() {
            return None;
        }
        if let Some(Place::In(before)) = self.places.get(&key) {
            return Some(*before);
        }
        self.places.insert(key, Place::In(index));
        self.all[index].logs += 1;
        None
    }

    /// Where the logs of `image` belong that `before` did not have on `broker`.
    pub(crate) fn assign(
        &mut self,
        broker: BrokerId,
        before: &ClusterImage,
        image: &ClusterImage,
    ) -> Places {
        if self.is_single() {
            return Places::Only;
        }
        for topic in before.topics().filter(|topic| image.topic_by_id(topic.id).is_none()) {
            self.forget(topic);
        }
        let is_first = before.version() == 0;
        let mut assigned = BTreeMap::new();
        for topic in image.topics() {
            if before.topic(&topic.name).is_some_and(|old| Arc::ptr_eq(old, topic)) {
                continue;
            }
            for (index, partition) in (0..).zip(&topic.partitions) {
                if partition.core_on(broker).is_some() {
                    let key = (topic.id, ringlane_batch::PartitionIndex(index));
                    assigned.insert(key, self.place(key, is_first));
                }
            }
        }
        Places::Of(Arc::new(assigned))
    }

    fn place(&mut self, key: PartitionKey, is_first: bool) -> Place {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let all_there = self.is_complete && self.all.iter().all(|dir| dir.offline.is_none());
        let online = self.all.iter().enumerate().filter(|(_, dir)| dir.offline.is_none());
        let emptiest = online.min_by_key(|(_, dir)| dir.logs).map(|(index, _)| index);
        let place = match emptiest {
            Some(index) if all_there || !is_first => {
                self.all[index].logs += 1;
                Place::In(index)
            }
            _ => Place::Missing,
        };
        self.places.insert(key, place);
        place
    }

    fn forget(&mut self, topic: &Topic) {
        let keys = (topic.id, ringlane_batch::PartitionIndex(0))
            ..=(topic.id, ringlane_batch::PartitionIndex(i32::MAX));
        let gone: Vec<_> = self.places.range(keys).map(|(key, place)| (*key, *place)).collect();
        for (key, place) in gone {
            self.places.remove(&key);
            if let Place::In(index) = place {
                let logs = &mut self.all[index].logs;
                assert!(*logs > 0, "a log is counted where it is");
                *logs -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
