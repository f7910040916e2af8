//! Brokers that come, go and come back with other cores; the producer ids they hand out.

use std::sync::Arc;

use crate::apply::PRODUCER_ID_BLOCK_SIZE;
use crate::command::{BrokerRegistration, CoreMove};
use crate::image::{Broker, BrokerId, ClusterImage, CoreIndex, Partition};
use crate::leader_election;
use crate::outcome::{CommandError, Outcome};
use crate::placement;

/// Registers a broker that has started. It is alive from then on; what it led before it leads again under a new leader
/// epoch, unless another in-sync replica took over.
pub(super) fn register(image: &mut ClusterImage, registration: &BrokerRegistration) -> Outcome {
    if let Err(message) = check_registration(registration) {
        return Outcome::Refused(CommandError::InvalidRequest(message));
    }
    let id = registration.broker;
    let before = image.broker(id).cloned();
    let epoch = i64::try_from(image.version).expect("a Raft index fits an epoch");
    assert!(before.as_ref().is_none_or(|broker| broker.epoch < epoch), "epochs rise");
    let broker = Broker {
        id,
        epoch,
        fenced: false,
        core_count: registration.core_count,
        endpoints: registration.endpoints.clone(),
        core_endpoints: registration.core_endpoints.clone(),
        rack: registration.rack.clone(),
    };
    image.brokers.insert(id, Arc::new(broker));
    if let Some(before) = before {
        reconsider_leaders(image, Some(id));
        if before.core_count != registration.core_count {
            spread_over_cores(image, id, registration.core_count);
        }
    }
    Outcome::BrokerRegistered { epoch }
}

fn check_registration(registration: &BrokerRegistration) -> Result<(), String> {
    let id = registration.broker.0;
    if id < 0 {
        return Err(format!("Broker ID {id} is negative"));
    }
    if registration.core_count == 0 {
        return Err(format!("Broker {id} registers without a core"));
    }
    let cores = 0..registration.core_count;
    match registration.core_endpoints.iter().find(|endpoint| !cores.contains(&endpoint.core.0)) {
        Some(endpoint) => Err(format!(
            "Broker {id} gives an address to core {}, but registers {} core(s)",
            endpoint.core.0, registration.core_count
        )),
        None => Ok(()),
    }
}

/// Fences a broker or lets it lead again.
pub(super) fn fence(image: &mut ClusterImage, id: BrokerId, epoch: i64, fenced: bool) -> Outcome {
    let Some(broker) = image.broker(id) else {
        let message = format!("No broker registration found for broker id {}", id.0);
        return Outcome::Refused(CommandError::StaleBrokerEpoch(message));
    };
    if broker.epoch != epoch {
        let message =
            format!("Expected broker epoch {}, but got broker epoch {epoch}", broker.epoch);
        return Outcome::Refused(CommandError::StaleBrokerEpoch(message));
    }
    if broker.fenced != fenced {
        let broker = Broker { fenced, ..Broker::clone(broker) };
        image.brokers.insert(id, Arc::new(broker));
        reconsider_leaders(image, None);
    }
    Outcome::Done
}

/// Elects leaders anew wherever the brokers' state asks for it.
fn reconsider_leaders(image: &mut ClusterImage, restarted: Option<BrokerId>) {
    let brokers = image.brokers.clone();
    let is_live = |id| brokers.get(&id).is_some_and(|broker| !broker.fenced);
    let reconsider =
        |partition: &Partition| leader_election::reconsider(partition, is_live, restarted);
    image.change_topics(|topic| {
        let changes: Vec<_> = topic.partitions.iter().map(reconsider).collect();
        changes.iter().any(Option::is_some).then(|| {
            let mut topic = topic.clone();
            for (partition, change) in topic.partitions.iter_mut().zip(changes) {
                if let Some(change) = change {
                    *partition = change;
                }
            }
            topic
        })
    });
}

/// Places the replicas of a broker anew after its number of cores has changed.
fn spread_over_cores(image: &mut ClusterImage, id: BrokerId, core_count: u16) {
    let replicas = image.topics().flat_map(|topic| &topic.partitions);
    let mut cores: Vec<CoreIndex> =
        replicas.filter_map(|partition| partition.core_on(id)).collect();
    placement::spread(&mut cores, core_count);
    // The same replicas in the same order as above.
    let mut cores = cores.into_iter();
    image.change_topics(|topic| {
        let mut after = topic.clone();
        let replicas = after.partitions.iter_mut().flat_map(|partition| &mut partition.replicas);
        for replica in replicas.filter(|replica| replica.broker == id) {
            replica.core = cores.next().expect("a core for each replica");
        }
        (after != *topic).then_some(after)
    });
    assert!(cores.next().is_none(), "a replica for each core");
}

/// Moves one replica to another core of its broker.
pub(super) fn place(image: &mut ClusterImage, core_move: &CoreMove) -> Result<(), CommandError> {
    let topic = image.topic_by_id(core_move.topic).ok_or(CommandError::UnknownTopicId)?;
    let cores = image.broker(core_move.broker).map_or(0, |broker| broker.core_count);
    if core_move.core.0 >= cores {
        let message = format!(
            "Broker {} has {cores} core(s), so core {} owns nothing",
            core_move.broker.0, core_move.core.0
        );
        return Err(CommandError::InvalidReplicaAssignment(message));
    }
    let mut topic = topic.as_ref().clone();
    let replica = usize::try_from(core_move.partition.0)
        .ok()
        .and_then(|index| topic.partitions.get_mut(index))
        .and_then(|partition| {
            partition.replicas.iter_mut().find(|replica| replica.broker == core_move.broker)
        })
        .ok_or_else(CommandError::unknown_topic)?;
    if replica.core != core_move.core {
        replica.core = core_move.core;
        image.put_topic(topic);
    }
    Ok(())
}

/// Gives a broker the next block of producer ids. No block is given twice, even when its answer is lost.
pub(super) fn allocate_producer_ids(image: &mut ClusterImage, broker: BrokerId) -> Outcome {
    if image.broker(broker).is_none() {
        let message = format!("No broker registration found for broker id {}", broker.0);
        return Outcome::Refused(CommandError::StaleBrokerEpoch(message));
    }
    let first = image.next_producer_id;
    let Some(next) = first.checked_add(i64::from(PRODUCER_ID_BLOCK_SIZE)) else {
        let message = "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit";
        return Outcome::Refused(CommandError::UnknownServerError(message.to_owned()));
    };
    assert!(first < next, "blocks do not overlap");
    image.next_producer_id = next;
    Outcome::ProducerIds { first, count: PRODUCER_ID_BLOCK_SIZE }
}
