//! Who leads a partition: the first replica in order of preference that is alive and holds every committed record.

use ringlane_batch::LeaderEpoch;

use crate::image::{BrokerId, Partition};

/// The leader that `partition` should have: its first replica that `is_live` and that is in sync, or eligible although out
/// of sync (KIP-966).
pub(crate) fn eligible_leader(
    partition: &Partition,
    is_live: impl Fn(BrokerId) -> bool,
) -> Option<BrokerId> {
    let eligible = |broker| partition.isr.contains(&broker) || partition.elr.contains(&broker);
    let mut brokers = partition.replicas.iter().map(|replica| replica.broker);
    brokers.find(|&broker| eligible(broker) && is_live(broker))
}

/// The state of `partition` after brokers came or went, or `None` when nothing changes.
///
/// A broker that is not live leaves the ISR, unless it would be the last in it: somebody must know the committed records.
/// A broker that has `restarted` counts as gone before it came: another in-sync replica takes over, and when there is none
/// it leads again under a new leader epoch, because the end of its log may differ from what it was (KIP-101).
pub(crate) fn reconsider(
    partition: &Partition,
    is_live: impl Fn(BrokerId) -> bool,
    restarted: Option<BrokerId>,
) -> Option<Partition> {
    let mut after = partition.clone();
    let steady = |broker: BrokerId| is_live(broker) && Some(broker) != restarted;
    if partition.isr.iter().any(|&broker| steady(broker)) {
        after.isr.retain(|&broker| steady(broker));
    }
    let keeps_leading = |leader: &BrokerId| steady(*leader) && after.isr.contains(leader);
    after.leader = match partition.leader.filter(keeps_leading) {
        Some(leader) => Some(leader),
        None => eligible_leader(&after, steady).or_else(|| eligible_leader(&after, &is_live)),
    };
    let restarted_leader = after.leader.is_some() && after.leader == restarted;
    if after.leader != partition.leader || restarted_leader {
        after.leader_epoch = LeaderEpoch(after.leader_epoch.0 + 1);
    }
    if after == *partition {
        return None;
    }
    after.partition_epoch += 1;
    assert!(!after.isr.is_empty(), "somebody knows the committed records");
    assert!(
        after.leader.is_none_or(|leader| after.core_on(leader).is_some()),
        "a leader is a replica"
    );
    Some(after)
}

#[cfg(test)]
mod tests;
