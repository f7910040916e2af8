//! OffsetFetch (KIP-447, KIP-709, KIP-1043): the offsets that groups have committed.

use std::rc::Rc;

use ringlane_controller::ClusterImage;
use ringlane_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::{Handled, Request, groups, topics};
use crate::group::{Effects, Groups};
use crate::shard::Shard;

/// The first version with an error for the group as a whole.
const GROUP_ERROR_FROM: i16 = 2;

/// The partitions that are asked for, by topic; the name where it is known.
type Wanted = Vec<(String, Uuid, ErrorCode, Vec<i32>)>;

/// What a group has for one partition. The offset is -1 where it has none.
#[derive(Clone)]
struct Stored {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    error_code: ErrorCode,
}

impl Stored {
    fn nothing(partition: i32, error_code: ErrorCode) -> Self {
        Self { partition, offset: -1, leader_epoch: -1, metadata: String::new(), error_code }
    }
}

/// What a group has.
struct Fetched {
    group_id: String,
    error_code: ErrorCode,
    topics: Vec<(String, Uuid, Vec<Stored>)>,
}

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: OffsetFetchRequest = request.decode()?;
    let image = shard.image.current();
    if request.version <= 7 {
        let wanted = message.topics.as_ref().map(|topics| {
            let named = topics.iter().map(|topic| (topic.name, Uuid::ZERO, &topic.partition_indexes));
            named.map(|(name, id, indexes)| resolve(&image, name, id, indexes)).collect()
        });
        let mut fetched = fetch(&shard, &image, message.group_id, wanted).await;
        if request.version < GROUP_ERROR_FROM && fetched.error_code != ErrorCode::NONE {
            fetched.topics = error_of_each(&message, fetched.error_code);
        }
        return request.answer(&single(&fetched));
    }
    let mut all = Vec::with_capacity(message.groups.len());
    for group in &message.groups {
        let wanted = group.topics.as_ref().map(|topics| {
            let named = topics.iter().map(|topic| (topic.name, topic.topic_id, &topic.partition_indexes));
            named.map(|(name, id, indexes)| resolve(&image, name, id, indexes)).collect()
        });
        all.push(fetch(&shard, &image, group.group_id, wanted).await);
    }
    let groups = all.iter().map(many).collect();
    request.answer(&OffsetFetchResponse { groups, ..Default::default() })
}

fn resolve(
    image: &ClusterImage,
    name: &str,
    id: Uuid,
    indexes: &[i32],
) -> (String, Uuid, ErrorCode, Vec<i32>) {
    if id.is_zero() {
        // By name a group may be asked for topics that are gone: it has no offset for them, which is no error.
        return (name.to_owned(), id, ErrorCode::NONE, indexes.to_vec());
    }
    match topics::find(image, name, id) {
        Ok(topic) => (topic.name.clone(), id, ErrorCode::NONE, indexes.to_vec()),
        Err(code) => (String::new(), id, code, indexes.to_vec()),
    }
}

async fn fetch(
    shard: &Rc<Shard>,
    image: &ClusterImage,
    group_id: &str,
    wanted: Option<Wanted>,
) -> Fetched {
    let name = group_id.to_owned();
    let looked = groups::with(shard, group_id, move |groups, _| {
        let found = match wanted {
            Some(wanted) => look_up(groups, &name, wanted),
            None => everything(groups, &name),
        };
        (found, Effects::default())
    });
    let group_id = group_id.to_owned();
    match looked.await {
        Ok(mut topics) => {
            for (name, id, _) in topics.iter_mut().filter(|(_, id, _)| id.is_zero()) {
                *id = image.topic(name).map_or(Uuid::ZERO, |topic| Uuid(topic.id.0));
            }
            Fetched { group_id, error_code: ErrorCode::NONE, topics }
        }
        Err(error_code) => Fetched { group_id, error_code, topics: Vec::new() },
    }
}

fn look_up(groups: &Groups, group_id: &str, wanted: Wanted) -> Vec<(String, Uuid, Vec<Stored>)> {
    let topics = wanted.into_iter().map(|(topic, id, error_code, indexes)| {
        let stored = indexes.into_iter().map(|partition| {
            match groups.committed(group_id, &topic, partition) {
                Some(committed) if error_code == ErrorCode::NONE => stored(partition, committed),
                _ => Stored::nothing(partition, error_code),
            }
        });
        let stored = stored.collect();
        (topic, id, stored)
    });
    topics.collect()
}

fn everything(groups: &Groups, group_id: &str) -> Vec<(String, Uuid, Vec<Stored>)> {
    let mut topics: Vec<(String, Uuid, Vec<Stored>)> = Vec::new();
    for (topic, partition, committed) in groups.all_committed(group_id) {
        match topics.last_mut().filter(|(name, ..)| name == topic) {
            Some((_, _, partitions)) => partitions.push(stored(partition, committed)),
            None => {
                topics.push((topic.to_owned(), Uuid::ZERO, vec![stored(partition, committed)]));
            }
        }
    }
    topics
}

fn stored(partition: i32, committed: &crate::group::records::CommittedOffset) -> Stored {
    Stored {
        partition,
        offset: committed.offset,
        leader_epoch: committed.leader_epoch.unwrap_or(-1),
        metadata: committed.metadata.clone(),
        error_code: ErrorCode::NONE,
    }
}

/// The group's error at every partition, for the versions that have no other place for it.
fn error_of_each(
    message: &OffsetFetchRequest,
    error_code: ErrorCode,
) -> Vec<(String, Uuid, Vec<Stored>)> {
    let topics = message.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter();
        let stored = partitions.map(|partition| Stored::nothing(*partition, error_code));
        (topic.name.to_owned(), Uuid::ZERO, stored.collect())
    });
    topics.collect()
}

fn single(fetched: &Fetched) -> OffsetFetchResponse<'_> {
    let topics = fetched.topics.iter().map(|(name, _, stored)| OffsetFetchResponseTopic {
        name,
        partitions: stored
            .iter()
            .map(|stored| OffsetFetchResponsePartition {
                partition_index: stored.partition,
                committed_offset: stored.offset,
                committed_leader_epoch: stored.leader_epoch,
                metadata: Some(&stored.metadata),
                error_code: stored.error_code,
            })
            .collect(),
    });
    let topics = topics.collect();
    OffsetFetchResponse { topics, error_code: fetched.error_code, ..Default::default() }
}

fn many(fetched: &Fetched) -> OffsetFetchResponseGroup<'_> {
    let topics = fetched.topics.iter().map(|(name, topic_id, stored)| OffsetFetchResponseTopics {
        name,
        topic_id: *topic_id,
        partitions: stored
            .iter()
            .map(|stored| OffsetFetchResponsePartitions {
                partition_index: stored.partition,
                committed_offset: stored.offset,
                committed_leader_epoch: stored.leader_epoch,
                metadata: Some(&stored.metadata),
                error_code: stored.error_code,
            })
            .collect(),
    });
    OffsetFetchResponseGroup {
        group_id: &fetched.group_id,
        topics: topics.collect(),
        error_code: fetched.error_code,
    }
}
