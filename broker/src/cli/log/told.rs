//! What a start would do with the directories of a data directory: what the storage says of each log, and what it is to the
//! cluster, by the controller's data.

use std::collections::BTreeSet;
use std::path::Path;

use ringlane::misnamed::{Claim, is_missing};
use ringlane_controller::{ClusterImage, DIRECTORY_NAME, image_on_disk};
use ringlane_reactor::Disk;
use ringlane_storage::inspect::{LogRecovery, PartitionPath, log_recoveries};
use ringlane_storage::{LogKey, StorageError};

use crate::cli::failure::Failure;

/// A log, and what its directory is to the cluster; `None` where nothing says what topics there are.
pub(super) struct Told {
    pub(super) log: LogRecovery,
    claim: Option<Claim>,
}

impl Told {
    /// Whether a start sets the directory aside.
    pub(super) fn is_stray(&self) -> Option<bool> {
        Some(match self.claim.as_ref()? {
            Claim::Log => false,
            Claim::Stray => true,
            Claim::Misnamed(_) => self.log.problem.is_none(),
        })
    }

    /// Why, as what is said of the directory.
    pub(super) fn stray_sentence(&self) -> Option<String> {
        self.is_stray()?.then(|| match &self.claim {
            Some(Claim::Misnamed(belongs)) => {
                format!("says that it is {}: a start sets it aside, unread", belongs.name)
            }
            _ => "belongs to a topic that the cluster does not have: a start sets it aside".into(),
        })
    }

    fn key(&self) -> Option<LogKey> {
        Some((self.log.topic_id?, self.log.partition))
    }
}

/// What topics there are, by the controller's data in `metadata`, else in `dir`, if it has them.
pub(super) async fn image(
    disk: &Disk,
    dir: &Path,
    metadata: Option<&Path>,
) -> Result<Option<ClusterImage>, Failure> {
    let path = metadata.unwrap_or(dir).join(DIRECTORY_NAME);
    let image = image_on_disk(disk, &path).await;
    let image = image.map_err(|error| Failure::Failed(error.to_string()))?;
    if metadata.is_some() && image.is_none() {
        let path = path.display();
        return Err(Failure::Usage(format!("{path} has no controller's data")));
    }
    Ok(image)
}

/// What a start would do with the logs in the data directory `dir`, which are `partitions`; how far those come that are
/// `wanted`.
pub(super) async fn foretell(
    disk: &Disk,
    dir: &Path,
    partitions: &[PartitionPath],
    wanted: &dyn Fn(&PartitionPath) -> bool,
    image: Option<&ClusterImage>,
    progress: &dyn Fn(u64),
) -> Result<Vec<Told>, StorageError> {
    let claim = |topic: &str, partition, id| Some(Claim::of(image?, topic, partition, id));
    let is_log = |path: &PartitionPath, id| {
        !matches!(claim(&path.topic, path.partition, id), Some(Claim::Misnamed(_)))
    };
    let logs = log_recoveries(disk, dir, partitions, wanted, &is_log, progress).await?;
    let told = logs.into_iter().map(|log| {
        let claim = log.topic_id.and_then(|id| claim(&log.topic, log.partition, id));
        Told { log, claim }
    });
    let mut told: Vec<Told> = told.collect();
    judge_misnamed(&mut told);
    Ok(told)
}

/// A directory that is not the log that it says is set aside, unless it may be all that there is of that, or is in the way.
fn judge_misnamed(told: &mut [Told]) {
    let logs = told.iter().filter(|told| told.claim == Some(Claim::Log));
    let there: BTreeSet<LogKey> = logs.filter_map(Told::key).collect();
    for told in told {
        let (Some(Claim::Misnamed(belongs)), Some(key)) = (&told.claim, told.key()) else {
            continue;
        };
        let right = &belongs.name;
        told.log.problem = if is_missing(key, belongs, &there) {
            Some(format!(
                "it says that it is {right}, which is not in this log directory: if no other has it, rename it to that while the broker is stopped"
            ))
        } else if belongs.is_in_the_way {
            Some(format!("it says that it is {right}"))
        } else {
            // It is set aside unread, whether it can be read or not.
            None
        };
    }
}
