//! Directories that say they hold a log of the cluster and are not called as its directory is: somebody copied or renamed one.
//! They count for nothing, decided before any journal is read: replayed into a copy, its entries would be missing from the
//! log that is served. Pure.

use std::collections::BTreeSet;

use ringlane_batch::{PartitionIndex, TopicId};
use ringlane_controller::ClusterImage;
use ringlane_storage::{Found, LogKey, PartitionDirectory, partition_directory_name};

/// What a directory is to the cluster, by its name and by the topic id in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// The log that it says.
    Log,
    /// The cluster does not have the topic.
    Stray,
    /// The log that it says belongs in a directory of another name.
    Misnamed(Belongs),
}

/// Where the log that a directory claims to be belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Belongs {
    /// The topic's name.
    pub topic: String,
    /// The name of the log's own directory.
    pub name: String,
    /// Whether the topic has such a partition: its log is served, or ought to be.
    is_wanted: bool,
    /// Whether the directory has the name of another log's: it is in its way, and that one stays offline.
    pub is_in_the_way: bool,
}

impl Claim {
    /// Of the directory `<topic>-<partition>` with the topic id `id` in it.
    pub fn of(image: &ClusterImage, topic: &str, partition: PartitionIndex, id: TopicId) -> Self {
        let Some(claimed) = image.topic_by_id(id) else { return Self::Stray };
        if claimed.name == topic {
            return Self::Log;
        }
        Self::Misnamed(Belongs {
            topic: claimed.name.clone(),
            name: partition_directory_name(&claimed.name, partition),
            is_wanted: claimed.partition(partition).is_some(),
            is_in_the_way: image.partition(topic, partition).is_some(),
        })
    }
}

/// A directory that is not the log that it says.
pub(crate) struct Misnamed {
    pub(crate) key: LogKey,
    pub(crate) directory: PartitionDirectory,
    pub(crate) belongs: Belongs,
}

impl Misnamed {
    /// The name that it has.
    pub(crate) fn name(&self) -> String {
        partition_directory_name(&self.directory.topic, self.directory.partition)
    }

    /// What is said of it.
    pub(crate) fn sentence(&self) -> String {
        let (name, Belongs { topic, name: right, .. }) = (self.name(), &self.belongs);
        let id = self.key.0;
        format!(
            "{name} says that it belongs to the topic {topic} ({id}), whose directory would be called {right}"
        )
    }
}

/// Takes out of `found` what is not the log that it says. What is in the way of another log stays, without a name.
pub(crate) fn take_misnamed(found: &mut Found, image: &ClusterImage) -> Vec<Misnamed> {
    let mut misnamed = Vec::new();
    for directory in std::mem::take(&mut found.partitions) {
        let id = directory.topic_id.expect("only whole ones are left");
        match Claim::of(image, &directory.topic, directory.partition, id) {
            Claim::Log | Claim::Stray => found.partitions.push(directory),
            Claim::Misnamed(belongs) => {
                if belongs.is_in_the_way {
                    found.unnamed.push((directory.topic.clone(), directory.partition));
                }
                let key = (id, directory.partition);
                misnamed.push(Misnamed { key, directory, belongs });
            }
        }
    }
    misnamed
}

/// Whether the log that belongs elsewhere is not in its place: what a directory of the wrong name holds may be all that there is of it.
pub fn is_missing(key: LogKey, belongs: &Belongs, there: &BTreeSet<LogKey>) -> bool {
    belongs.is_wanted && !there.contains(&key)
}

/// The logs in `found`, with the names of their topics; also those that are there and cannot be read.
pub(crate) fn logs_in(found: &Found, image: &ClusterImage) -> Vec<(LogKey, String)> {
    let unnamed = found.unnamed.iter().filter_map(|(topic, partition)| {
        Some(((image.topic(topic)?.id, *partition), topic.clone()))
    });
    let named = found.partitions.iter();
    let named =
        named.filter_map(|found| Some(((found.topic_id?, found.partition), found.topic.clone())));
    named.chain(unnamed).collect()
}
