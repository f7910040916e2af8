//! Latencies by partition, and by the broker (or core of one) that leads it: where a slow tail comes from. Coarser than the
//! whole, since there are many: two significant digits.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::percentiles::Latencies;

/// Up to so many partitions are kept apart; above it only their leaders are.
const PARTITIONS_MAX: usize = 256;

const SIGNIFICANT_DIGITS: u8 = 2;

/// Who led the partitions when the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Each leader once, by its node id.
    pub leaders: Vec<Leader>,
    /// By partition, those of one topic after those of the one before: its leader's place in `leaders`.
    pub led_by: Vec<usize>,
}

/// A node that leads partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its id in Metadata.
    pub node: i32,
    /// Its `host:port`.
    pub address: String,
    /// The core that it is, where cores have addresses of their own.
    pub core: Option<u16>,
}

/// Ringlane's node ids of cores: core + 1 times this, plus the broker's id (docs/compatibility.md).
const CORE_STRIDE: i32 = 1_000_000;

impl Layout {
    /// The layout of partitions with these leaders, among nodes with these addresses.
    pub fn new(leaders: &[i32], addresses: &BTreeMap<i32, String>, is_ringlane: bool) -> Self {
        let mut places: BTreeMap<i32, usize> = leaders.iter().map(|node| (*node, 0)).collect();
        for (place, known) in places.values_mut().enumerate() {
            *known = place;
        }
        let leader = |&node: &i32| {
            let core = u16::try_from(node / CORE_STRIDE).ok().and_then(|core| core.checked_sub(1));
            let is_core = is_ringlane && addresses.contains_key(&(node % CORE_STRIDE));
            let address = addresses.get(&node).cloned().unwrap_or_default();
            Leader { node, address, core: core.filter(|_| is_core) }
        };
        Self {
            leaders: places.keys().map(leader).collect(),
            led_by: leaders.iter().map(|node| places[node]).collect(),
        }
    }

    fn keeps_partitions(&self) -> bool {
        self.led_by.len() <= PARTITIONS_MAX
    }
}

/// Which latency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Intended send to acknowledgement.
    Produce,
    /// Intended send to consumption.
    EndToEnd,
    /// Of fetches.
    Fetch,
}

/// The latencies of one partition or leader.
#[derive(Clone, Debug)]
pub struct Share([Latencies; 3]);

impl Share {
    /// None yet.
    pub fn empty() -> Self {
        let empty = || {
            let mut latencies = Histogram::new(SIGNIFICANT_DIGITS).expect("0 to 5 digits");
            latencies.auto(true);
            latencies
        };
        Self([empty(), empty(), empty()])
    }

    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> &Latencies {
        &self.0[kind as usize]
    }

    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            own.add(other).expect("a histogram that resizes takes any other");
        }
    }
}

/// The latencies of all of them.
#[derive(Clone, Debug, Default)]
pub struct Breakdown {
    layout: Arc<Layout>,
    /// By partition, or by leader where there are too many partitions.
    shares: BTreeMap<usize, Share>,
}

impl Breakdown {
    /// Nothing yet.
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { layout, shares: BTreeMap::new() }
    }

    /// Who led what.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Takes a latency of `partition`, counted over all topics. One that was added since is not told apart.
    pub fn record(&mut self, partition: usize, kind: Kind, nanos: u64) {
        let key = match self.layout.keeps_partitions() {
            true => Some(partition).filter(|&partition| partition < self.layout.led_by.len()),
            false => self.layout.led_by.get(partition).copied(),
        };
        let Some(key) = key else { return };
        let share = self.shares.entry(key).or_insert_with(Share::empty);
        share.0[kind as usize].record(nanos).expect("a histogram that resizes takes any value");
    }

    /// Takes in another's, of the same number of partitions.
    pub fn add(&mut self, other: &Self) {
        if self.layout.led_by.is_empty() {
            self.layout = other.layout.clone();
        }
        for (key, share) in &other.shares {
            self.shares.entry(*key).or_insert_with(Share::empty).add(share);
        }
    }

    /// By partition; empty where there are too many.
    pub fn by_partition(&self) -> impl Iterator<Item = (usize, &Share)> {
        let shares = self.layout.keeps_partitions().then_some(&self.shares);
        shares.into_iter().flatten().map(|(partition, share)| (*partition, share))
    }

    /// By leader, with the number of its partitions.
    pub fn by_leader(&self) -> Vec<(&Leader, usize, Share)> {
        let led = |place| self.layout.led_by.iter().filter(|&&leader| leader == place).count();
        let leaders = self.layout.leaders.iter().enumerate();
        let mut shares: Vec<_> =
            leaders.map(|(place, leader)| (leader, led(place), Share::empty())).collect();
        for (key, share) in &self.shares {
            let place = match self.layout.keeps_partitions() {
                true => self.layout.led_by[*key],
                false => *key,
            };
            shares[place].2.add(share);
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(leaders: &[i32], is_ringlane: bool) -> Layout {
        let addresses = leaders.iter().chain(&[1]).map(|node| (*node, format!("host:{node}")));
        Layout::new(leaders, &addresses.collect(), is_ringlane)
    }

    #[test]
    fn a_core_is_known_by_its_node() {
        let cores = |layout: Layout| {
            layout.leaders.into_iter().map(|leader| (leader.node, leader.core)).collect::<Vec<_>>()
        };
        let ids = [2_000_001, 1_000_001, 2_000_001];
        assert_eq!(cores(layout(&ids, true)), [(1_000_001, Some(0)), (2_000_001, Some(1))]);
        assert_eq!(layout(&ids, true).led_by, [1, 0, 1]);
        assert_eq!(cores(layout(&ids, false)), [(1_000_001, None), (2_000_001, None)]);
        assert_eq!(cores(layout(&[1, 1], true)), [(1, None)]);
    }

    #[test]
    fn every_latency_is_its_partitions_and_its_leaders() {
        let mut one = Breakdown::new(Arc::new(layout(&[1, 2, 1], false)));
        one.record(0, Kind::Produce, 1_000);
        one.record(1, Kind::Produce, 2_000);
        one.record(7, Kind::Produce, 9_000);
        let mut both = Breakdown::default();
        both.add(&one);
        both.add(&one);
        let partitions: Vec<_> =
            both.by_partition().map(|(at, share)| (at, share.of(Kind::Produce).len())).collect();
        assert_eq!(partitions, [(0, 2), (1, 2)]);
        let leaders = both.by_leader();
        let counts =
            leaders.iter().map(|(leader, led, s)| (leader.node, *led, s.of(Kind::Produce).len()));
        assert_eq!(counts.collect::<Vec<_>>(), [(1, 2, 2), (2, 1, 2)]);
        assert_eq!(leaders[0].2.of(Kind::Fetch).len(), 0);
    }

    #[test]
    fn of_very_many_partitions_only_the_leaders_are_kept_apart() {
        let ids: Vec<i32> = (0..1000).map(|partition| partition % 3).collect();
        let mut breakdown = Breakdown::new(Arc::new(layout(&ids, false)));
        (0..1000).for_each(|partition| breakdown.record(partition, Kind::Fetch, 5_000));
        assert_eq!(breakdown.by_partition().count(), 0);
        let counts = breakdown.by_leader();
        let counts: Vec<_> =
            counts.iter().map(|(_, led, s)| (*led, s.of(Kind::Fetch).len())).collect();
        assert_eq!(counts, [(334, 334), (333, 333), (333, 333)]);
    }
}
