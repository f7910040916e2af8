//! What follows from the measurements: the sizes of the journal, whether buffered writes belong on the shard itself, and
//! whether a durable write is one. Plain functions.

use super::measure::Measured;

const MIB: u64 = 1 << 20;

/// The sizes of each shard's journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalSizes {
    /// `ringlane.journal.file.bytes`.
    pub file_bytes: u64,
    /// `ringlane.journal.files`.
    pub files: u32,
}

/// The default. A record batch may be half as long as a file: with smaller ones some would be refused that were taken
/// before the disk was measured.
const FILE_BYTES_MIN: u64 = 64 * MIB;
/// After twice as many appended bytes a round begins anyway, so longer files spare none.
const FILE_BYTES_MAX: u64 = 256 * MIB;
const FILES_MIN: u32 = 4;
const FILES_MAX: u32 = 16;
/// The journals of all shards take at most this part of the free space.
const FREE_SPACE_PART: u64 = 10;

impl JournalSizes {
    /// For `shards` shards on a disk with `free_bytes` of space.
    ///
    /// Every durable byte is written twice, to the journal and to its segment, so a shard takes at most half of its part of
    /// the bandwidth. A file holds a second of that. While a round writes back what one file held, as much comes again, and
    /// what comes while its sync waits; twice that must find room beside the file that fills, since a round may begin
    /// behind one that runs.
    pub fn choose(measured: &Measured, shards: u16, free_bytes: u64) -> Self {
        let shards = u64::from(shards.max(1));
        let shard_bytes_per_second = measured.write_bytes_per_second / 2 / shards;
        let share = free_bytes / FREE_SPACE_PART / shards;
        let fits = (share / u64::from(FILES_MIN)).max(FILE_BYTES_MIN);
        let wanted = shard_bytes_per_second.clamp(FILE_BYTES_MIN, FILE_BYTES_MAX.min(fits));
        // A power of two: figures that differ by noise give one answer.
        let file_bytes = 1 << wanted.ilog2();
        let rounds = 2.0 * (1.0 + measured.sync_seconds.clamp(0.0, 60.0));
        let files = 1 + rounds.ceil() as u32;
        let room = u32::try_from(share / file_bytes).unwrap_or(FILES_MAX);
        let files = files.clamp(FILES_MIN, FILES_MAX.min(room.max(FILES_MIN)));
        assert!((FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&file_bytes), "{file_bytes} bytes");
        Self { file_bytes, files }
    }
}

/// Where buffered writes belong (the broker writes segments inline).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferedWrites {
    /// On the shard: the call returns sooner than the ring's kernel worker answers.
    Inline,
    /// In the ring: the call itself takes longer.
    Ring,
}

impl BufferedWrites {
    /// By the time that half of the writes take.
    pub fn choose(measured: &Measured) -> Self {
        match measured.inline_write.p50_us <= measured.ring_write.p50_us {
            true => Self::Inline,
            false => Self::Ring,
        }
    }
}

/// What a durable write is worth on a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The device has a volatile cache, and a durable write takes the time of emptying it.
    Flushed,
    /// The kernel flushes nothing: the cache is protected against power loss, or somebody says so of one that is not.
    NothingToFlush,
    /// The device has a volatile cache, and durable writes are as cheap as others: protected without saying so, or ignored.
    Suspicious,
    /// It is not known what the device says of its cache.
    Unknown,
}

/// A flush that adds less than this to a plain write empties nothing.
const SUSPICIOUS_RATIO: f64 = 1.2;
/// Slower than this even a plain write reaches the medium.
const SUSPICIOUS_US_MAX: f64 = 1000.0;

impl Durability {
    /// `write_cache` is what /sys/block/*/queue/write_cache says.
    pub fn judge(measured: &Measured, write_cache: Option<&str>) -> Self {
        let durable_us = measured.smallest_durable().p50_us;
        let is_free = durable_us < measured.plain_write.p50_us * SUSPICIOUS_RATIO;
        match write_cache {
            Some("write through") => Self::NothingToFlush,
            Some("write back") if is_free && durable_us < SUSPICIOUS_US_MAX => Self::Suspicious,
            Some("write back") => Self::Flushed,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::Latency;

    fn measured(write_bytes_per_second: u64, sync_seconds: f64) -> Measured {
        Measured { write_bytes_per_second, sync_seconds, ..Measured::default() }
    }

    #[test]
    fn sizes_follow_the_disk() {
        let sizes = |mib_per_second: u64, sync_seconds, shards, free_gib: u64| {
            let chosen = JournalSizes::choose(
                &measured(mib_per_second * MIB, sync_seconds),
                shards,
                free_gib << 30,
            );
            (chosen.file_bytes / MIB, chosen.files)
        };
        assert_eq!(sizes(2000, 0.01, 16, 1000), (64, 4), "an NVMe device, 62 MiB/s a shard");
        assert_eq!(sizes(1200, 0.01, 2, 1000), (256, 4), "a fast one for two shards");
        assert_eq!(sizes(100, 1.4, 2, 1000), (64, 6), "a slow one whose syncs take long");
        assert_eq!(sizes(1200, 0.01, 2, 10), (128, 4), "a small one");
        assert_eq!(sizes(1200, 5.0, 2, 10), (128, 4), "a small one never has more than its part");
        assert_eq!(sizes(0, 0.0, 0, 0), (64, 4));
    }

    #[test]
    fn a_cheap_durable_write_is_looked_at() {
        let of = |plain: f64, durable: f64| Measured {
            plain_write: Latency { p50_us: plain, ..Latency::default() },
            durable: vec![(4096, 1, Latency { p50_us: durable, ..Latency::default() })],
            ..Measured::default()
        };
        let judge = |plain, durable, cache| Durability::judge(&of(plain, durable), cache);
        assert_eq!(judge(20.0, 21.0, Some("write through")), Durability::NothingToFlush);
        assert_eq!(judge(20.0, 21.0, Some("write back")), Durability::Suspicious);
        assert_eq!(judge(20.0, 900.0, Some("write back")), Durability::Flushed);
        assert_eq!(
            judge(8000.0, 8100.0, Some("write back")),
            Durability::Flushed,
            "a disk with heads"
        );
        assert_eq!(judge(20.0, 21.0, None), Durability::Unknown);
    }

    proptest! {
        #[test]
        fn any_disk_gives_sizes_that_the_broker_takes(
            rate in any::<u64>(), sync in any::<f64>(), shards in any::<u16>(), free in any::<u64>(),
        ) {
            let chosen = JournalSizes::choose(&measured(rate, sync), shards, free);
            prop_assert!(chosen.file_bytes.is_multiple_of(4096) && chosen.files >= 4 && chosen.files <= 16);
        }
    }
}
