//! Topics come and go. A name is never used again, so that what was answered about it stays decidable.

use ringlane_batch::Codec;
use ringlane_reactor::Rng;
use ringlane_wire::ErrorCode;

use super::{Work, passes, pause};
use crate::client::{Acks, Client, Failure, ProduceSpec, TopicSpec, batch_of};
use crate::oracle::TopicState;

/// Topics that one administrator makes.
const TOPICS_MAX: u64 = 6;

/// Creates the topics that all clients share.
pub(super) async fn create_shared(work: Work, mut client: Client) {
    for spec in work.topics.clone().iter() {
        create(&work, &mut client, spec).await;
    }
}

/// Creates topics of its own, produces to them, deletes some.
pub(super) async fn administer(work: Work, mut client: Client, mut rng: Rng) {
    for number in 0..TOPICS_MAX {
        if work.is_stopping() {
            return;
        }
        let name = format!("passing-{number}");
        let spec = TopicSpec { name, partitions: 1 + rng.below(3) as i32, durable: true };
        let at_once = create(&work, &mut client, &spec).await;
        for _ in 0..rng.below(3) {
            produce(&work, &mut client, &mut rng, &spec).await;
        }
        // An earlier attempt at its creation that is still under way could bring it back.
        if at_once && rng.one_in(2) {
            delete(&work, &mut client, &spec.name).await;
        }
        pause(&client, &mut rng, 300).await;
    }
}

/// Asks until the topic is there; whether the first attempt did it.
async fn create(work: &Work, client: &mut Client, spec: &TopicSpec) -> bool {
    work.oracle.creating(&spec.name, spec.partitions, spec.durable);
    let mut at_once = true;
    loop {
        match client.create_topic(spec).await {
            Ok(()) => break,
            Err(Failure::Code(ErrorCode::TOPIC_ALREADY_EXISTS)) => {
                assert!(!at_once, "image_survives: {} is there before it was created", spec.name);
                break;
            }
            Err(Failure::Code(code)) => assert!(passes(code), "creating a topic: {code}"),
            Err(Failure::Io(_)) => {}
        }
        at_once = false;
        client.back_off().await;
    }
    work.oracle.topic_is(&spec.name, TopicState::Created);
    at_once
}

async fn delete(work: &Work, client: &mut Client, name: &str) {
    work.oracle.topic_is(name, TopicState::Deleting);
    let mut first = true;
    loop {
        match client.delete_topic(name).await {
            Ok(()) => break,
            Err(Failure::Code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => {
                assert!(!first, "image_survives: {name} is gone before it was deleted");
                break;
            }
            Err(Failure::Code(code)) => assert!(passes(code), "deleting a topic: {code}"),
            Err(Failure::Io(_)) => {}
        }
        first = false;
        client.back_off().await;
    }
    work.oracle.topic_is(name, TopicState::Deleted);
}

/// One record, sent until it is acknowledged.
async fn produce(work: &Work, client: &mut Client, rng: &mut Rng, spec: &TopicSpec) {
    let partition = (spec.name.clone(), rng.below(spec.partitions as u64) as i32);
    let id = work.oracle.new_record(&partition, u64::MAX, false);
    let batch = batch_of(&[id.value()], Codec::None, None);
    loop {
        let (topic, batch) = (partition.0.as_str(), batch.clone());
        let produce = ProduceSpec { topic, partition: partition.1, acks: Acks::All, batch };
        work.oracle.sending(&[id]);
        let era = work.oracle.era();
        match client.produce(&produce).await {
            Ok(offset) => return work.oracle.acknowledged(era, &partition, offset, &[id]),
            Err(Failure::Code(code)) => assert!(passes(code), "producing: {code}"),
            Err(Failure::Io(_)) => {}
        }
        client.back_off().await;
    }
}
