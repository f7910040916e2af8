//! The cleaner of a shard: which logs it may clean, and its share of what the broker gives to compaction.

use std::rc::Rc;

use ringlane_storage::{Cleanable, CleanerConfig};

use crate::config::BrokerConfig;
use crate::shard::Shard;

/// What compaction reads and writes at once, at least: 0 is a setting.
const IO_BUFFER_BYTES_MIN: u64 = 1024;

/// Compacts this shard's logs for ever. Ends with the shard, after its logs are closed.
pub(crate) async fn run(shard: Rc<Shard>) {
    let cleanable = || {
        let all = shard.partitions.all().into_iter();
        all.map(|partition| Cleanable {
            last_stable: partition.last_stable_offset().offset(),
            log: partition.log.clone(),
        })
        .collect()
    };
    shard.cleaner.run(cleanable).await;
}

/// The share of one of `shards` in what the broker gives.
pub(crate) fn cleaner_config(config: &BrokerConfig, shards: u16) -> CleanerConfig {
    let shards = u64::from(shards.max(1));
    CleanerConfig {
        dedupe_buffer_bytes: config.log_cleaner_dedupe_buffer_size as u64 / shards,
        load_factor: config.log_cleaner_io_buffer_load_factor,
        io_buffer_bytes: (config.log_cleaner_io_buffer_size as u64 / shards)
            .max(IO_BUFFER_BYTES_MIN),
        io_max_bytes_per_second: config.log_cleaner_io_max_bytes_per_second / shards as f64,
        backoff_ms: config.log_cleaner_backoff_ms as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compaction_always_has_something_to_read_into() {
        let bytes = |log_cleaner_io_buffer_size| {
            let config = BrokerConfig { log_cleaner_io_buffer_size, ..BrokerConfig::defaults() };
            cleaner_config(&config, 2).io_buffer_bytes
        };
        assert_eq!((bytes(8192), bytes(1024), bytes(0)), (4096, 1024, 1024));
    }
}
