//! Placement: which brokers hold a partition's replicas, and which core of a broker owns a replica. Pure functions of the
//! image, so every controller comes to the same answer.

use std::collections::BTreeMap;

use ringlane_batch::TopicId;

use crate::image::{BrokerId, ClusterImage, CoreIndex, Replica};

/// How many replicas each core of each broker owns.
pub(crate) struct CoreLoads(BTreeMap<BrokerId, Vec<u32>>);

impl CoreLoads {
    /// The loads in `image`.
    pub(crate) fn of(image: &ClusterImage) -> Self {
        let idle = |cores: u16| vec![0; usize::from(cores)];
        let mut loads: BTreeMap<_, _> =
            image.brokers().map(|broker| (broker.id, idle(broker.core_count))).collect();
        for partition in image.topics().flat_map(|topic| &topic.partitions) {
            for replica in &partition.replicas {
                let core = usize::from(replica.core.0);
                let load = loads.get_mut(&replica.broker).and_then(|cores| cores.get_mut(core));
                *load.expect("a replica is placed on a core of a registered broker") += 1;
            }
        }
        Self(loads)
    }

    /// Places one more replica on `broker`: on its least loaded core, the lowest of equals.
    pub(crate) fn place(&mut self, broker: BrokerId) -> Replica {
        let loads = self.0.get_mut(&broker).expect("replicas go to registered brokers");
        let core = least_loaded(loads);
        loads[core] += 1;
        Replica { broker, core: CoreIndex(core as u16) }
    }
}

fn least_loaded(loads: &[u32]) -> usize {
    let least = loads.iter().enumerate().min_by_key(|&(core, &load)| (load, core));
    least.expect("a broker has at least one core").0
}

/// Evens out the replicas of one broker over `core_count` cores: no two cores differ by more than one replica afterwards,
/// and no more replicas move than that takes. `cores` holds the present core of each replica, in a fixed order, and is
/// changed in place.
pub(crate) fn spread(cores: &mut [CoreIndex], core_count: u16) {
    assert!(core_count > 0, "a broker has at least one core");
    let quotas = quotas(cores, core_count);
    let mut loads = vec![0; usize::from(core_count)];
    let mut homeless = Vec::new();
    for (at, core) in cores.iter().enumerate() {
        let core = usize::from(core.0);
        match loads.get_mut(core) {
            Some(load) if *load < quotas[core] => *load += 1,
            _ => homeless.push(at),
        }
    }
    for at in homeless {
        let core = least_loaded(&loads);
        loads[core] += 1;
        cores[at] = CoreIndex(core as u16);
    }
    let (least, most) = (loads.iter().min(), loads.iter().max());
    assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "cores are even");
}

/// How many replicas each core may keep: an even share, the remainder going to the cores that hold most now.
fn quotas(cores: &[CoreIndex], core_count: u16) -> Vec<u32> {
    let count = usize::from(core_count);
    let mut loads = vec![0u32; count];
    for core in cores {
        if let Some(load) = loads.get_mut(usize::from(core.0)) {
            *load += 1;
        }
    }
    let mut quotas = vec![(cores.len() / count) as u32; count];
    let mut by_load: Vec<usize> = (0..count).collect();
    by_load.sort_by_key(|&core| (std::cmp::Reverse(loads[core]), core));
    by_load[..cores.len() % count].iter().for_each(|&core| quotas[core] += 1);
    quotas
}

/// The brokers for partitions `first..first + count` of a topic, the preferred leader first.
///
/// As Kafka's striped placement: leaders go round the live brokers, followers go round the others with a shift that grows
/// with every lap, so that one broker's failure spreads over all. Fenced brokers are used only where the live ones do not
/// suffice. The start, random in Kafka, follows from the topic's id here.
///
/// # Errors
/// Kafka's message when there are not that many brokers.
pub(crate) fn choose_brokers(
    image: &ClusterImage,
    topic: TopicId,
    first: usize,
    count: usize,
    replication_factor: usize,
) -> Result<Vec<Vec<BrokerId>>, String> {
    let (live, fenced): (Vec<_>, Vec<_>) =
        image.brokers().map(|broker| broker.id).partition(|&broker| image.is_live(broker));
    if live.is_empty() {
        return Err("All brokers are currently fenced.".to_owned());
    }
    let registered = live.len() + fenced.len();
    if replication_factor > registered {
        return Err(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {registered} \
             broker(s) are registered."
        ));
    }
    let start = topic.0.iter().fold(0, |sum, &byte| sum + usize::from(byte));
    let from_live = replication_factor.min(live.len());
    Ok((first..first + count)
        .map(|partition| {
            let mut chosen = stripe(&live, start, partition, from_live);
            chosen.extend(stripe(&fenced, start, partition, replication_factor - from_live));
            chosen
        })
        .collect())
}

/// `count` of `brokers` for one partition.
fn stripe(brokers: &[BrokerId], start: usize, partition: usize, count: usize) -> Vec<BrokerId> {
    assert!(count <= brokers.len(), "no broker holds two replicas of a partition");
    let total = brokers.len();
    let leader = start + partition;
    let follower = |place: usize| {
        let shift = 1 + (start + partition / total + place) % (total - 1);
        brokers[(leader + shift) % total]
    };
    (0..count)
        .map(|place| if place == 0 { brokers[leader % total] } else { follower(place - 1) })
        .collect()
}

#[cfg(test)]
mod tests;
