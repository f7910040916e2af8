//! `meta.properties`: whose data directory this is (Kafka's `MetaProperties`, version 1), and in our own key the version
//! of what else lies in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ringlane_batch::TopicId;

use crate::error::StorageError;

/// The version of `meta.properties` itself.
const VERSION: u32 = 1;
/// The version of the directory's layout (docs/formats.md). Raise it when an older version could not read it any more.
pub(crate) const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "ringlane.format";
const OTHERS_KEY: &str = "ringlane.log.directories";

/// The identity in a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// `cluster.id`.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: i32,
    /// `directory.id` (KIP-858).
    pub directory_id: TopicId,
    /// `ringlane.log.directories`, in the directory of the controller's data: the ids of the broker's other log directories.
    /// One that is missing at a start may hold logs, so nothing is created in its stead.
    pub other_directory_ids: BTreeSet<TopicId>,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("meta.properties")
}

impl MetaProperties {
    pub(crate) fn encode(&self) -> String {
        let mut text = format!(
            "version={VERSION}\n{FORMAT_KEY}={FORMAT}\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            self.cluster_id, self.node_id, self.directory_id
        );
        if !self.other_directory_ids.is_empty() {
            let others = self.other_directory_ids.iter().map(TopicId::to_string);
            text += &format!("{OTHERS_KEY}={}\n", others.collect::<Vec<_>>().join(","));
        }
        text
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// `Foreign` when another product or a newer version wrote it, `Corrupt` when it makes no sense.
    pub(crate) fn decode(path: &Path, text: &[u8]) -> Result<Self, StorageError> {
        let corrupt = |reason: String| StorageError::corrupt(path, reason);
        let text = std::str::from_utf8(text).map_err(|_| corrupt("it is not text".into()))?;
        let values: BTreeMap<&str, &str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let foreign = |reason: String| StorageError::Foreign { path: path.to_path_buf(), reason };
        let value = |key: &str| {
            values.get(key).copied().ok_or_else(|| corrupt(format!("{key} is missing")))
        };
        let number = |key: &str| -> Result<u32, StorageError> {
            value(key)?.parse().map_err(|_| corrupt(format!("{key} is not a number")))
        };
        if !values.contains_key(FORMAT_KEY) && values.contains_key("version") {
            return Err(foreign(
                "the directory was written by Apache Kafka: set log.dirs to an empty directory"
                    .into(),
            ));
        }
        for (key, known) in [("version", VERSION), (FORMAT_KEY, FORMAT)] {
            let found = number(key)?;
            if found > known {
                return Err(foreign(format!(
                    "the directory was written by a newer version ({key}={found}, this one knows {known}): start that version, or set log.dirs to another directory"
                )));
            }
        }
        let node_id =
            value("node.id")?.parse().map_err(|_| corrupt("node.id is not a number".into()))?;
        let directory_id = value("directory.id")?
            .parse()
            .map_err(|_| corrupt("directory.id is not an id".into()))?;
        let others = values.get(OTHERS_KEY).copied().unwrap_or_default().split(',');
        let others = others.map(str::trim).filter(|id| !id.is_empty()).map(str::parse);
        let others: Result<_, _> = others.collect();
        let other_directory_ids =
            others.map_err(|_| corrupt(format!("{OTHERS_KEY} has something that is no id")))?;
        let cluster_id = value("cluster.id")?.to_string();
        Ok(Self { cluster_id, node_id, directory_id, other_directory_ids })
    }

    /// Refuses the directory of another node or cluster.
    pub(crate) fn check(
        &self,
        path: &Path,
        node_id: i32,
        cluster_id: Option<&str>,
    ) -> Result<(), StorageError> {
        let reason = if self.node_id != node_id {
            format!(
                "the directory belongs to node.id {}, not {node_id}: correct node.id, or set log.dirs to another directory",
                self.node_id
            )
        } else if let Some(expected) = cluster_id.filter(|expected| *expected != self.cluster_id) {
            format!(
                "the directory belongs to the cluster {}, not {expected}: set log.dirs to another directory",
                self.cluster_id
            )
        } else {
            return Ok(());
        };
        Err(StorageError::Foreign { path: path.to_path_buf(), reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> MetaProperties {
        let directory_id = TopicId([3; 16]);
        let other_directory_ids = BTreeSet::new();
        MetaProperties { cluster_id: "c".into(), node_id: 1, directory_id, other_directory_ids }
    }

    fn message(text: &str) -> String {
        MetaProperties::decode(Path::new("m"), text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_file_reads_back() {
        let text = format!("# comment\n{}", ours().encode());
        assert_eq!(MetaProperties::decode(Path::new("m"), text.as_bytes()).unwrap(), ours());
        let others = [4, 5].map(|n| TopicId([n; 16])).into();
        let first = MetaProperties { other_directory_ids: others, ..ours() };
        let text = first.encode();
        assert_eq!(MetaProperties::decode(Path::new("m"), text.as_bytes()).unwrap(), first);
    }

    #[test]
    fn what_is_not_ours_is_refused_with_a_reason() {
        let newer = ours().encode().replace("ringlane.format=1", "ringlane.format=2");
        assert!(message(&newer).contains("newer version"));
        let newer = ours().encode().replace("version=1\n", "version=2\n");
        assert!(message(&newer).contains("newer version"));
        assert!(message("version=1\ncluster.id=c\nnode.id=1\n").contains("Apache Kafka"));
        assert!(message("").contains("missing"));
        assert!(message(&ours().encode().replace("node.id=1", "node.id=x")).contains("node.id"));
    }

    #[test]
    fn another_node_or_cluster_is_refused() {
        let path = Path::new("m");
        assert!(ours().check(path, 1, None).is_ok());
        assert!(ours().check(path, 1, Some("c")).is_ok());
        assert!(ours().check(path, 2, None).unwrap_err().to_string().contains("node.id 1, not 2"));
        assert!(ours().check(path, 1, Some("d")).unwrap_err().to_string().contains("cluster c"));
    }
}
