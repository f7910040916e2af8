//! Which partition a record goes to: by its key as Java's client does, else the same one until a batch's worth of bytes went
//! there, so that few partitions fill batches instead of many starting them (KIP-480, KIP-794).

use super::murmur2::murmur2;

/// The partition of a key.
pub(super) fn of_key(key: &[u8], partition_count: usize) -> usize {
    assert!(partition_count > 0, "a topic has a partition");
    (murmur2(key) & 0x7fff_ffff) as usize % partition_count
}

/// The partition for records without a key.
#[derive(Default)]
pub(super) struct Sticky {
    current: Option<usize>,
    bytes: usize,
}

impl Sticky {
    /// The partition for a record of `bytes`, among `candidates` (the ones with a leader, in order; all when there are
    /// none). A new one is drawn by `random` once `batch_bytes` went to the old one.
    pub(super) fn next(
        &mut self,
        candidates: &[usize],
        bytes: usize,
        batch_bytes: usize,
        random: impl FnOnce() -> u64,
    ) -> usize {
        assert!(!candidates.is_empty(), "a topic has a partition");
        let stays = self.current.filter(|current| {
            self.bytes < batch_bytes && candidates.binary_search(current).is_ok()
        });
        let partition = stays.unwrap_or_else(|| {
            self.bytes = 0;
            candidates[random() as usize % candidates.len()]
        });
        self.current = Some(partition);
        self.bytes += bytes;
        partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Utils.toPositive(Utils.murmur2(key)) % 12` of Kafka 4.3.1 gives.
    #[test]
    fn keys_go_where_java_sends_them() {
        let java = [
            ("21", 0),
            ("foobar", 6),
            ("abc", 3),
            ("", 9),
            ("a-little-bit-long-string", 8),
            ("a-little-bit-longer-string", 11),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 5),
        ];
        for (key, partition) in java {
            assert_eq!(of_key(key.as_bytes(), 12), partition, "{key}");
        }
        assert_eq!(of_key(b"anything", 1), 0);
    }

    #[test]
    fn a_partition_is_kept_until_it_had_a_batch() {
        let mut sticky = Sticky::default();
        let mut next = |candidates: &[usize], random| sticky.next(candidates, 40, 100, || random);
        assert_eq!(next(&[0, 1, 2], 1), 1);
        assert_eq!(next(&[0, 1, 2], 2), 1);
        assert_eq!(next(&[0, 1, 2], 2), 1);
        assert_eq!(next(&[0, 1, 2], 2), 2, "120 bytes went to the partition before");
        assert_eq!(next(&[0, 1], 0), 0, "2 lost its leader");
    }
}
