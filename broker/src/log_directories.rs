//! The log directories of a broker, from its start to its end, on the controller's shard (KIP-112). One that fails takes its
//! logs offline, one line says which and what to do, and the others go on; with the last of them, or with the one that
//! holds the controller's data, the broker ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ringlane_batch::TopicId;
use ringlane_controller::ClusterImage;
use ringlane_storage::{LogDirectory, LogKey, StorageError, partition_directory_name};
use tracing::{error, warn};

use crate::controller_place::refuse_a_new_place;
use crate::log_dirs::LogDirs;
use crate::misnamed::{is_missing, logs_in, take_misnamed};
use crate::moved::moved;
use crate::recovery::{OpenDirectory, everywhere};
use crate::server::{StartError, failed};
use crate::shard::{CONTROLLER_SHARD, Shard};

/// The directories that this broker holds.
pub(crate) struct LogDirectories {
    /// Those of `log.dirs` that are online, in its order.
    open: Vec<OpenDirectory>,
    /// The one of the controller's data, where `log.dirs` does not have it.
    apart: Option<LogDirectory>,
    metadata: PathBuf,
}

impl LogDirectories {
    /// Takes all of them.
    ///
    /// # Errors
    /// One sentence: a directory is another's, or nothing is left to run on.
    pub(crate) async fn open(shard: &Rc<Shard>) -> Result<Self, StartError> {
        let (paths, metadata) = (shard.config.log_directories(), shard.config.metadata_directory());
        refuse_a_new_place(shard, &paths, &metadata).await?;
        *shard.log_dirs.borrow_mut() = LogDirs::new(paths.clone(), &metadata);
        let node = shard.config.node_id;
        let first = LogDirectory::open(&shard.reactor, &metadata, node, None).await;
        let cluster = first.as_ref().map(|first| first.meta().cluster_id.clone()).ok();
        let mut all = Self { open: Vec::new(), apart: None, metadata: metadata.clone() };
        let mut first = Some(first);
        for (index, path) in paths.iter().enumerate() {
            let opened = match (&cluster, *path == metadata) {
                (_, true) => first.take().expect("log.dirs names a directory once"),
                (Some(id), false) => LogDirectory::open(&shard.reactor, path, node, Some(id)).await,
                // The broker is not going to start.
                (None, false) => continue,
            };
            match opened {
                Ok(directory) => all.open.push(OpenDirectory::new(index, directory)),
                Err(error @ (StorageError::InUse(_) | StorageError::Foreign { .. })) => {
                    return Err(failed(error));
                }
                Err(error) => go_offline(shard, index, &error.to_string()).await,
            }
        }
        all.apart = first.transpose().map_err(failed)?;
        all.check(shard)?;
        all.remember(shard).await?;
        Ok(all)
    }

    /// The id of the cluster that they belong to.
    pub(crate) fn cluster_id(&self) -> String {
        self.first().meta().cluster_id.clone()
    }

    /// Where the controller's data is.
    pub(crate) fn metadata(&self) -> &Path {
        &self.metadata
    }

    fn first(&self) -> &LogDirectory {
        let mut open = self.open.iter().map(|open| &open.directory);
        let among = open.find(|directory| directory.path() == self.metadata);
        among.or(self.apart.as_ref()).expect("without it the broker does not start")
    }

    /// Remembers which directories there are, and notices when one is missing that was there before.
    async fn remember(&mut self, shard: &Rc<Shard>) -> Result<(), StartError> {
        let own = self.first().meta().directory_id;
        let ids = self.open.iter().map(|open| open.directory.meta().directory_id);
        let ids: BTreeSet<TopicId> = ids.filter(|id| *id != own).collect();
        let before = self.first().meta().other_directory_ids.clone();
        let missing: Vec<String> = before.difference(&ids).map(TopicId::to_string).collect();
        if !missing.is_empty() {
            shard.log_dirs.borrow_mut().note_missing();
            let file = self.metadata.join("meta.properties");
            warn!(
                "log directories of this broker are missing (directory.id {}): logs that no other has stay offline until they are back in log.dirs; to give up what they hold, remove their ids from {}",
                missing.join(", "),
                file.display()
            );
        }
        let all = ids.union(&before).copied().collect();
        let mut open = self.open.iter_mut().map(|open| &mut open.directory);
        let first = open.find(|directory| directory.path() == self.metadata);
        let first = first.or(self.apart.as_mut()).expect("without it the broker does not start");
        first.remember_others(all).await.map_err(failed)
    }

    /// Looks what is in each, and has every shard replay the journals: the logs that the image has can then be opened.
    ///
    /// # Errors
    /// When nothing is left to run on.
    pub(crate) async fn recover(
        &mut self,
        shard: &Rc<Shard>,
        image: &ClusterImage,
    ) -> Result<(), StartError> {
        for at in 0..self.open.len() {
            if let Err(error) = self.open[at].look().await {
                go_offline(shard, self.open[at].index, &error.to_string()).await;
            }
        }
        self.leave_failed(shard);
        self.refuse_misnamed(shard, image);
        self.place(shard, image);
        let mut recovering = Vec::new();
        for open in &mut self.open {
            recovering.push(Box::pin(async {
                let recovered = open.recover(shard).await;
                recovered.map_err(|reason| (open.index, reason))?;
                let set_aside = open.set_aside(shard, image).await;
                set_aside.map_err(|error| (open.index, error.to_string()))
            }));
        }
        for recovered in crate::race::join_all(recovering).await {
            if let Err((index, reason)) = recovered {
                go_offline(shard, index, &reason).await;
            }
        }
        self.leave_failed(shard);
        self.refuse_moved(shard);
        self.check(shard)
    }

    /// Leaves out logs that were moved away from the journal that has records of them. Those are kept, for when the log is back.
    fn refuse_moved(&mut self, shard: &Shard) {
        let moved = moved(&self.open);
        for (key, reason) in &moved {
            error!("{reason}");
            shard.log_dirs.borrow_mut().note_elsewhere(*key);
        }
        for open in &mut self.open {
            open.refused.extend(moved.clone());
        }
    }

    /// Leaves out the directories that are not the logs that they say. A log of which there is nothing else stays offline, and
    /// what journals hold of it is kept: begun empty, it would lose what was acknowledged.
    fn refuse_misnamed(&mut self, shard: &Shard, image: &ClusterImage) {
        let all = self.open.iter_mut();
        let all: Vec<_> = all.map(|open| take_misnamed(&mut open.found, image)).collect();
        let found = self.open.iter().flat_map(|open| logs_in(&open.found, image));
        let there: BTreeSet<LogKey> = found.map(|(key, _)| key).collect();
        let mut missing = BTreeMap::new();
        for (open, misnamed) in self.open.iter_mut().zip(all) {
            for misnamed in misnamed {
                if is_missing(misnamed.key, &misnamed.belongs, &there) {
                    let (said, right) = (misnamed.sentence(), &misnamed.belongs.name);
                    let path = open.directory.path().display();
                    let reason = format!(
                        "{said} and is not there: it is neither served nor begun empty; rename it to {right} in {path} while the broker is stopped"
                    );
                    error!("{reason}");
                    missing.insert(misnamed.key, reason);
                } else if !misnamed.belongs.is_in_the_way {
                    open.misnamed.push(misnamed);
                }
            }
        }
        for key in missing.keys() {
            shard.log_dirs.borrow_mut().note_elsewhere(*key);
        }
        for open in &mut self.open {
            // Whichever journal has entries of it.
            open.refused.extend(missing.clone());
        }
    }

    /// Takes note of where each log is; the later of two directories with the same log does not serve it.
    fn place(&mut self, shard: &Shard, image: &ClusterImage) {
        let mut log_dirs = shard.log_dirs.borrow_mut();
        if log_dirs.is_single() {
            return;
        }
        for open in &mut self.open {
            for ((id, partition), topic) in logs_in(&open.found, image) {
                let Some(before) = log_dirs.found((id, partition), open.index) else { continue };
                let (name, path) =
                    (partition_directory_name(&topic, partition), open.directory.path());
                let first = log_dirs.all()[before].path.join(&name);
                let reason = format!(
                    "{} is not served: the same log is in {}, which comes first in log.dirs; remove the one that is not wanted while the broker is stopped",
                    path.join(&name).display(),
                    first.display()
                );
                error!("{reason}");
                open.refused.insert((id, partition), reason);
            }
        }
    }

    /// Tells every shard where its logs live and what was found there.
    pub(crate) async fn tell(&self, shard: &Rc<Shard>) {
        let open: Vec<_> = self.open.iter().map(OpenDirectory::for_shards).collect();
        let tell = move |shard: &Rc<Shard>| {
            shard.partitions.found(shard, &open);
            std::future::ready(())
        };
        shard.router.call_all(shard, tell).await;
    }

    /// Has every shard make durable what was replayed, and when all have, lets them write their journals anew.
    ///
    /// # Errors
    /// When nothing is left to run on.
    pub(crate) async fn begin_writing(&mut self, shard: &Rc<Shard>) -> Result<(), StartError> {
        let settled = everywhere(shard, |logs| async move { logs.settle().await }).await;
        self.leave(shard, settled).await;
        let mut offline = offline_logs(shard).await;
        let mut failed = Vec::new();
        for open in &self.open {
            let logs = offline.entry(open.index).or_default();
            logs.extend(open.refused.clone());
            let kept = match open.keep(shard, logs).await {
                Ok(()) => open.end_acceptance(shard).await,
                kept => kept,
            };
            failed.extend(kept.err().map(|error| (open.index, error.to_string())));
        }
        self.leave(shard, failed).await;
        let begun = everywhere(shard, |logs| async move { logs.begin().await }).await;
        self.leave(shard, begun).await;
        let mut failed = Vec::new();
        for open in &self.open {
            let removed = open.remove_leftovers(shard, &offline[&open.index]).await;
            failed.extend(removed.err().map(|error| (open.index, error.to_string())));
        }
        self.leave(shard, failed).await;
        self.check(shard)
    }

    /// Marks the directories that were left in order, and lets go of them; `in_order` says it of each that is online.
    ///
    /// # Errors
    /// When one could not be marked, or has logs that were not closed in order.
    pub(crate) async fn close(
        mut self,
        shard: &Shard,
        in_order: &BTreeMap<usize, bool>,
    ) -> Result<(), StartError> {
        self.leave_failed(shard);
        let mut outcome = Ok(());
        for open in self.open {
            if !in_order.get(&open.index).copied().unwrap_or(false) {
                let sentence = "some logs could not be closed in order: the next start checks them";
                outcome = Err(failed(sentence));
                continue;
            }
            let closed = open.directory.close().await;
            outcome = outcome.and(closed.map_err(failed));
        }
        outcome
    }

    async fn leave(&mut self, shard: &Rc<Shard>, failed: Vec<(usize, String)>) {
        for (index, reason) in failed {
            go_offline(shard, index, &reason).await;
        }
        self.leave_failed(shard);
    }

    /// Lets go of the directories that are offline.
    fn leave_failed(&mut self, shard: &Shard) {
        let log_dirs = shard.log_dirs.borrow();
        self.open.retain(|open| log_dirs.is_online(open.index));
    }

    fn check(&self, shard: &Shard) -> Result<(), StartError> {
        shard.log_dirs.borrow().fatal().map_or(Ok(()), |reason| Err(failed(reason)))
    }
}

/// The logs that could not be opened, or not be written since, by directory, and why.
async fn offline_logs(shard: &Rc<Shard>) -> BTreeMap<usize, BTreeMap<LogKey, String>> {
    let logs = |shard: &Rc<Shard>| std::future::ready(shard.partitions.offline());
    let mut all: BTreeMap<usize, BTreeMap<LogKey, String>> = BTreeMap::new();
    for (index, key, reason) in shard.router.call_all(shard, logs).await.into_iter().flatten() {
        all.entry(index).or_default().insert(key, reason);
    }
    all
}

/// A directory has failed: on every shard its logs take and acknowledge nothing more. On the controller's shard.
pub(crate) async fn go_offline(shard: &Rc<Shard>, index: usize, reason: &str) {
    let (is_news, path, is_last) = {
        let mut log_dirs = shard.log_dirs.borrow_mut();
        let is_news = log_dirs.take_offline(index, reason);
        (is_news, log_dirs.all()[index].path.clone(), log_dirs.fatal().is_some())
    };
    if !is_news {
        return;
    }
    if !is_last {
        let path = path.display();
        error!(
            "the log directory {path} is offline: {reason}; its logs answer KAFKA_STORAGE_ERROR, the others go on; mend or replace its disk, and start the broker again"
        );
    }
    let reason = reason.to_owned();
    let tell = move |shard: &Rc<Shard>| {
        shard.partitions.take_offline(index, &reason);
        std::future::ready(())
    };
    shard.router.call_all(shard, tell).await;
    if is_last {
        shard.has_failed.notify_all();
    }
}

/// Watches the shard's part of a directory, and tells the controller's shard when it has failed.
pub(crate) async fn watch(shard: Rc<Shard>, index: usize, logs: ringlane_storage::LogManager) {
    let reason = logs.failed().await;
    let tell = move |shard: &Rc<Shard>| {
        let shard = shard.clone();
        async move { go_offline(&shard, index, &reason).await }
    };
    shard.router.call(&shard, CONTROLLER_SHARD, tell).await;
}
