//! Has the shard's logs scrubbed in the background, within `ringlane.scrub.bytes.per.second`.

use std::rc::Rc;
use std::time::Duration;

use ringlane_storage::{Log, ScrubConfig, Scrubber};

use crate::race::race;
use crate::shard::Shard;

/// Scrubs until the shard closes its doors, as the settings say.
pub(crate) async fn run(shard: Rc<Shard>) {
    let Ok(bytes_per_second @ 1..) = u64::try_from(shard.config.scrub_bytes_per_second) else {
        return;
    };
    let interval = Duration::from_millis(shard.config.scrub_interval_ms.max(0) as u64);
    let scrubber = Scrubber::new(&shard.reactor, ScrubConfig { bytes_per_second, interval });
    let logs = || -> Vec<Log> {
        let partitions = shard.partitions.all();
        partitions.iter().map(|partition| partition.log.clone()).collect()
    };
    let passes = scrubber.run(logs, |report| {
        shard.metrics.scrubbed_bytes.add(report.bytes);
        shard.metrics.damaged_ranges_found.add(report.damaged_ranges);
    });
    race(passes, shard.closing.notified()).await;
}
