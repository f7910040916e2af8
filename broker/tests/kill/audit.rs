//! Reads every partition from its beginning to its end: offsets without a gap, every checksum right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::clients::{TIMEOUT, client};
use crate::ledger::{Ledger, digest, place};
use crate::load::STREAMS;

/// Where each partition ends.
pub(crate) type Ends = BTreeMap<(String, i32), i64>;

/// The partitions of this generation, which all end at 0.
pub(crate) fn fresh(generation: u64) -> Ends {
    let partitions = STREAMS.iter().flat_map(|stream| {
        (0..stream.partitions).map(move |partition| (stream.topic_name(generation), partition))
    });
    partitions.map(|partition| (partition, 0)).collect()
}

/// Reads everything, and compares it with the ledger; where each partition ends.
pub(crate) fn audit(address: &str, ledger: &Ledger, generation: u64) -> Ends {
    let config = [
        ("group.id", "unused"),
        ("enable.auto.commit", "false"),
        ("check.crcs", "true"),
        ("fetch.wait.max.ms", "20"),
    ];
    let consumer: BaseConsumer = client(address, &config).create().expect("a consumer");
    let (mut ends, mut next) = (fresh(generation), fresh(generation));
    let mut partitions = TopicPartitionList::new();
    for ((topic, partition), end) in &mut ends {
        let (low, high) =
            consumer.fetch_watermarks(topic, *partition, TIMEOUT).expect("watermarks");
        assert_eq!(low, 0, "the start of {topic}-{partition}");
        *end = high;
        let added = partitions.add_partition_offset(topic, *partition, Offset::Beginning);
        added.expect("a valid offset");
    }
    consumer.assign(&partitions).expect("assigned");
    let mut found = BTreeMap::new();
    let mut keys = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(120);
    while next != ends {
        assert!(Instant::now() < deadline, "read up to {next:?}, of {ends:?}");
        let message = match consumer.poll(Duration::from_millis(100)) {
            Some(message) => message.expect("a record that can be read"),
            None => continue,
        };
        let key = (message.topic().to_string(), message.partition());
        let expected = next.get_mut(&key).expect("one of the partitions");
        assert_eq!(message.offset(), *expected, "the next offset of {key:?}");
        *expected += 1;
        found.insert(place(&message), digest(&message));
        if is_exactly_once(message.topic()) {
            let key = (message.topic().to_string(), message.key().map(<[u8]>::to_vec));
            assert!(keys.insert(key), "{:?} is there twice", place(&message));
        }
    }
    ledger.compare(found);
    ends
}

/// Whether the topic's producer is idempotent.
fn is_exactly_once(topic: &str) -> bool {
    let name = topic.rsplit_once('-').map_or(topic, |(name, _)| name);
    STREAMS.iter().any(|stream| stream.name == name && stream.is_idempotent())
}
