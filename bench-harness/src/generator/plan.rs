//! Who sends which record where. Pure: every shard works out the same plan and does its own part of it.

use std::sync::Arc;

use ringlane_client::murmur2;
use ringlane_reactor::{Instant, Rng};

use super::breakdown::Layout;
use crate::record::Stream;
use crate::scenario::Scenario;
use crate::workload::KeyPicker;

/// What the conductor decided before the first record.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) topics: Vec<String>,
    /// The topic with the history, if there is one.
    pub(super) history: Option<String>,
    /// Who leads the partitions of `topics`.
    pub(super) layout: Arc<Layout>,
}

impl Run {
    pub(super) fn new(id: u64, topics: u32, has_history: bool) -> Self {
        Self {
            id,
            topics: (0..topics).map(|number| format!("{}-{number}", name(id))).collect(),
            history: has_history.then(|| format!("{}-history", name(id))),
            layout: Arc::default(),
        }
    }

    /// The place of one of the topics in their list.
    pub(super) fn topic_number(&self, topic: &str) -> usize {
        let number = topic.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
        number.expect("a topic of the run ends with its number")
    }

    /// Under which name a producer has transactions.
    pub(super) fn transactional_id(&self, producer: u32) -> String {
        format!("{}-producer-{producer}", name(self.id))
    }

    /// The id of a group.
    pub(super) fn group(&self, number: u32) -> String {
        format!("{}-group-{number}", name(self.id))
    }
}

/// What everything of a run is called, so that nobody takes it for his own.
fn name(id: u64) -> String {
    format!("ringlane-bench-{id:016x}")
}

/// The times of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The first record is meant for now.
    pub(super) start: Instant,
    /// What was meant to be sent from here on is measured ...
    pub(super) window_start: Instant,
    /// ... up to here, where sending ends.
    pub(super) window_end: Instant,
}

impl Times {
    pub(super) fn new(start: Instant, scenario: &Scenario) -> Self {
        let window_start = start + scenario.warm_up.0;
        Self { start, window_start, window_end: window_start + scenario.duration.0 }
    }

    /// Whether a record meant for `intended` counts.
    pub(super) fn is_measured(&self, intended: Instant) -> bool {
        (self.window_start..self.window_end).contains(&intended)
    }
}

/// A record's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) topic: u32,
    pub(super) partition: u32,
    pub(super) producer: u32,
    pub(super) key: Option<u32>,
    pub(super) len_bytes: usize,
}

/// Works out the place of each record.
pub(super) struct Placer {
    seed: u64,
    record_size: crate::workload::RecordSize,
    topics: u64,
    partitions: u64,
    producers: u64,
    keys: KeyPicker,
}

impl Placer {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        Self {
            seed,
            record_size: scenario.record_size,
            topics: u64::from(scenario.topics),
            partitions: u64::from(scenario.partitions),
            producers: u64::from(scenario.producers),
            keys: KeyPicker::new(scenario.keys),
        }
    }

    /// Who sends the record with this number in the schedule: each producer takes a turn through all partitions.
    pub(super) fn producer(&self, number: u64) -> u32 {
        (number / (self.topics * self.partitions) % self.producers) as u32
    }

    /// The rest of it.
    pub(super) fn place(&self, number: u64) -> Place {
        let mut rng = Rng::new(self.seed.wrapping_add(number));
        let key = self.keys.pick(&mut rng);
        let turn = number / self.topics % self.partitions;
        // Kafka's partition of a key: the hash without its sign, modulo the partitions.
        let of_key = |key: u32| u64::from(murmur2(&key_bytes(key)) as u32 & 0x7fff_ffff);
        let partition = key.map_or(turn, |key| of_key(key) % self.partitions);
        Place {
            topic: (number % self.topics) as u32,
            partition: partition as u32,
            producer: self.producer(number),
            key,
            len_bytes: self.record_size.pick(&mut rng),
        }
    }

    pub(super) fn stream(&self, place: &Place) -> Stream {
        let partition = u64::from(place.topic) * self.partitions + u64::from(place.partition);
        let stream = partition * self.producers + u64::from(place.producer);
        Stream::try_from(stream).expect("a scenario's streams have numbers")
    }
}

/// A key's bytes: its number as text.
pub(super) fn key_bytes(key: u32) -> [u8; 10] {
    let mut text = *b"0000000000";
    let mut rest = key;
    for digit in text.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::Settings;

    fn placer(text: &str) -> Placer {
        let settings = Settings::read(text).expect("settings");
        Placer::new(&Scenario::new(settings).expect("a scenario"), 1)
    }

    #[test]
    fn records_are_dealt_evenly_to_every_stream() {
        let placer = placer("topics = 2\npartitions = 3\nproducers = 2");
        let mut streams = BTreeSet::new();
        for number in 0..12 {
            let place = placer.place(number);
            assert_eq!(placer.producer(number), place.producer);
            streams.insert(placer.stream(&place));
        }
        assert_eq!(streams, (0..12).collect());
    }

    #[test]
    fn a_key_keeps_its_partition() {
        let placer = placer("partitions = 5\nkeys = \"uniform:20\"");
        let mut partitions = [None; 20];
        for number in 0..1000 {
            let place = placer.place(number);
            let known = &mut partitions[place.key.expect("a key") as usize];
            assert_eq!(*known.get_or_insert(place.partition), place.partition);
        }
        assert!(partitions.iter().flatten().collect::<BTreeSet<_>>().len() == 5);
        assert_eq!(&key_bytes(1203), b"0000001203");
    }
}
