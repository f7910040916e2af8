//! The task of each shard that removes old segments of its partitions, again and again (`LogManager.cleanupLogs`).

use std::rc::Rc;
use std::time::Duration;

use crate::shard::Shard;

/// Looks after the shard's partitions for as long as the shard lives: every `log.retention.check.interval.ms`.
pub(crate) async fn run(shard: Rc<Shard>) {
    let interval = Duration::from_millis(shard.config.log_retention_check_interval_ms as u64);
    loop {
        shard.reactor.sleep(interval).await;
        for partition in shard.partitions.all() {
            if partition.log.is_offline().is_some() {
                continue;
            }
            match partition.log.enforce_retention(partition.high_watermark()).await {
                Ok(0) => {}
                Ok(count) => {
                    let (topic, index) = (&partition.topic, partition.key.1);
                    let start = partition.log.log_start();
                    tracing::info!(
                        "removed {count} old segments of {topic}-{index}, which now starts at {start}"
                    );
                }
                Err(error) => {
                    let log = partition.log.directory();
                    tracing::warn!(log = %log.display(), "cannot remove old segments: {error}");
                }
            }
            shard.reactor.yield_now().await;
        }
    }
}
