//! Appending: admit the batch, roll if it does not fit, stamp it, write it or hold it back. Rolling is the only part that may
//! suspend.

use std::io;
use std::rc::Rc;

use ringlane_batch::{
    BatchView, LeaderEpoch, Offset, TimestampMs, TimestampType, stamp, stamp_log_append_time,
};
use ringlane_reactor::OpenOptions;

use super::state::FlushDue;
use super::{Log, State};
use crate::error::{AppendError, is_shortage, is_storage_full};
use crate::journal::{Client, EntryHead, EntryKind, Journal, JournalError, Room};
use crate::names::Kind;
use crate::producer_state::{self, Verdict};
use crate::segment::{Files, RollLimits, Segment};

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The leader, for a client or for a coordinator: the batch gets its offset and epoch here, and its sequence must
    /// follow its producer's last.
    Client,
    /// A follower: the batch keeps the offset and epoch that its leader gave it.
    Replication,
}

/// Where a batch is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record. Durable once the durable end is above it.
    pub last_offset: Offset,
    /// The timestamp that the append gave its records, if it did (`message.timestamp.type=LogAppendTime`).
    pub log_append_time_ms: Option<i64>,
}

impl Log {
    /// Appends one batch that was validated: whole, of version 2, its CRC right, its records countable. Stamps it in
    /// place. `epoch` is the leader's own for [`Origin::Client`] and that of the leader fetched from for
    /// [`Origin::Replication`]. Ready at its first poll unless a segment has to be rolled, an earlier append waits for that, or
    /// the shard appended so much at a stretch that others are to have their turn.
    ///
    /// # Errors
    /// As [`AppendError`] tells; the log is then unchanged.
    pub async fn append(
        &self,
        batch: &mut [u8],
        epoch: LeaderEpoch,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let _turn = self.0.append_turn.enter().await;
        if self.0.manager.had_its_turn(batch.len() as u64) {
            // Behind those who append to this log later: they wait for their turn.
            self.0.reactor.yield_now().await;
        }
        let must_roll = self.0.state.borrow().admit(batch, epoch, origin, now_ms)?;
        if must_roll {
            self.roll(now_ms).await?;
        }
        let mut room = self.reserve(batch.len()).await?;
        // Last: whoever waits for room for long finds the files closed.
        self.open_active().await?;
        while room.is_none() && self.0.state.borrow().config.durable {
            // Switched on while the files were opened.
            room = self.reserve(batch.len()).await?;
            self.open_active().await?;
        }
        // From here on nothing waits: the segment, the journal and the log's memory change together.
        let could_hold = self.0.state.borrow().could_hold(batch.len());
        let hold = could_hold && self.0.manager.may_hold(batch.len() as u64);
        if hold {
            self.lend_spare();
        }
        let written = self.change(|state| state.write(batch, epoch, origin, now_ms, hold));
        let (appended, head) = match written {
            Ok(written) => written,
            Err(error) => return Err(self.offline_if_it_says_so(error)),
        };
        match (room, head) {
            (Some((journal, room)), Some(head)) => {
                let client: Rc<dyn Client> = self.0.clone();
                if let Err(error) = journal.add(room, &head, batch, &client) {
                    self.0.go_offline_with_directory(&error.to_string());
                    return Err(AppendError::Offline(error.to_string()));
                }
            }
            _ => {
                self.register_if_wanted();
                self.arm_flush_timer();
            }
        }
        self.mark_dirty();
        self.0.manager.appended(batch.len());
        Ok(appended)
    }

    /// Takes the log offline where `error` says that it is.
    fn offline_if_it_says_so(&self, error: AppendError) -> AppendError {
        if let AppendError::Offline(reason) = &error {
            self.go_offline(reason);
        }
        error
    }

    /// Opens the active segment if it was closed while nobody appended. It is open when this returns.
    async fn open_active(&self) -> Result<(), AppendError> {
        let (dir, base) = {
            let mut state = self.0.state.borrow_mut();
            state.was_used = true;
            if state.active().files.is_some() {
                return Ok(());
            }
            (state.dir.clone(), state.active().base)
        };
        let _turn = self.0.manager.turn_to_open().await;
        // Asked for so, the ring opens them at once where the kernel knows their names; to make a file it needs a worker.
        let opened = match Files::open(&self.0.disk, &dir, base, OpenOptions::WRITE).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Files::open(&self.0.disk, &dir, base, OpenOptions::CREATE).await
            }
            opened => opened,
        };
        match opened {
            Ok(files) => self.0.state.borrow_mut().active_mut().files = Some(files),
            Err(error) if is_shortage(&error) => return Err(AppendError::StorageFull),
            Err(error) => {
                let reason = format!("cannot open the active segment: {error}");
                self.go_offline(&reason);
                return Err(AppendError::Offline(reason));
            }
        }
        self.0.manager.opened_files(self);
        Ok(())
    }

    /// Room in the journal for a batch of a durable log.
    async fn reserve(&self, len: usize) -> Result<Option<(Journal, Room)>, AppendError> {
        if !self.0.state.borrow().config.durable {
            return Ok(None);
        }
        let journal = self.0.manager.journal().await.map_err(AppendError::Offline)?.clone();
        match journal.reserve(len).await {
            Ok(room) => Ok(Some((journal, room))),
            Err(JournalError::TooLarge { bytes, max }) => {
                Err(AppendError::LargerThanSegment { len: bytes, segment_bytes: max as u64 })
            }
            Err(error) => {
                self.0.go_offline_with_directory(&error.to_string());
                Err(AppendError::Offline(error.to_string()))
            }
        }
    }

    /// Completes the active segment and opens the next at the log's end.
    pub(super) async fn roll(&self, now_ms: i64) -> Result<(), AppendError> {
        if let Err(error) = self.write_held() {
            let error = self.0.state.borrow().failed_write(&error);
            return Err(self.offline_if_it_says_so(error));
        }
        let (dir, base) = {
            let mut state = self.0.state.borrow_mut();
            // From here on a name may be on disk: no append may pass it.
            state.rolling = true;
            (state.dir.clone(), state.offsets().end.offset())
        };
        let opened = Files::open(&self.0.disk, &dir, base, OpenOptions::CREATE_EMPTY).await;
        let files = match opened {
            Ok(files) => files,
            Err(error) => return Err(self.undo_roll(base, &error).await),
        };
        let rolled = self.0.state.borrow_mut().install(base, files, now_ms);
        self.0.state.borrow_mut().active_mut().roll_lot = self.0.reactor.random_u64();
        if let Err(error) = rolled {
            let reason = format!("cannot write the indexes of a complete segment: {error}");
            self.go_offline(&reason);
            return Err(AppendError::Offline(reason));
        }
        self.0.manager.opened_files(self);
        Ok(())
    }

    /// Takes back the names of a segment that could not be opened, as the device was full or out of descriptors.
    async fn undo_roll(&self, base: Offset, error: &io::Error) -> AppendError {
        let dir = self.directory();
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex] {
            let removed = self.0.disk.remove_file(&kind.path(&dir, base)).await;
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let reason = format!("cannot remove a segment that was never used: {error}");
                    self.go_offline(&reason);
                    return AppendError::Offline(reason);
                }
                _ => {}
            }
        }
        self.0.state.borrow_mut().rolling = false;
        match is_shortage(error) {
            true => AppendError::StorageFull,
            false => AppendError::Offline(format!("cannot open a new segment: {error}")),
        }
    }
}

impl State {
    /// Whether `batch` may be appended, and whether the active segment must be rolled for it.
    fn admit(
        &self,
        batch: &[u8],
        epoch: LeaderEpoch,
        origin: Origin,
        now_ms: i64,
    ) -> Result<bool, AppendError> {
        if let Some(reason) = self.offline_reason() {
            return Err(AppendError::Offline(reason.to_string()));
        }
        let view = parse(batch)?;
        let last = match origin {
            Origin::Client => self.admit_client(&view, epoch)?,
            Origin::Replication => self.admit_replica(&view, epoch)?,
        };
        let segment_bytes = self.config.segment_bytes_bounded();
        // Followers take what the leader took: its setting may have been larger.
        if origin == Origin::Client && batch.len() as u64 > segment_bytes {
            return Err(AppendError::LargerThanSegment { len: batch.len(), segment_bytes });
        }
        let timestamp = match self.append_time_ms(origin, now_ms) {
            Some(now_ms) => TimestampMs(now_ms),
            None => view.max_timestamp(),
        };
        let limits = RollLimits::of(&self.config);
        let len = batch.len() as u64;
        Ok(self.rolling || self.active().must_roll(len, last, timestamp, limits, now_ms))
    }

    /// Checks a batch of this leader's own; the offset that its last record gets.
    fn admit_client(
        &self,
        batch: &BatchView<'_>,
        epoch: LeaderEpoch,
    ) -> Result<Offset, AppendError> {
        self.admit_epoch(epoch)?;
        let producer_id = batch.producer_id();
        match self.producers.judge(batch) {
            Verdict::Next => {
                Ok(self.offsets().end.offset().plus(i64::from(batch.last_offset_delta())))
            }
            Verdict::Duplicate(seen) => Err(AppendError::Duplicate(Appended {
                base_offset: seen.base_offset(),
                last_offset: seen.last_offset,
                log_append_time_ms: self
                    .append_time_ms(Origin::Client, seen.max_timestamp.0)
                    .filter(|time| *time >= 0),
            })),
            Verdict::OutOfOrder(last) => Err(AppendError::OutOfOrderSequence {
                producer_id,
                found: batch.base_sequence(),
                last,
            }),
            Verdict::Fenced(current) => Err(AppendError::InvalidProducerEpoch {
                producer_id,
                found: batch.producer_epoch(),
                current,
            }),
        }
    }

    /// Checks a batch that a leader of `epoch` sent; the offset of its last record.
    fn admit_replica(
        &self,
        batch: &BatchView<'_>,
        epoch: LeaderEpoch,
    ) -> Result<Offset, AppendError> {
        // KAFKA-18723: a leader cannot have batches of later epochs than its own.
        if batch.leader_epoch() > epoch {
            let (found, current) = (batch.leader_epoch(), epoch);
            return Err(AppendError::FencedLeaderEpoch { found, current });
        }
        self.admit_epoch(batch.leader_epoch())?;
        // A compacted leader leaves gaps; nothing may overlap.
        let (found, log_end) = (batch.base_offset(), self.offsets().end);
        if found < log_end.offset() {
            return Err(AppendError::UnexpectedOffset { found, log_end });
        }
        Ok(batch.last_offset())
    }

    fn admit_epoch(&self, found: LeaderEpoch) -> Result<(), AppendError> {
        let current = self.epochs.latest();
        match found >= current && found > LeaderEpoch::NONE {
            true => Ok(()),
            false => Err(AppendError::FencedLeaderEpoch { found, current }),
        }
    }

    /// The timestamp an append at `now_ms` gives, if the topic asks for that. Followers keep the leader's.
    fn append_time_ms(&self, origin: Origin, now_ms: i64) -> Option<i64> {
        let stamps = self.config.timestamp_type == TimestampType::LogAppendTime;
        (origin == Origin::Client && stamps).then_some(now_ms)
    }

    /// Adds an admitted batch to the active segment.
    fn write(
        &mut self,
        batch: &mut [u8],
        epoch: LeaderEpoch,
        origin: Origin,
        now_ms: i64,
        hold: bool,
    ) -> Result<(Appended, Option<EntryHead>), AppendError> {
        if let Some(reason) = self.offline_reason() {
            return Err(AppendError::Offline(reason.to_string()));
        }
        let log_append_time_ms = self.append_time_ms(origin, now_ms);
        if origin == Origin::Client {
            stamp(batch, self.offsets().end.offset(), epoch);
        }
        if let Some(now_ms) = log_append_time_ms {
            stamp_log_append_time(batch, TimestampMs(now_ms));
        }
        let view = parse(batch)?;
        let (segment_base, position) = (self.active().base, self.active().len);
        if let Err(error) = self.add(&view, hold) {
            return Err(self.failed_write(&error));
        }
        self.note_appended(&view, now_ms);
        let head = self.journal_head(view.base_offset(), segment_base, position);
        self.active_mut()
            .flush_indexes_if_long()
            .or_else(ignore_full)
            .map_err(|error| AppendError::Offline(format!("cannot write to an index: {error}")))?;
        let (base_offset, last_offset) = (view.base_offset(), view.last_offset());
        Ok((Appended { base_offset, last_offset, log_append_time_ms }, head))
    }

    /// The journal's entry for the batch that was just appended; on a log that is not durable, what there is instead.
    fn journal_head(
        &mut self,
        base_offset: Offset,
        segment_base: Offset,
        position: u64,
    ) -> Option<EntryHead> {
        let end = self.offsets().end.offset();
        if !self.config.durable {
            // Until a sync covers this batch, the journal proves nothing of what follows it.
            self.journal_from = end;
            self.unflushed_records += end.distance_from(base_offset).unsigned_abs();
            if self.unflushed_records >= self.config.flush_messages {
                self.unflushed_records = 0;
                let from = self.flush_due.map_or(base_offset, |due| due.from.min(base_offset));
                self.flush_due = Some(FlushDue { from, end });
            }
            return None;
        }
        let log_sequence = self.next_sequence();
        self.journaling.push_back((log_sequence, end));
        let (topic_id, partition) = self.key;
        Some(EntryHead {
            kind: EntryKind::Batch,
            topic_id,
            partition,
            log_sequence,
            base_offset,
            segment_base,
            position: u32::try_from(position).expect("a segment rolls below 2 GiB"),
        })
    }

    /// Takes note of a batch that is in the active segment.
    fn note_appended(&mut self, batch: &BatchView<'_>, now_ms: i64) {
        assert!(batch.base_offset() >= self.offsets().end.offset(), "offsets only grow");
        self.assign_epoch(batch.leader_epoch(), batch.base_offset());
        self.producers.observe(batch, now_ms);
        let end = batch.next_offset();
        self.move_offsets(|offsets| offsets.end.0 = end.0);
    }

    fn failed_write(&self, error: &io::Error) -> AppendError {
        if !is_storage_full(error) {
            return AppendError::Offline(format!("cannot write to the log: {error}"));
        }
        match self.active().cut_back() {
            Ok(()) => AppendError::StorageFull,
            Err(error) => AppendError::Offline(format!("cannot take back a write: {error}")),
        }
    }

    /// Makes the segment of `files` the active one.
    fn install(&mut self, base: Offset, files: Files, now_ms: i64) -> io::Result<()> {
        assert_eq!(base, self.offsets().end.offset(), "nothing was appended while it was opened");
        assert!(base > self.active().base, "an empty segment is not rolled");
        match self.active_mut().finish() {
            Ok(()) => self.active_mut().files = None,
            Err(error) => ignore_full(error)?,
        }
        let snapshot = producer_state::encode(&self.producers);
        self.snapshots_waiting.push((base, snapshot));
        self.segments.push(Segment::new(base, files, now_ms));
        self.names_changed += 1;
        self.rolling = false;
        Ok(())
    }
}

/// Index entries that find no room go on waiting in memory: the batches themselves are written.
fn ignore_full(error: io::Error) -> io::Result<()> {
    if is_storage_full(&error) { Ok(()) } else { Err(error) }
}

fn parse(batch: &[u8]) -> Result<BatchView<'_>, AppendError> {
    let view = BatchView::parse(batch).map_err(|e| AppendError::Malformed(e.to_string()))?;
    if view.len() != batch.len() || view.last_offset_delta() < 0 {
        return Err(AppendError::Malformed("these bytes are not exactly one batch".to_string()));
    }
    Ok(view)
}
