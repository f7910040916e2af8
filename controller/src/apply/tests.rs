//! What each command does to the image, and the words with which it is refused.

mod invariants;

use std::collections::BTreeMap;

use ringlane_batch::{LeaderEpoch, PartitionIndex, TopicId};

use super::*;
use crate::command::*;
use crate::image::{BrokerId, CoreIndex};
use crate::outcome::CreatedTopic;

fn id(number: u8) -> TopicId {
    TopicId([number; 16])
}

fn registration(broker: i32, core_count: u16) -> Command {
    Command::RegisterBroker(BrokerRegistration {
        broker: BrokerId(broker),
        core_count,
        endpoints: Vec::new(),
        core_endpoints: Vec::new(),
        rack: None,
    })
}

fn topic(number: u8, name: &str, partition_count: i32, replication_factor: i16) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        id: id(number),
        partition_count,
        replication_factor,
        assignments: Vec::new(),
        configs: BTreeMap::new(),
    }
}

fn manual(number: u8, name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|&(partition, brokers)| ManualAssignment {
        partition: PartitionIndex(partition),
        brokers: brokers.iter().copied().map(BrokerId).collect(),
    });
    NewTopic { assignments: assignments.collect(), ..topic(number, name, -1, -1) }
}

/// Applies commands one after the other; the image, and the outcome of the last one.
fn run(
    image: ClusterImage,
    commands: impl IntoIterator<Item = Command>,
) -> (ClusterImage, Outcome) {
    commands.into_iter().fold((image, Outcome::Done), |(image, _), command| {
        let version = image.version + 1;
        apply(image, version, &command)
    })
}

/// Two brokers with two cores each.
fn two_brokers() -> ClusterImage {
    run(ClusterImage::default(), [registration(0, 2), registration(1, 2)]).0
}

/// The refusal of the only topic of a `CreateTopics`.
fn refusal(image: &ClusterImage, topic: NewTopic) -> CommandError {
    match run(image.clone(), [Command::CreateTopics(vec![topic])]) {
        (after, Outcome::TopicsCreated(mut results)) => {
            let before = ClusterImage { version: after.version, ..image.clone() };
            assert_eq!(after, before, "a refusal changes nothing");
            results.remove(0).expect_err("is refused")
        }
        (_, other) => panic!("{other:?}"),
    }
}

#[test]
fn a_topic_is_created_with_leaders_and_cores() {
    let create = Command::CreateTopics(vec![topic(0, "a", 4, 2)]);
    let (image, outcome) = run(two_brokers(), [create]);
    let created =
        CreatedTopic { name: "a".to_owned(), id: id(0), partition_count: 4, replication_factor: 2 };
    assert_eq!(outcome, Outcome::TopicsCreated(vec![Ok(created)]));
    let topic = image.topic_by_id(id(0)).expect("there");
    assert_eq!(image.topic("a"), Some(topic));
    for (at, partition) in topic.partitions.iter().enumerate() {
        assert_eq!(partition.leader, Some(BrokerId(at as i32 % 2)));
        assert_eq!(partition.leader_epoch, LeaderEpoch(0));
        assert_eq!(partition.isr.len(), 2);
        assert_eq!(partition.core_on(BrokerId(0)), Some(CoreIndex(at as u16 % 2)));
    }
}

#[test]
fn topics_are_refused_in_kafkas_words() {
    let (image, _) = run(two_brokers(), [Command::CreateTopics(vec![topic(0, "a.b", 1, 1)])]);
    for (new, message) in [
        (topic(1, "a.b", 1, 1), "Topic 'a.b' already exists."),
        (topic(1, "a_b", 1, 1), "Topic 'a_b' collides with existing topic: a.b"),
        (topic(1, "", 1, 1), "Topic name is invalid: the empty string is not allowed"),
        (topic(1, "x", 0, 1), "Number of partitions was set to an invalid non-positive value."),
        (
            topic(1, "x", 1, 0),
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (
            topic(1, "x", 1, 3),
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached \
             because only 2 broker(s) are registered.",
        ),
        (topic(1, "x", i32::MAX, 1), "Unable to perform excessively large batch operation."),
        (
            NewTopic { replication_factor: 1, ..manual(1, "x", &[(0, &[0])]) },
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ),
        (
            NewTopic { partition_count: 1, ..manual(1, "x", &[(0, &[0])]) },
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ),
        (
            manual(1, "x", &[(0, &[0]), (0, &[1])]),
            "Found multiple manual partition assignments for partition 0",
        ),
        (
            manual(1, "x", &[(0, &[0]), (2, &[1])]),
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            manual(1, "x", &[(0, &[])]),
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            manual(1, "x", &[(0, &[9])]),
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            manual(1, "x", &[(0, &[1, 1])]),
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (
            manual(1, "x", &[(0, &[0, 1]), (1, &[0])]),
            "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with \
             previous partitions, which have 2 replica(s).",
        ),
    ] {
        assert_eq!(refusal(&image, new).to_string(), message);
    }
}

#[test]
fn a_deleted_topic_leaves_no_trace() {
    let create = Command::CreateTopics(vec![topic(0, "a.b", 1, 1)]);
    let delete = Command::DeleteTopics(vec![id(0), id(1)]);
    let (image, outcome) = run(two_brokers(), [create, delete]);
    let expected = vec![Ok("a.b".to_owned()), Err(CommandError::UnknownTopicId)];
    assert_eq!(outcome, Outcome::TopicsDeleted(expected));
    assert_eq!(image, ClusterImage { version: image.version, ..two_brokers() });
}

#[test]
fn partitions_are_only_added() {
    let grow = |total_count, assignments: Option<&[&[i32]]>| {
        let list = |brokers: &&[i32]| brokers.iter().copied().map(BrokerId).collect();
        let assignments = assignments.map(|lists| lists.iter().map(list).collect());
        let topic = "a".to_owned();
        Command::CreatePartitions(vec![NewPartitions { topic, total_count, assignments }])
    };
    let (image, _) = run(two_brokers(), [Command::CreateTopics(vec![topic(0, "a", 2, 1)])]);
    for (command, message) in [
        (grow(2, None), "Topic already has 2 partition(s)."),
        (grow(1, None), "The topic a currently has 2 partition(s); 1 would not be an increase."),
        (
            grow(4, Some(&[&[0]])),
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (grow(i32::MAX, None), "Unable to perform excessively large batch operation."),
    ] {
        let (_, outcome) = run(image.clone(), [command]);
        let Outcome::PartitionsCreated(results) = outcome else { panic!("{outcome:?}") };
        assert_eq!(results[0].as_ref().expect_err("is refused").to_string(), message);
    }
    let (image, outcome) = run(image, [grow(5, None), grow(6, Some(&[&[1]]))]);
    assert_eq!(outcome, Outcome::PartitionsCreated(vec![Ok(())]));
    let topic = image.topic("a").expect("there");
    assert_eq!(topic.partitions.len(), 6);
    assert_eq!(topic.partitions[5].leader, Some(BrokerId(1)));
}

#[test]
fn configs_are_set_and_go_back_to_their_defaults() {
    let alter =
        |resource, changes| Command::AlterConfigs(vec![ConfigAlteration { resource, changes }]);
    let set = |value: &str| ConfigChange::Set { key: "k".to_owned(), value: value.to_owned() };
    let delete = ConfigChange::Delete { key: "k".to_owned() };
    let (image, _) = run(two_brokers(), [Command::CreateTopics(vec![topic(0, "a", 1, 1)])]);
    let topic_resource = ConfigResource::Topic("a".to_owned());
    let (changed, _) = run(
        image.clone(),
        [
            alter(topic_resource.clone(), vec![set("1")]),
            alter(ConfigResource::Broker(None), vec![set("2")]),
            alter(ConfigResource::Broker(Some(BrokerId(1))), vec![set("3")]),
        ],
    );
    assert_eq!(changed.topic("a").expect("there").configs["k"], "1");
    assert_eq!(changed.broker_configs(None)["k"], "2");
    assert_eq!(changed.broker_configs(Some(BrokerId(1)))["k"], "3");
    assert!(changed.broker_configs(Some(BrokerId(0))).is_empty());
    let (back, _) = run(
        changed,
        [
            alter(topic_resource, vec![delete.clone()]),
            alter(ConfigResource::Broker(None), vec![delete.clone()]),
            alter(ConfigResource::Broker(Some(BrokerId(1))), vec![delete.clone()]),
        ],
    );
    assert_eq!(back, ClusterImage { version: back.version, ..image.clone() });
    let (_, outcome) = run(
        image,
        [Command::AlterConfigs(vec![
            ConfigAlteration { resource: ConfigResource::Topic("b".to_owned()), changes: vec![] },
            ConfigAlteration {
                resource: ConfigResource::Broker(Some(BrokerId(9))),
                changes: vec![],
            },
        ])],
    );
    let Outcome::ConfigsAltered(results) = outcome else { panic!("{outcome:?}") };
    let messages: Vec<_> =
        results.into_iter().map(|result| result.unwrap_err().to_string()).collect();
    assert_eq!(messages, ["The topic 'b' does not exist.", "No node with id 9 found."]);
}

#[test]
fn producer_ids_are_given_once() {
    let allocate = || Command::AllocateProducerIds { broker: BrokerId(0) };
    let (image, first) = run(two_brokers(), [allocate()]);
    assert_eq!(first, Outcome::ProducerIds { first: 0, count: 1000 });
    assert_eq!(run(image, [allocate()]).1, Outcome::ProducerIds { first: 1000, count: 1000 });
    let last = ClusterImage { next_producer_id: i64::MAX - 999, ..two_brokers() };
    assert!(matches!(run(last, [allocate()]).1, Outcome::Refused(_)));
}

#[test]
fn a_cluster_is_named_once() {
    let name = |name: &str| Command::SetClusterId { cluster_id: name.to_owned() };
    let (image, outcome) = run(ClusterImage::default(), [name("a"), name("a")]);
    assert_eq!((image.cluster_id(), outcome), ("a", Outcome::Done));
    assert!(matches!(run(image.clone(), [name("b")]).1, Outcome::Refused(_)));
    assert_eq!(run(image, [name("b")]).0.cluster_id(), "a");
}

#[test]
fn a_broker_that_returns_with_other_cores_has_its_replicas_spread() {
    let create = Command::CreateTopics(vec![topic(0, "a", 8, 1)]);
    let alone = run(ClusterImage::default(), [registration(0, 4), create]).0;
    let cores = |image: &ClusterImage| -> Vec<u16> {
        let partitions = &image.topic("a").expect("there").partitions;
        partitions.iter().map(|partition| partition.replicas[0].core.0).collect()
    };
    assert_eq!(cores(&alone), [0, 1, 2, 3, 0, 1, 2, 3]);
    let (fewer, _) = run(alone.clone(), [registration(0, 2)]);
    assert_eq!(cores(&fewer), [0, 1, 0, 1, 0, 1, 0, 1]);
    let (same, _) = run(alone.clone(), [registration(0, 4)]);
    assert_eq!(cores(&same), cores(&alone));
    let partition = &same.topic("a").expect("there").partitions[0];
    assert_eq!((partition.leader, partition.leader_epoch), (Some(BrokerId(0)), LeaderEpoch(1)));
}

#[test]
fn a_replica_moves_between_the_cores_of_its_broker() {
    let create = Command::CreateTopics(vec![manual(0, "a", &[(0, &[0])])]);
    let (image, _) = run(two_brokers(), [create]);
    let core_move = |number, partition, broker, core| CoreMove {
        topic: id(number),
        partition: PartitionIndex(partition),
        broker: BrokerId(broker),
        core: CoreIndex(core),
    };
    let moves = [(0, 0, 0, 1), (1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (0, 0, 0, 2)]
        .map(|(a, b, c, d)| core_move(a, b, c, d));
    let (image, outcome) = run(image, [Command::SetPlacement(moves.to_vec())]);
    let Outcome::PlacementSet(results) = outcome else { panic!("{outcome:?}") };
    assert!(results[0].is_ok() && results[1..].iter().all(Result::is_err), "{results:?}");
    let replica = image.partition("a", PartitionIndex(0)).expect("there").leader_core();
    assert_eq!(replica.expect("led").core, CoreIndex(1));
}

#[test]
fn a_fenced_broker_leads_nothing_and_an_old_epoch_fences_nobody() {
    let create = Command::CreateTopics(vec![topic(0, "a", 2, 2)]);
    let (image, _) = run(two_brokers(), [create]);
    let fence = |epoch, fenced| Command::FenceBroker { broker: BrokerId(0), epoch, fenced };
    let (_, outcome) = run(image.clone(), [fence(7, true)]);
    let message = "Expected broker epoch 1, but got broker epoch 7".to_owned();
    assert_eq!(outcome, Outcome::Refused(CommandError::StaleBrokerEpoch(message)));
    let (image, _) = run(image, [fence(1, true)]);
    let leaders = |image: &ClusterImage| -> Vec<_> {
        image.topic("a").expect("there").partitions.iter().map(|p| p.leader).collect()
    };
    assert_eq!(leaders(&image), [Some(BrokerId(1)); 2]);
    let alone = Command::FenceBroker { broker: BrokerId(1), epoch: 2, fenced: true };
    assert_eq!(leaders(&run(image.clone(), [alone]).0), [None; 2]);
    let manual = manual(1, "b", &[(0, &[0])]);
    let message = "All brokers specified in the manual partition assignment for partition 0 are fenced or in \
                   controlled shutdown.";
    assert_eq!(refusal(&image, manual).to_string(), message);
}
