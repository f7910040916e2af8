//! Retention of one log: facts about its segments are gathered, `retention.rs` decides, and the log's start moves behind
//! what goes. The active segment is rolled first when it goes too (`UnifiedLog.deleteSegments`).

use ringlane_batch::{HighWatermark, Offset};

use super::{Log, State};
use crate::error::{AppendError, ReadError, StorageError};
use crate::retention::{Decision, Facts, decide};

impl Log {
    /// Removes the segments that the log's settings no longer want: too old, more than there shall be, or before the log's
    /// start. Nothing at or above `high_watermark` goes. Gives back how many went.
    ///
    /// # Errors
    /// The disk's, or `Offline`.
    pub async fn enforce_retention(
        &self,
        high_watermark: HighWatermark,
    ) -> Result<usize, StorageError> {
        let _files = self.0.file_turn.enter().await;
        if let Some(reason) = self.is_offline() {
            return Err(StorageError::Offline(reason));
        }
        let (mut count, looked_at) = self.expired(high_watermark).await?;
        // The active segment takes batches all the while, and may have been rolled: the next look comes to it.
        let was_rolled = looked_at < self.segment_count();
        if count == looked_at && (was_rolled || !self.roll_expired(high_watermark).await?) {
            count -= 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let start = self.0.state.borrow().segments[count].base;
        match self.move_start_in_turn(start).await {
            // On a full device no checkpoint is taken; what the last one covers goes without, and makes room.
            Err(StorageError::NotCheckpointed(_)) if self.is_offline().is_none() => {
                let covered = {
                    let state = self.0.state.borrow();
                    let point = state.offsets().recovery_point.offset();
                    state.segments[state.segment_index(point)].base
                };
                self.move_start_in_turn(covered.min(start)).await
            }
            moved => moved,
        }
    }

    /// How many of the oldest segments have to go, and how many there were.
    async fn expired(&self, high_watermark: HighWatermark) -> Result<(usize, usize), StorageError> {
        let mut facts = self.0.state.borrow().facts(self.0.opened_ms);
        loop {
            let now_ms = self.0.reactor.wall_clock_ms();
            let decision = self.0.state.borrow().decide(&facts, high_watermark, now_ms);
            match decision {
                Decision::Remove(count) => return Ok((count, facts.len())),
                Decision::Ask(index) => {
                    facts[index].newest_ms = Some(self.newest_ms(index).await?);
                }
            }
        }
    }

    /// Rolls the active segment if all segments have still to go once nobody can append; whether it did. On a full
    /// device it cannot.
    async fn roll_expired(&self, high_watermark: HighWatermark) -> Result<bool, StorageError> {
        let _appends = self.0.append_turn.enter().await;
        let now_ms = self.0.reactor.wall_clock_ms();
        let all = {
            let state = self.0.state.borrow();
            let facts = state.facts(self.0.opened_ms);
            state.decide(&facts, high_watermark, now_ms) == Decision::Remove(facts.len())
        };
        if !all {
            return Ok(false);
        }
        match self.roll(now_ms).await {
            Ok(()) => Ok(true),
            Err(AppendError::StorageFull) => Ok(false),
            Err(error) => Err(StorageError::Offline(error.to_string())),
        }
    }

    /// The largest timestamp of the segment at `index`, or what stands for it.
    async fn newest_ms(&self, index: usize) -> Result<i64, StorageError> {
        let (base, stand_in_ms): (Offset, i64) = {
            let state = self.0.state.borrow();
            (state.segments[index].base, state.stand_in_ms(index, self.0.opened_ms))
        };
        match self.segment_max_timestamp(base).await {
            Ok(newest) => Ok(newest.map_or(stand_in_ms, |newest| newest.timestamp.0)),
            Err(ReadError::Disk(reason)) => Err(StorageError::corrupt(&self.directory(), reason)),
            Err(other) => Err(StorageError::Offline(other.to_string())),
        }
    }
}

impl State {
    /// What is known of the segments without looking into their files.
    fn facts(&self, opened_ms: i64) -> Vec<Facts> {
        let facts = |index: usize| {
            let segment = &self.segments[index];
            let without_timestamps = segment.time_index.len() == 0;
            let newest_ms = match segment.max_timestamp {
                Some(newest) => Some(newest.timestamp.0),
                None => without_timestamps.then(|| self.stand_in_ms(index, opened_ms)),
            };
            Facts { end: self.segment_end(index), len: segment.len, newest_ms }
        };
        (0..self.segments.len()).map(facts).collect()
    }

    /// The age of a segment without timestamps counts from when it was created, or when the log was opened.
    fn stand_in_ms(&self, index: usize, opened_ms: i64) -> i64 {
        self.segments[index].created_ms().max(opened_ms)
    }

    fn decide(&self, facts: &[Facts], high_watermark: HighWatermark, now_ms: i64) -> Decision {
        let policy = self.config.retention_policy();
        decide(facts, policy, self.offsets().start, high_watermark, now_ms)
    }
}
