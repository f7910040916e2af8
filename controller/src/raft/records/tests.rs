//! The records of version 1: they come back as they were, and their bytes stay what they are.

use ringlane_batch::{LeaderEpoch, PartitionIndex, TopicId};

use super::*;
use crate::command::{
    BrokerRegistration, ConfigAlteration, ConfigChange, ConfigResource, CoreMove, ManualAssignment,
    NewPartitions, NewTopic,
};
use crate::image::{CoreEndpoint, CoreIndex, Endpoint, Partition, Replica};
use crate::raft::frame::{self, Kind};

fn endpoint() -> Endpoint {
    Endpoint { listener: "PLAINTEXT".to_owned(), host: "localhost".to_owned(), port: 9092 }
}

fn log_id(index: u64) -> LogId {
    LogId { leader_id: LeaderId { term: 4, node_id: 1 }, index }
}

fn membership() -> Membership {
    Membership::new_with_defaults(vec![[1].into()], [1, 2])
}

/// Every command that there is.
fn commands() -> Vec<Command> {
    let (id, broker) = (TopicId([5; 16]), BrokerId(1));
    let (partition, core) = (PartitionIndex(0), CoreIndex(1));
    let configs: BTreeMap<_, _> = [("k".to_owned(), "v".to_owned())].into();
    let changes = vec![
        ConfigChange::Set { key: "k".to_owned(), value: "v".to_owned() },
        ConfigChange::Delete { key: "l".to_owned() },
    ];
    let alteration = |resource| ConfigAlteration { resource, changes: changes.clone() };
    vec![
        Command::SetClusterId { cluster_id: "c".to_owned() },
        Command::RegisterBroker(BrokerRegistration {
            broker,
            core_count: 2,
            endpoints: vec![endpoint()],
            core_endpoints: vec![CoreEndpoint { core, endpoint: endpoint() }],
            rack: Some("r".to_owned()),
        }),
        Command::FenceBroker { broker, epoch: 3, fenced: true },
        Command::CreateTopics(vec![NewTopic {
            name: "t".to_owned(),
            id,
            partition_count: 1,
            replication_factor: 1,
            assignments: vec![ManualAssignment { partition, brokers: vec![broker] }],
            configs,
        }]),
        Command::DeleteTopics(vec![id]),
        Command::CreatePartitions(vec![NewPartitions {
            topic: "t".to_owned(),
            total_count: 2,
            assignments: Some(vec![vec![broker]]),
        }]),
        Command::AlterConfigs(vec![
            alteration(ConfigResource::Topic("t".to_owned())),
            alteration(ConfigResource::Broker(Some(broker))),
        ]),
        Command::AllocateProducerIds { broker },
        Command::SetPlacement(vec![CoreMove { topic: id, partition, broker, core }]),
    ]
}

fn group() -> LogGroup {
    let commands = commands().into_iter().map(EntryPayload::Normal);
    let payloads = [EntryPayload::Blank, EntryPayload::Membership(membership())];
    let entries = payloads.into_iter().chain(commands).enumerate();
    let entry = |(at, payload)| EntryRecord::from(&Entry { log_id: log_id(at as u64), payload });
    LogGroup {
        purged: Some((&log_id(1)).into()),
        committed: Some((&log_id(2)).into()),
        keep_through: Some(3),
        entries: entries.map(entry).collect(),
    }
}

fn snapshot() -> (SnapshotMeta, ClusterImage) {
    let meta = SnapshotMeta {
        last_log_id: Some(log_id(9)),
        last_membership: StoredMembership::new(Some(log_id(0)), membership()),
    };
    let broker = Broker {
        id: BrokerId(1),
        epoch: 3,
        fenced: false,
        core_count: 2,
        endpoints: vec![endpoint()],
        core_endpoints: Vec::new(),
        rack: None,
    };
    let partition = Partition {
        leader: Some(BrokerId(1)),
        leader_epoch: LeaderEpoch(2),
        partition_epoch: 3,
        replicas: vec![Replica { broker: BrokerId(1), core: CoreIndex(1) }],
        isr: vec![BrokerId(1)],
        elr: vec![BrokerId(2)],
    };
    let configs: BTreeMap<_, _> = [("k".to_owned(), "v".to_owned())].into();
    let mut image = ClusterImage {
        version: 9,
        cluster_id: "c".to_owned(),
        brokers: [(broker.id, Arc::new(broker))].into(),
        broker_configs: [(None, configs.clone())].into(),
        next_producer_id: 1000,
        ..ClusterImage::default()
    };
    image.put_topic(Topic {
        id: TopicId([5; 16]),
        name: "t.u".to_owned(),
        partitions: vec![partition],
        configs,
    });
    (meta, image)
}

#[test]
fn entries_come_back_as_they_were() {
    let frame = frame::encode(Kind::Log, &group());
    let (read, _) = frame::decode::<LogGroup>(Kind::Log, &frame).expect("reads");
    assert_eq!(read, group());
    for (record, command) in read.entries.into_iter().skip(2).zip(commands()) {
        assert_eq!(Entry::from(record).payload, EntryPayload::Normal(command));
    }
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let (meta, image) = snapshot();
    let frame = frame::encode(Kind::Snapshot, &SnapshotRecord::new(&meta, &image));
    let (read, _) = frame::decode::<SnapshotRecord>(Kind::Snapshot, &frame).expect("reads");
    assert_eq!(read.into_parts(), Ok((meta, image)));
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let (meta, image) = snapshot();
    let mut twice = SnapshotRecord::new(&meta, &image);
    twice.image.topics.push(twice.image.topics[0].clone());
    assert!(twice.into_parts().is_err());
    let mut empty = SnapshotRecord::new(&meta, &image);
    empty.image.topics[0].partitions.clear();
    assert!(empty.into_parts().is_err());
}

/// Length and checksum of what version 1 writes. When these change, existing directories are no longer readable: raise
/// `FORMAT_VERSION` and keep reading the old shape instead.
#[test]
fn the_bytes_of_version_1_stay_what_they_are() {
    let (meta, image) = snapshot();
    let log = frame::encode(Kind::Log, &group());
    let snapshot = frame::encode(Kind::Snapshot, &SnapshotRecord::new(&meta, &image));
    let fingerprint = |frame: &[u8]| (frame.len(), crc32c::crc32c(frame));
    assert_eq!(
        (fingerprint(&log), fingerprint(&snapshot)),
        ((1376, 794_772_332), (560, 1_088_475_273))
    );
}
