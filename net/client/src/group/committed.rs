//! The offsets that a group has committed: fetched and committed.

use std::collections::BTreeMap;

use ringlane_wire::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ringlane_wire::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ringlane_wire::messages::{OffsetCommitRequest, OffsetFetchRequest};

use crate::client::Client;
use crate::error::Error;

/// Offsets by topic and partition.
pub(crate) type Offsets = BTreeMap<(String, i32), i64>;

/// What a group has committed of `topics` (with their partitions), or of all. What has no commit is left out.
pub(crate) async fn fetch_offsets(
    client: &Client,
    group: &str,
    topics: Option<&BTreeMap<String, Vec<i32>>>,
) -> Result<Offsets, Error> {
    let topic = |(name, partitions): (&'_ String, &Vec<i32>)| (name.clone(), partitions.clone());
    let topics: Option<Vec<(String, Vec<i32>)>> = topics.map(|t| t.iter().map(topic).collect());
    let wanted = topics.as_ref().map(|topics| {
        let wanted = topics.iter().map(|(name, partitions)| OffsetFetchRequestTopics {
            name,
            partition_indexes: partitions.clone(),
            ..Default::default()
        });
        wanted.collect()
    });
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group,
            topics: wanted,
            ..Default::default()
        }],
        require_stable: true,
        ..Default::default()
    };
    let fetched = client.call_coordinator(group, &request, |answer| {
        let response = answer.decode::<OffsetFetchRequest<'_>>()?;
        let found = response.groups.iter().find(|found| found.group_id == group);
        let found = found.ok_or_else(|| answer.lacks(group))?;
        answer.check(found.error_code, group, None)?;
        let mut offsets = Offsets::new();
        for topic in &found.topics {
            for partition in &topic.partitions {
                let index = partition.partition_index;
                answer.check(partition.error_code, &format!("{}-{index}", topic.name), None)?;
                if partition.committed_offset >= 0 {
                    offsets.insert((topic.name.to_owned(), index), partition.committed_offset);
                }
            }
        }
        Ok(offsets)
    });
    fetched.await
}

/// Commits `offsets` as `member` of `generation`.
pub(super) async fn commit(
    client: &Client,
    group: &str,
    (generation, member): (i32, &str),
    offsets: &Offsets,
) -> Result<(), Error> {
    if offsets.is_empty() {
        return Ok(());
    }
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition<'_>>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            ..Default::default()
        });
    }
    let topic =
        |(name, partitions)| OffsetCommitRequestTopic { name, partitions, ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group,
        generation_id_or_member_epoch: generation,
        member_id: member,
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    };
    let committed = client.call_coordinator(group, &request, |answer| {
        let response = answer.decode::<OffsetCommitRequest<'_>>()?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                let place = format!("{}-{}", topic.name, partition.partition_index);
                answer.check(partition.error_code, &place, None)?;
            }
        }
        Ok(())
    });
    committed.await
}
