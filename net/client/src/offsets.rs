//! Which offset a position in a partition is (ListOffsets).

use std::collections::BTreeMap;

use ringlane_wire::messages::ListOffsetsRequest;
use ringlane_wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};

use crate::client::Client;
use crate::consumer::Isolation;
use crate::error::Error;
use crate::metadata::NodeId;

/// A place in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// The first record there is.
    Earliest,
    /// Behind the last record that consumers may see.
    Latest,
    /// The record with this offset.
    Offset(i64),
    /// The first record with this timestamp (ms since the epoch) or a later one; behind the last when there is none.
    Timestamp(i64),
}

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// The offset of a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetAt {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The timestamp of its record, -1 where none was asked for or there is none.
    pub timestamp: i64,
}

impl Client {
    /// The offsets of positions in partitions of one topic, in the order asked.
    ///
    /// # Errors
    /// When the topic or a partition does not exist, or no leader answers within the retry timeout.
    pub async fn list_offsets(
        &self,
        topic: &str,
        wanted: &[(i32, Position)],
    ) -> Result<Vec<OffsetAt>, Error> {
        self.list_offsets_as(Isolation::ReadUncommitted, topic, wanted).await
    }

    /// [`Self::list_offsets`] for a reader with this isolation: the latest of one of committed records is the last stable
    /// offset.
    pub(crate) async fn list_offsets_as(
        &self,
        isolation: Isolation,
        topic: &str,
        wanted: &[(i32, Position)],
    ) -> Result<Vec<OffsetAt>, Error> {
        let mut found = BTreeMap::new();
        let mut retry = self.call_retry();
        loop {
            let open = wanted.iter().filter(|(partition, _)| !found.contains_key(partition));
            let open: Vec<(i32, Position)> = open.copied().collect();
            if open.is_empty() {
                break;
            }
            if let Err(error) = self.ask_leaders((isolation, topic), &open, &mut found).await {
                retry.after(error).await?;
                // Why it fails says little: whatever it is, what is known of the leaders may be old.
                let _ = self.refresh(&[topic]).await;
            }
        }
        Ok(wanted.iter().map(|(partition, _)| found[partition]).collect())
    }

    /// Asks each leader once; what was found is in `found` also when another one failed.
    async fn ask_leaders(
        &self,
        (isolation, topic): (Isolation, &str),
        open: &[(i32, Position)],
        found: &mut BTreeMap<i32, OffsetAt>,
    ) -> Result<(), Error> {
        let known = self.topic(topic).await?;
        let mut by_leader: BTreeMap<NodeId, Vec<(i32, i64)>> = BTreeMap::new();
        let mut outcome = Ok(());
        for &(partition, position) in open {
            let timestamp = match position {
                Position::Offset(offset) => {
                    found.insert(partition, OffsetAt { partition, offset, timestamp: -1 });
                    continue;
                }
                Position::Earliest => EARLIEST,
                Position::Latest => LATEST,
                Position::Timestamp(timestamp) => timestamp.max(0),
            };
            let info =
                usize::try_from(partition).ok().and_then(|index| known.partitions.get(index));
            let info =
                info.ok_or_else(|| no_such_partition(topic, partition, known.partitions.len()))?;
            match info.leader {
                Some(leader) => by_leader.entry(leader).or_default().push((partition, timestamp)),
                None => outcome = Err(no_leader(topic, partition)),
            }
        }
        for (leader, partitions) in by_leader {
            let asked = self.ask_leader(leader, (isolation, topic), &partitions, found).await;
            outcome = outcome.and(asked);
        }
        outcome
    }

    async fn ask_leader(
        &self,
        leader: NodeId,
        (isolation, topic): (Isolation, &str),
        partitions: &[(i32, i64)],
        found: &mut BTreeMap<i32, OffsetAt>,
    ) -> Result<(), Error> {
        const CONSUMER: i32 = -1;
        let partition = |&(partition_index, timestamp): &(i32, i64)| ListOffsetsPartition {
            partition_index,
            timestamp,
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: CONSUMER,
            isolation_level: isolation as i8,
            topics: vec![ListOffsetsTopic {
                name: topic,
                partitions: partitions.iter().map(partition).collect(),
            }],
            ..Default::default()
        };
        let answer = self.connection(leader).await?.call(&request).await?;
        let response = answer.decode::<ListOffsetsRequest<'_>>()?;
        for &(partition, timestamp) in partitions {
            let place = format!("{topic}-{partition}");
            let topics = response.topics.iter().filter(|sent| sent.name == topic);
            let mut sent = topics.flat_map(|sent| &sent.partitions);
            let sent = sent.find(|sent| sent.partition_index == partition);
            let sent = sent.ok_or_else(|| answer.lacks(&place))?;
            answer.check(sent.error_code, &place, None)?;
            if sent.offset < 0 && timestamp >= 0 {
                // No record is that late.
                Box::pin(self.ask_leader(
                    leader,
                    (isolation, topic),
                    &[(partition, LATEST)],
                    found,
                ))
                .await?;
                continue;
            }
            let at = OffsetAt { partition, offset: sent.offset, timestamp: sent.timestamp };
            found.insert(partition, at);
        }
        Ok(())
    }
}

/// A partition beyond those that a topic has.
pub(crate) fn no_such_partition(topic: &str, partition: i32, count: usize) -> Error {
    Error::Invalid(format!(
        "the topic {topic} has no partition {partition}: it has {count}, numbered from 0"
    ))
}

/// A partition that nobody leads now.
pub(crate) fn no_leader(topic: &str, partition: i32) -> Error {
    Error::Connect {
        address: format!("the leader of {topic}-{partition}").into(),
        reason: "the partition has no leader now".into(),
    }
}
