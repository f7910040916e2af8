//! Arbitrary commands, and what holds of the image whatever they were.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn command() -> impl Strategy<Value = Command> {
    let brokers = || vec((0i32..4).prop_map(BrokerId), 0..4);
    let name = || prop::sample::select(vec!["a", "b", "c.d", "c_d", "e"]).prop_map(str::to_owned);
    let assignment = (0i32..3, brokers()).prop_map(|(partition, brokers)| ManualAssignment {
        partition: PartitionIndex(partition),
        brokers,
    });
    let new_topic = (name(), 0u8..8, -1i32..6, -1i16..4, vec(assignment, 0..3)).prop_map(
        |(name, number, partition_count, replication_factor, assignments)| NewTopic {
            assignments,
            ..topic(number, &name, partition_count, replication_factor)
        },
    );
    let grow = (name(), 0i32..9, proptest::option::of(vec(brokers(), 0..3))).prop_map(
        |(topic, total_count, assignments)| NewPartitions { topic, total_count, assignments },
    );
    let core_move =
        (0u8..8, 0i32..6, 0i32..4, 0u16..5).prop_map(|(topic, partition, broker, core)| CoreMove {
            topic: id(topic),
            partition: PartitionIndex(partition),
            broker: BrokerId(broker),
            core: CoreIndex(core),
        });
    prop_oneof![
        3 => (0i32..4, 0u16..5).prop_map(|(broker, cores)| registration(broker, cores)),
        2 => (0i32..4, 1i64..40, any::<bool>()).prop_map(|(broker, epoch, fenced)| {
            Command::FenceBroker { broker: BrokerId(broker), epoch, fenced }
        }),
        4 => vec(new_topic, 1..4).prop_map(Command::CreateTopics),
        1 => vec((0u8..8).prop_map(id), 1..3).prop_map(Command::DeleteTopics),
        2 => vec(grow, 1..3).prop_map(Command::CreatePartitions),
        1 => (0i32..4).prop_map(|broker| Command::AllocateProducerIds { broker: BrokerId(broker) }),
        2 => vec(core_move, 1..4).prop_map(Command::SetPlacement),
    ]
}

/// What holds of every image.
fn check(image: &ClusterImage) {
    let mut ids = BTreeSet::new();
    let mut unified = BTreeSet::new();
    for topic in image.topics() {
        assert!(ids.insert(topic.id), "ids are unique");
        assert!(unified.insert(topic.name.replace('.', "_")), "names do not collide");
        assert_eq!(image.topic_by_id(topic.id), Some(topic));
        assert!(!topic.partitions.is_empty());
        for partition in &topic.partitions {
            assert_eq!(partition.replicas.len(), topic.replication_factor());
            for replica in &partition.replicas {
                let broker = image.broker(replica.broker).expect("replicas are on brokers");
                assert!(replica.core.0 < broker.core_count, "replicas are on cores");
            }
            let brokers: BTreeSet<_> = partition.replicas.iter().map(|r| r.broker).collect();
            assert_eq!(brokers.len(), partition.replicas.len(), "one replica a broker");
            assert!(
                !partition.isr.is_empty() && partition.isr.iter().all(|id| brokers.contains(id))
            );
            let led = partition.leader.is_some();
            assert_eq!(led, partition.isr.iter().any(|&id| image.is_live(id)), "led if it can be");
            if let Some(leader) = partition.leader {
                assert!(image.is_live(leader) && partition.isr.contains(&leader));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_image_is_sound_and_every_epoch_rises(commands in vec(command(), 1..40)) {
        let mut image = ClusterImage::default();
        for command in &commands {
            let version = image.version() + 1;
            let (after, outcome) = apply(image.clone(), version, command);
            prop_assert_eq!(&apply(image.clone(), version, command), &(after.clone(), outcome));
            check(&after);
            prop_assert!(after.next_producer_id() >= image.next_producer_id());
            for topic in after.topics() {
                let Some(before) = image.topic_by_id(topic.id) else { continue };
                prop_assert!(topic.partitions.len() >= before.partitions.len());
                for (after, before) in topic.partitions.iter().zip(&before.partitions) {
                    prop_assert!(after.leader_epoch >= before.leader_epoch);
                    prop_assert!(after.partition_epoch >= before.partition_epoch);
                    prop_assert!(after.leader == before.leader || after.leader_epoch > before.leader_epoch);
                }
            }
            image = after;
        }
    }
}
