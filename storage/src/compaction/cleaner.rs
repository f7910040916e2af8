//! The cleaner of a shard: picks its dirtiest log, cleans it, and looks again (Kafka's `LogCleaner`).

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use ringlane_batch::{Decompressor, Offset, TimestampMs};
use ringlane_reactor::{Instant, Notify, OpenOptions, Reactor};

use super::cleaning::{read_checkpoint, write_checkpoint};
use super::pace::Pace;
use super::plan::{self, SegmentView};
use super::rewrite::{Failure, Job, Round};
use crate::config::{CleanerConfig, CompactionConfig};
use crate::log::Log;
use crate::names::Kind;
use crate::segment::header_at;

/// A look that finds nothing waits for nothing either: one after the other, they would be all that the shard does.
const BACKOFF_MIN: Duration = Duration::from_millis(1);

/// So often at most the cleaner has a round of checkpoints begin, without which nothing of a segment that was rolled may be
/// touched: rounds come by themselves within a minute, which is long for who waits for a small topic to shrink.
const ROUND_INTERVAL: Duration = Duration::from_secs(5);

/// A log that may be cleaned, if it is compacted at all.
#[derive(Clone, Debug)]
pub struct Cleanable {
    /// The log.
    pub log: Log,
    /// Nothing from here on is touched: the last stable offset, which is at most the high watermark.
    pub last_stable: Offset,
}

/// What a round did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// The log's directory.
    pub directory: PathBuf,
    /// Everything before it was clean already.
    pub from: Offset,
    /// Everything before it is clean now.
    pub to: Offset,
    /// Bytes of the segments that were read and of what is left of them.
    pub bytes_before: u64,
    /// See above.
    pub bytes_after: u64,
}

/// See the module.
///
/// Contract: one round at a time, and no two cleaners for one log. Logs may be appended to, read, truncated, closed and
/// deleted while they are cleaned; a log that changes under the cleaner's hands is left for another round.
pub struct Cleaner {
    reactor: Reactor,
    config: RefCell<CleanerConfig>,
    config_changed: Notify,
    pace: Pace,
    /// When it last had a round of checkpoints begin.
    round_wanted_at: Cell<Option<Instant>>,
}

impl Cleaner {
    /// The cleaner of `reactor`'s shard.
    pub fn new(reactor: &Reactor, config: CleanerConfig) -> Self {
        let pace = Pace::new(reactor, config.io_max_bytes_per_second);
        let config_changed = Notify::new();
        let round_wanted_at = Cell::new(None);
        Self {
            reactor: reactor.clone(),
            config: config.into(),
            config_changed,
            pace,
            round_wanted_at,
        }
    }

    /// Changes the settings: the rate and the wait between rounds at once, the rest from the next round on.
    pub fn set_config(&self, config: CleanerConfig) {
        self.pace.set_rate(config.io_max_bytes_per_second);
        *self.config.borrow_mut() = config;
        self.config_changed.notify_all();
    }

    /// Cleans for ever, the dirtiest of `logs` first, and waits `log.cleaner.backoff.ms` when none is due. To be spawned on
    /// `Queue::Background`, and not to be dropped before the logs are closed.
    pub async fn run(&self, logs: impl Fn() -> Vec<Cleanable>) {
        loop {
            if self.clean_dirtiest(logs()).await.is_none() {
                let backoff =
                    Duration::from_millis(self.config.borrow().backoff_ms).max(BACKOFF_MIN);
                // Either way it is time to look again.
                let _ = self.reactor.timeout(backoff, self.config_changed.notified()).await;
            }
        }
    }

    /// One round: cleans the dirtiest of `logs` as far as the memory for its keys goes, or the next where that could not be
    /// cleaned, so that one full device holds up only its own logs. `None` when none is due or none could be: one that is
    /// damaged is left alone from then on (KIP-346).
    pub async fn clean_dirtiest(&self, logs: Vec<Cleanable>) -> Option<Cleaned> {
        let mut due = Vec::new();
        for cleanable in logs {
            due.extend(self.assess(cleanable).await);
        }
        due.sort_by(|a, b| b.dirty.dirtiness(&a.dirty));
        for job in &due {
            if let Some(cleaned) = self.clean(job).await {
                return Some(cleaned);
            }
        }
        None
    }

    /// What there is to clean in a log, if it is due.
    async fn assess(&self, cleanable: Cleanable) -> Option<Job> {
        let log = cleanable.log;
        let config = log.config();
        let compaction = config.compaction?;
        if !log.is_cleanable() {
            return None;
        }
        let (mut segments, truncations) = log.segment_views();
        let limit = cleanable.last_stable.min(log.settled_end());
        let touchable = plan::touchable(&segments, limit).len();
        if touchable < plan::touchable(&segments, cleanable.last_stable).len() {
            self.want_round(&log);
        }
        segments.truncate(touchable);
        if segments.is_empty() {
            return None;
        }
        let first = plan::first_dirty(self.cleaned_to(&log).await, log.log_start().offset());
        self.keep_old_enough(&log, &mut segments, first, &compaction).await;
        let dirty = plan::dirty(&segments, first);
        let is_overdue = self.is_overdue(&log, &segments, first, &compaction).await;
        // Reading may have suspended: what was seen must still be so.
        let due = dirty.is_due(&compaction, is_overdue) && log.still_has(&segments, truncations);
        due.then_some(Job { log, segments, truncations, dirty, config, compaction })
    }

    /// Has what was rolled be settled, unless that was asked for a moment ago.
    fn want_round(&self, log: &Log) {
        let now = self.reactor.now();
        if self.round_wanted_at.get().is_none_or(|wanted| wanted + ROUND_INTERVAL <= now) {
            self.round_wanted_at.set(Some(now));
            log.want_checkpoint();
        }
    }

    async fn cleaned_to(&self, log: &Log) -> Option<Offset> {
        if log.cleaned_to().is_none() {
            let file = read_checkpoint(&self.reactor.disk(), &log.directory()).await;
            log.take_over_cleaned(file);
        }
        log.cleaned_to()
    }

    /// Leaves out the dirty segments from the first that is younger than `min.compaction.lag.ms`.
    async fn keep_old_enough(
        &self,
        log: &Log,
        segments: &mut Vec<SegmentView>,
        first: Offset,
        config: &CompactionConfig,
    ) {
        if config.min_compaction_lag_ms <= 0 {
            return;
        }
        let now_ms = self.reactor.wall_clock_ms();
        let clean = segments.partition_point(|segment| segment.end <= first);
        for index in clean..segments.len() {
            let newest = log.segment_max_timestamp(segments[index].base).await;
            // One that cannot be read is not known to be old.
            let newest_ms = newest.map_or(i64::MAX, |newest| {
                newest.map_or(TimestampMs::NONE.0, |newest| newest.timestamp.0)
            });
            if plan::is_too_young(newest_ms, config, now_ms) {
                return segments.truncate(index);
            }
        }
    }

    /// Whether a dirty segment begins with a batch that is older than `max.compaction.lag.ms`.
    async fn is_overdue(
        &self,
        log: &Log,
        segments: &[SegmentView],
        first: Offset,
        config: &CompactionConfig,
    ) -> bool {
        let now_ms = self.reactor.wall_clock_ms();
        if config.max_compaction_lag_ms == i64::MAX {
            return false;
        }
        let (disk, dir) = (self.reactor.disk(), log.directory());
        for segment in segments.iter().filter(|segment| segment.end > first && segment.len > 0) {
            let path = Kind::Log.path(&dir, segment.base);
            let Ok(file) = disk.open(&path, OpenOptions::READ).await else { continue };
            if let Ok(Some(batch)) = header_at(&file, 0, segment.len).await
                && plan::is_overdue(batch.max_timestamp.0, config, now_ms)
            {
                return true;
            }
        }
        false
    }

    async fn clean(&self, job: &Job) -> Option<Cleaned> {
        let (disk, dir) = (self.reactor.disk(), job.log.directory());
        let mut round = Round {
            job,
            settings: *self.config.borrow(),
            pace: &self.pace,
            disk: &disk,
            dir: dir.clone(),
            now_ms: self.reactor.wall_clock_ms(),
            hash_key: (self.reactor.random_u64(), self.reactor.random_u64()),
            decompressor: Decompressor::new(),
        };
        let outcome = round.run().await;
        let log = dir.display();
        let done = match outcome {
            Ok(done) => done,
            Err(Failure::Changed) => return None,
            Err(Failure::Short(reason)) => {
                tracing::warn!(%log, reason, "cannot compact the log now");
                return None;
            }
            Err(Failure::Broken(reason)) => {
                job.log.mark_uncleanable();
                tracing::error!(%log, reason, "the log is not compacted any more");
                return None;
            }
        };
        let (from, to) = (job.dirty.first, done.end?);
        if !job.log.advance_cleaned(to, job.truncations) {
            return None;
        }
        if let Err(error) = write_checkpoint(&disk, &dir, to).await {
            tracing::warn!(%log, %error, "a restart will clean the log again");
        }
        let (bytes_before, bytes_after) = (done.bytes_before, done.bytes_after);
        tracing::info!(%log, %from, %to, bytes_before, bytes_after, "compacted");
        Some(Cleaned { directory: dir, from, to, bytes_before, bytes_after })
    }
}
