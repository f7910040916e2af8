//! Parts of a result: the latencies of single partitions and leaders, transactions, and what was read that had been there
//! before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::generator::{Breakdown, Drain, Kind, Leader, Measured, Share};
use crate::percentiles::{Latencies, Percentiles};

/// The latencies of one partition or leader, to two digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as those of the whole")]
pub struct PartLatencies {
    pub produce_latency_us: Percentiles,
    pub end_to_end_latency_us: Percentiles,
    pub fetch_latency_us: Percentiles,
}

impl PartLatencies {
    fn of(share: &Share) -> Self {
        let percentiles = |kind| Percentiles::of(share.of(kind));
        Self {
            produce_latency_us: percentiles(Kind::Produce),
            end_to_end_latency_us: percentiles(Kind::EndToEnd),
            fetch_latency_us: percentiles(Kind::Fetch),
        }
    }
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfPartition {
    /// Its topic's number in the scenario.
    pub topic: u32,
    /// Its own.
    pub partition: u32,
    /// The node that led it when the run began; null where rounds had different ones.
    pub leader: Option<i32>,
    /// Its latencies.
    #[serde(flatten)]
    pub latencies: PartLatencies,
}

/// One leader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfLeader {
    /// Its node id.
    pub node: i32,
    /// Where it is reached.
    pub address: String,
    /// The core that it is, where cores have addresses of their own (`ringlane.core.endpoints`).
    pub core: Option<u16>,
    /// Partitions that it led when the run began; over several rounds the most.
    pub partitions: usize,
    /// Their latencies.
    #[serde(flatten)]
    pub latencies: PartLatencies,
}

impl OfLeader {
    /// What people call it.
    pub fn name(&self) -> String {
        match self.core {
            Some(core) => format!("core {core}"),
            None => format!("node {}", self.node),
        }
    }
}

/// By partition, over the rounds; empty where there are too many.
pub fn by_partition(rounds: &[&Breakdown], partitions: u32) -> Vec<OfPartition> {
    let mut shares: BTreeMap<usize, (Option<i32>, Share)> = BTreeMap::new();
    for round in rounds {
        let layout = round.layout();
        for (partition, share) in round.by_partition() {
            let leader = layout.led_by.get(partition).map(|place| layout.leaders[*place].node);
            let known = shares.entry(partition).or_insert_with(|| (leader, Share::empty()));
            known.0 = known.0.filter(|known| Some(*known) == leader);
            known.1.add(share);
        }
    }
    let shares = shares.into_iter();
    let of = |(partition, (leader, share)): (usize, (Option<i32>, Share))| OfPartition {
        topic: partition as u32 / partitions,
        partition: partition as u32 % partitions,
        leader,
        latencies: PartLatencies::of(&share),
    };
    shares.map(of).collect()
}

/// By leader, over the rounds.
pub fn by_leader(rounds: &[&Breakdown]) -> Vec<OfLeader> {
    let mut shares: BTreeMap<i32, (Leader, usize, Share)> = BTreeMap::new();
    for round in rounds {
        for (leader, partitions, share) in round.by_leader() {
            let fresh = || (leader.clone(), 0, Share::empty());
            let known = shares.entry(leader.node).or_insert_with(fresh);
            known.1 = known.1.max(partitions);
            known.2.add(&share);
        }
    }
    let of = |(leader, partitions, share): (Leader, usize, Share)| OfLeader {
        node: leader.node,
        address: leader.address,
        core: leader.core,
        partitions,
        latencies: PartLatencies::of(&share),
    };
    shares.into_values().map(of).collect()
}

/// The transactions of the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transactions {
    /// Those that were committed.
    pub committed: u64,
    /// Each from when it was meant to be committed until the coordinator said that it is: what its last records waited for
    /// their acknowledgement included.
    pub commit_latency_us: Percentiles,
}

impl Transactions {
    /// Over one round or several; none where producers sent without.
    pub fn of(measured: &Measured) -> Option<Self> {
        let committed = measured.counts.transactions;
        let commit_latency_us = Percentiles::of(&measured.total.commit);
        (committed.all > 0).then_some(Self { committed: committed.measured, commit_latency_us })
    }

    /// In words.
    pub fn sentence(&self) -> String {
        use crate::terminal::{micros, thousands};
        format!(
            "{} transactions committed, p50 {}, p99 {}, max {}",
            thousands(self.committed as f64),
            micros(self.commit_latency_us.p50),
            micros(self.commit_latency_us.p99),
            micros(self.commit_latency_us.max),
        )
    }
}

/// Reading what had been there before: a backlog, or the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drained {
    /// Records, by all who read them together.
    pub records: u64,
    /// Their values, in MiB.
    pub mib: f64,
    /// From when they began to the last of these records; over several rounds together.
    pub seconds: f64,
    /// Both together.
    pub records_per_s: f64,
    /// Of the requests that fetched them: to the answer.
    pub fetch_latency_us: Percentiles,
}

impl Drained {
    /// What was read in each round.
    pub fn over(rounds: &[&Drain]) -> Option<Self> {
        let mut fetch: Latencies = crate::percentiles::latencies();
        for round in rounds {
            fetch.add(&round.fetch).expect("a histogram that resizes takes any other");
        }
        let records = rounds.iter().map(|round| round.records).sum();
        let bytes: u64 = rounds.iter().map(|round| round.bytes).sum();
        let seconds: f64 = rounds.iter().map(|round| round.took.as_secs_f64()).sum();
        (records > 0).then(|| Self {
            records,
            mib: bytes as f64 / f64::from(1 << 20),
            seconds,
            records_per_s: records as f64 / seconds.max(1e-9),
            fetch_latency_us: Percentiles::of(&fetch),
        })
    }

    /// In words.
    pub fn sentence(&self) -> String {
        use crate::terminal::{micros, thousands};
        format!(
            "{} records ({:.0} MiB) in {:.2} s, {}/s, {:.0} MiB/s; fetch p50 {}, p99 {}, max {}",
            thousands(self.records as f64),
            self.mib,
            self.seconds,
            thousands(self.records_per_s),
            self.mib / self.seconds.max(1e-9),
            micros(self.fetch_latency_us.p50),
            micros(self.fetch_latency_us.p99),
            micros(self.fetch_latency_us.max),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::generator::Layout;

    fn round(leaders: &[i32], us: u64) -> Breakdown {
        let layout = Layout::new(leaders, &BTreeMap::from([(1, "a:1".to_owned())]), false);
        let mut breakdown = Breakdown::new(Arc::new(layout));
        (0..leaders.len()).for_each(|at| breakdown.record(at, Kind::Produce, us * 1000));
        breakdown
    }

    #[test]
    fn rounds_with_other_leaders_are_told_apart() {
        let rounds = [round(&[1, 2, 1, 1], 10), round(&[1, 1, 1, 1], 20)];
        let rounds: Vec<&Breakdown> = rounds.iter().collect();
        let partitions = by_partition(&rounds, 2);
        let places: Vec<_> = partitions.iter().map(|p| (p.topic, p.partition, p.leader)).collect();
        assert_eq!(places, [(0, 0, Some(1)), (0, 1, None), (1, 0, Some(1)), (1, 1, Some(1))]);
        let leaders = by_leader(&rounds);
        let counts: Vec<_> =
            leaders.iter().map(|leader| (leader.node, leader.partitions)).collect();
        assert_eq!(counts, [(1, 4), (2, 1)]);
        assert_eq!(leaders[0].latencies.produce_latency_us.max.round(), 20.0);
        assert_eq!(leaders[1].latencies.produce_latency_us.max.round(), 10.0);
    }

    #[test]
    fn what_was_drained_is_a_rate() {
        let drain = |records, seconds| {
            let took = std::time::Duration::from_secs(seconds);
            Drain { records, bytes: records << 20, took, ..Drain::default() }
        };
        let drained = Drained::over(&[&drain(30, 1), &drain(30, 2)]).expect("records");
        assert_eq!((drained.records, drained.mib, drained.records_per_s), (60, 60.0, 20.0));
        assert_eq!(Drained::over(&[&Drain::default()]), None);
    }
}
