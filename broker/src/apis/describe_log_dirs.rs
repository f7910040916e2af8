//! DescribeLogDirs (KIP-113, KIP-827): the directories of `log.dirs`, whether each works, the room on its volume and the size
//! of each log in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::{Handled, Request};
use crate::shard::{CONTROLLER_SHARD, Shard};

/// A log that a shard has open.
struct Found {
    topic: Arc<str>,
    partition: i32,
    directory: Option<PathBuf>,
    size_bytes: u64,
    lag: i64,
}

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: DescribeLogDirsRequest = request.decode()?;
    let asked = asked(&message);
    let directories = shard.router.call(&shard, CONTROLLER_SHARD, directories).await;
    let logs = |shard: &Rc<Shard>| std::future::ready(logs_here(shard));
    let logs: Vec<Found> =
        shard.router.call_all(&shard, logs).await.into_iter().flatten().collect();
    let is_asked = |log: &&Found| {
        asked.as_ref().is_none_or(|asked| asked.contains(&(&*log.topic, log.partition)))
    };
    let logs: Vec<&Found> = logs.iter().filter(is_asked).collect();
    let absolute: Vec<(String, &Path, bool)> = directories
        .iter()
        .map(|(path, online)| (absolute(path).display().to_string(), path.as_path(), *online))
        .collect();
    let results = absolute.iter().map(|(log_dir, path, online)| match online {
        true => describe(&shard, log_dir, path, &logs),
        false => failed(log_dir),
    });
    request.answer(&DescribeLogDirsResponse { results: results.collect(), ..Default::default() })
}

/// The directories of `log.dirs` and whether they work, on the controller's shard.
fn directories(shard: &Rc<Shard>) -> std::future::Ready<Vec<(PathBuf, bool)>> {
    let log_dirs = shard.log_dirs.borrow();
    let all = log_dirs.all().iter().enumerate();
    let all = all.map(|(index, dir)| (dir.path.clone(), log_dirs.is_online(index)));
    std::future::ready(all.collect())
}

fn logs_here(shard: &Rc<Shard>) -> Vec<Found> {
    let all = shard.partitions.all().into_iter();
    let found = all.map(|partition| Found {
        topic: partition.topic.clone(),
        partition: partition.key.1.0,
        directory: partition.log.directory().parent().map(Path::to_path_buf),
        size_bytes: partition.log.size_bytes(),
        // `ReplicaManager.getLogEndOffsetLag` of a current log.
        lag: (partition.high_watermark().0 - partition.log.log_end().0).max(0),
    });
    found.collect()
}

/// KIP-113: null asks for all.
fn asked<'a>(message: &DescribeLogDirsRequest<'a>) -> Option<BTreeSet<(&'a str, i32)>> {
    let partitions = |topic: &DescribableLogDirTopic<'a>| {
        let name = topic.topic;
        topic.partitions.clone().into_iter().map(move |partition| (name, partition))
    };
    message.topics.as_ref().map(|topics| topics.iter().flat_map(partitions).collect())
}

/// Clients compare and show absolute paths.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn describe<'a>(
    shard: &Shard,
    log_dir: &'a str,
    path: &Path,
    logs: &[&'a Found],
) -> DescribeLogDirsResult<'a> {
    let space = match shard.reactor.disk().space(path) {
        Ok(space) => space,
        Err(error) => {
            tracing::warn!(log_dir, "cannot ask for the space of its volume: {error}");
            return failed(log_dir);
        }
    };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in logs.iter().filter(|log| log.directory.as_deref() == Some(path)) {
        topics.entry(&log.topic).or_default().push(DescribeLogDirsPartition {
            partition_index: log.partition,
            partition_size: signed(log.size_bytes),
            offset_lag: log.lag,
            is_future_key: false,
        });
    }
    let topics = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_unstable_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions }
    });
    DescribeLogDirsResult {
        log_dir,
        topics: topics.collect(),
        total_bytes: signed(space.total_bytes),
        usable_bytes: signed(space.free_bytes),
        ..Default::default()
    }
}

/// KIP-827: what is larger than the protocol can say is said to be as large as it can.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn failed(log_dir: &str) -> DescribeLogDirsResult<'_> {
    DescribeLogDirsResult {
        error_code: ErrorCode::KAFKA_STORAGE_ERROR,
        log_dir,
        ..Default::default()
    }
}
