//! Rounds of checkpoints. All logs that changed since the last one tell their state; one sync of the whole file system makes
//! it durable (a sync of each file would cost a round as many device flushes as the shard has logs); the shard's file then
//! says so; and the journal's groups before the round's beginning are free.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ringlane_reactor::{OneshotSender, oneshot};

use super::held::Turn;
use super::write_back::WriteBack;
use super::{Inner, LogManager};
use crate::error::{StorageError, is_not_begun};
use crate::journal::{Journal, Mark};
use crate::log::{Log, Plan};
use crate::shard_checkpoint::path;
use crate::turnstile::Turnstile;

/// As often it is looked which logs are idle.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);
/// So long after a round that failed there is the next, if the journal waits for one.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// So many bytes are appended at a stretch.
const STRETCH_BYTES: u64 = 64 << 10;

/// What the rounds of checkpoints have done since the manager was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RoundStats {
    /// Rounds that ended, well or not.
    pub rounds: u64,
    /// Whether one runs.
    pub running: bool,
    /// All syncs of the file system together.
    pub sync_time: Duration,
    /// The longest of them.
    pub sync_time_max: Duration,
}

/// The state of a shard's rounds.
#[derive(Default)]
pub(super) struct Rounds {
    stats: Cell<RoundStats>,
    write_back: WriteBack,
    /// Logs that changed since the last round began.
    dirty: RefCell<Vec<Log>>,
    waiting: RefCell<Vec<OneshotSender<Result<(), String>>>>,
    wanted: Cell<bool>,
    /// The next round syncs though no log may have changed.
    probes: Cell<bool>,
    running: Cell<bool>,
    sync_turn: Turnstile,
    file_turn: Turnstile,
    /// Appended since the last round began.
    bytes: Cell<u64>,
    /// Appended since an append let others have their turn.
    stretch: Cell<u64>,
}

impl LogManager {
    /// Makes everything durable that was appended before the call, and moves the recovery points behind it.
    ///
    /// # Errors
    /// The disk's. When the sync itself failed all logs are offline; a full device lets the next round try again.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        let (sender, receiver) = oneshot();
        self.0.rounds.waiting.borrow_mut().push(sender);
        self.want_round();
        match receiver.await {
            Some(outcome) => outcome.map_err(StorageError::NotCheckpointed),
            None => Err(StorageError::NotCheckpointed("the shard ends".to_string())),
        }
    }

    /// What the rounds have done so far.
    pub fn round_stats(&self) -> RoundStats {
        self.0.rounds.stats.get()
    }

    /// Takes note of a log that changed. It says so once until the next round.
    pub(crate) fn is_dirty(&self, log: &Log) {
        self.0.rounds.dirty.borrow_mut().push(log.clone());
    }

    /// Takes note of bytes that were appended: enough of them call for a round.
    pub(crate) fn appended(&self, bytes: usize) {
        let rounds = &self.0.rounds;
        rounds.bytes.set(rounds.bytes.get() + bytes as u64);
        rounds.write_back.appended(bytes as u64, &rounds.dirty.borrow());
        if rounds.bytes.get() >= self.0.config.checkpoint_interval_bytes {
            self.want_round();
        }
    }

    /// Whether who appends so many bytes shall let others go first: the journal, when it has a group to write and the shard's
    /// loop is in the midst of a request for many partitions.
    pub(crate) fn had_its_turn(&self, bytes: u64) -> bool {
        let stretch = self.0.rounds.stretch.get() + bytes;
        let is_over = stretch > STRETCH_BYTES;
        self.0.rounds.stretch.set(if is_over { 0 } else { stretch });
        is_over
    }

    /// Has a round begin soon.
    pub(crate) fn want_round(&self) {
        self.0.rounds.wanted.set(true);
        if !self.0.rounds.running.replace(true) {
            let this = self.clone();
            self.spawn_background(async move { this.run_rounds().await });
        }
    }

    /// A file of the directory has failed: a round finds out whether that goes for the whole device.
    pub fn suspect_device(&self) {
        if self.0.journal.get().is_some() && self.0.failed.borrow().is_none() {
            self.0.rounds.probes.set(true);
            self.want_round();
        }
    }

    /// Rounds by the journal's need and by the clock, for as long as the manager is used.
    pub(super) fn start_rounds(&self) {
        let (weak, reactor) = (Rc::downgrade(&self.0), self.0.reactor.clone());
        let interval = self.0.config.checkpoint_interval;
        let watch = async move {
            let mut next_round = reactor.now() + interval;
            while let Some(wanted) = wanted(&weak) {
                let rung = match wanted {
                    Some(wanted) => reactor.timeout(IDLE_INTERVAL, wanted).await.is_ok(),
                    None => true,
                };
                let Some(inner) = weak.upgrade() else { return };
                inner.open_files.close_idle(&reactor).await;
                if let Some(reason) = inner.journal.get().and_then(Journal::failed) {
                    return LogManager(inner).take_offline(&reason);
                }
                if rung || reactor.now() >= next_round {
                    let done = LogManager(inner).checkpoint().await;
                    next_round = reactor.now() + interval;
                    if done.is_err() {
                        // Nothing rings when a full device has space again.
                        reactor.sleep(RETRY_INTERVAL).await;
                    }
                }
            }
        };
        self.spawn_background(watch);
    }

    async fn run_rounds(&self) {
        while self.0.rounds.wanted.replace(false) {
            let waiting = self.0.rounds.waiting.take();
            self.count_round(true);
            let outcome = self.round().await;
            self.count_round(false);
            if let Err(error) = &outcome
                && self.0.failed.borrow().is_none()
            {
                tracing::warn!(directory = %self.0.directory.display(), %error, "no checkpoint");
            }
            for waiter in waiting {
                // Whoever asked may have gone.
                let _ = waiter.send(outcome.as_ref().map(|_| ()).map_err(ToString::to_string));
            }
        }
        self.0.rounds.running.set(false);
    }

    async fn round(&self) -> Result<(), StorageError> {
        if let Some(reason) = &*self.0.failed.borrow() {
            return Err(StorageError::Offline(reason.clone()));
        }
        if let Err(error) = self.wait_for_entries_to_keep().await {
            return Err(self.undo_round(Vec::new(), error));
        }
        let mark = self.0.journal.get().map(|journal| journal.mark());
        self.0.rounds.bytes.set(0);
        let dirty = self.take_dirty();
        let probes = self.0.rounds.probes.replace(false);
        // Entries of logs that are gone still fill the journal.
        let is_full = || self.0.journal.get().is_some_and(Journal::is_checkpoint_wanted);
        if dirty.is_empty() && !probes && !is_full() && !self.needs_whole_journal() {
            return Ok(());
        }
        if let Some(mark) = mark
            && let Err(error) = self.keep_unwritable(mark).await
        {
            return Err(self.undo_round(dirty, error));
        }
        let plans = match self.plan(&dirty).await {
            Ok(plans) => plans,
            Err(error) => return Err(self.undo_round(dirty, error)),
        };
        let needed = plans.iter().filter_map(|(_, plan)| plan.needs_groups_from).min();
        let mark = mark.map(|mark| needed.map_or(mark, |needed| needed.min(mark)));
        // The next round keeps what of it is needed.
        let mark = mark.filter(|_| !self.needs_whole_journal());
        match self.finish_round(plans, mark).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.undo_round(dirty, error)),
        }
    }

    /// The logs for a round. Each counts as clean from here, not from where its turn comes: [`Self::undo_round`] has to find
    /// those, too, that the round never came to.
    fn take_dirty(&self) -> Vec<Log> {
        let mut dirty = self.0.rounds.dirty.take();
        dirty.iter().for_each(Log::mark_clean);
        dirty.retain(|log| !self.passes_over(log));
        // Those that workers write to already come last: they will be done by then.
        dirty.sort_by_key(Log::is_leaving);
        dirty
    }

    /// What the round shall write of each log. It begins before a log's turn, for many logs at a time: workers write what it
    /// holds, and the turn finds that done. Written by the shard, all of it would take several times as long.
    async fn plan(&self, dirty: &[Log]) -> Result<Vec<(Log, Plan)>, StorageError> {
        let mut plans = Vec::with_capacity(dirty.len());
        let mut turn = Turn::default();
        let mut begun = VecDeque::new();
        for (n, log) in dirty.iter().enumerate() {
            self.hand_over(&dirty[n..], &mut begun).await;
            let begun = begun.pop_front().flatten();
            let bytes = if begun.is_some() { 0 } else { log.held_bytes() };
            let plan = match log.plan_checkpoint(begun).await {
                Err(error) if error.is_of_one_log() => {
                    self.is_unwritable(log, &error.to_string());
                    None
                }
                plan => plan?,
            };
            if let Some(plan) = plan {
                if plan.needs_groups_from.is_some() {
                    // The next round may come before the files are cut, and must not trim what this one keeps.
                    log.mark_dirty();
                }
                plans.push((log.clone(), plan));
            }
            if turn.is_over(bytes) {
                self.0.reactor.yield_now().await;
            }
        }
        Ok(plans)
    }

    async fn finish_round(
        &self,
        plans: Vec<(Log, Plan)>,
        mark: Option<Mark>,
    ) -> Result<(), StorageError> {
        self.sync_file_system().await?;
        {
            let mut checkpoint = self.0.checkpoint.borrow_mut();
            for (log, plan) in &plans {
                // A deleted log was forgotten. Of one that was truncated since, the record is as true as it was: the
                // truncation is behind it in the journal.
                if self.0.logs.borrow().contains_key(&log.key()) {
                    checkpoint.records.insert(log.key(), plan.record.clone());
                }
            }
            if let (Some(journal), Some(mark)) = (self.0.journal.get(), &mark) {
                checkpoint.first_group = journal.trimmed_to_after(*mark);
                checkpoint.extent = journal.extent();
            }
        }
        self.write_checkpoint_file().await?;
        for (log, plan) in &plans {
            match log.finish_checkpoint(plan).await {
                // The record covers the log: nothing of it is needed.
                Err(error) if error.is_of_one_log() => log.go_offline(&error.to_string()),
                finished => finished?,
            }
        }
        if let (Some(journal), Some(mark)) = (self.0.journal.get(), mark) {
            journal.trim(mark);
        }
        Ok(())
    }

    fn count_round(&self, running: bool) {
        let stats = &self.0.rounds.stats;
        let rounds = stats.get().rounds + u64::from(!running);
        stats.set(RoundStats { rounds, running, ..stats.get() });
    }

    /// Makes everything of the file system durable that was written before the call. One at a time: the kernel tells of a
    /// failed write-back once, and whoever is told ends the logs before another is told nothing.
    ///
    /// # Errors
    /// The disk's; all logs are then offline, for good. A shortage, where it could not begin.
    pub(crate) async fn sync_file_system(&self) -> Result<(), StorageError> {
        let _turn = self.0.rounds.sync_turn.enter().await;
        let synced = self.sync().await;
        if let Some(reason) = &*self.0.failed.borrow() {
            return Err(StorageError::Offline(reason.clone()));
        }
        synced.map_err(|error| {
            let is_begun = !is_not_begun(&error);
            let error = StorageError::io("sync the file system of", &self.0.directory)(error);
            if is_begun {
                // What of it is on disk is unknown, and a second sync would not tell (fsyncgate).
                self.take_offline(&error.to_string());
            }
            error
        })
    }

    async fn sync(&self) -> std::io::Result<()> {
        let (reactor, stats) = (&self.0.reactor, &self.0.rounds.stats);
        let begin = reactor.now();
        let synced = self.0.disk.sync_file_system(&self.0.directory).await;
        let (taken, before) = (reactor.now() - begin, stats.get());
        let sync_time_max = before.sync_time_max.max(taken);
        stats.set(RoundStats { sync_time: before.sync_time + taken, sync_time_max, ..before });
        synced
    }

    /// A round that failed: its logs are still behind. On a full device, or out of descriptors or threads, they go on; otherwise
    /// nothing more is acknowledged.
    fn undo_round(&self, dirty: Vec<Log>, error: StorageError) -> StorageError {
        if !error.is_shortage() {
            self.take_offline(&error.to_string());
        }
        dirty.iter().for_each(Log::mark_dirty);
        error
    }

    /// Replaces the shard's file with what is in memory. One at a time: the last words of a stop may meet a round, and both write
    /// the same file first.
    pub(super) async fn write_checkpoint_file(&self) -> Result<(), StorageError> {
        let _turn = self.0.rounds.file_turn.enter().await;
        let bytes = self.0.checkpoint.borrow().encode(self.0.shard);
        let path = path(&self.0.directory, self.0.shard);
        // Rounds go on where no inode is left: they are what frees the journal.
        let written = self.0.disk.replace_and_keep_spare(&path, &bytes).await;
        written.map_err(StorageError::io("write", &path))
    }
}

/// Rings when the journal wants a round, if it does not want one now. `None` when nobody uses the manager any more.
fn wanted(manager: &Weak<Inner>) -> Option<Option<ringlane_reactor::Notified>> {
    let manager = manager.upgrade()?;
    let journal = manager.journal.get()?;
    let wanted = journal.wants_checkpoint();
    let now = journal.failed().is_some()
        || journal.is_checkpoint_wanted() && manager.failed.borrow().is_none();
    Some((!now).then_some(wanted))
}
