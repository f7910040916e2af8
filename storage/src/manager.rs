//! What the logs of one shard share: their journal, the rounds of checkpoints that let it be recycled, the grouped syncs of
//! logs that are not durable, and the bound on open descriptors (Kafka's `LogManager`).
//!
//! The order at a start: [`crate::Recovered`] reads what is there and every shard replays journals; each shard opens its logs;
//! [`LogManager::settle`] makes durable what was replayed; and when all shards have come that far, [`LogManager::begin`]
//! recycles the journals. Durable appends wait until then.

mod files;
mod held;
mod removals;
mod rounds;
mod tails;
mod unwritable;
mod write_back;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use ringlane_reactor::{Disk, Notify, Queue, Reactor};

use crate::config::LogManagerConfig;
use crate::error::StorageError;
use crate::group_sync::GroupSync;
use crate::journal::{Extent, Journal, JournalStats};
use crate::log::{Log, Shared, SpansOut};
use crate::recovered::Recovered;
use crate::shard_checkpoint::{LogKey, ShardCheckpoint, journal_directory};

use files::OpenFiles;
use held::HeldBack;
use removals::Removals;
pub use rounds::RoundStats;
use rounds::Rounds;
use tails::Tails;
use unwritable::Unwritable;
pub(crate) use write_back::LEAST_BYTES as WRITE_BACK_BYTES_MIN;

/// So many logs are closed at a time: they share rounds of checkpoints.
const CLOSED_AT_ONCE_MAX: usize = 1024;

/// See the module. One for each shard and log directory; cheap to clone.
#[derive(Clone)]
pub struct LogManager(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) reactor: Reactor,
    pub(crate) disk: Disk,
    pub(crate) config: LogManagerConfig,
    pub(crate) recovered: Arc<Recovered>,
    pub(crate) sync: GroupSync,
    directory: PathBuf,
    shard: u16,
    journal: OnceCell<Journal>,
    /// Rings when the journal is open, or will never be.
    journal_opened: Notify,
    /// What the shard's file says, or will with the next round.
    checkpoint: RefCell<ShardCheckpoint>,
    /// Logs of which only the shard's file of before knew so far. They live elsewhere now, or nowhere; until every shard has
    /// settled, that file alone says what is on disk of them.
    moved: RefCell<BTreeSet<LogKey>>,
    /// Every log that was opened here.
    logs: RefCell<BTreeMap<LogKey, Weak<Shared>>>,
    rounds: Rounds,
    held: HeldBack,
    open_files: OpenFiles,
    removals: Removals,
    spans_out: SpansOut,
    tails: Tails,
    unwritable: Unwritable,
    failed: RefCell<Option<String>>,
    /// Rings when the directory has failed.
    has_failed: Notify,
}

impl LogManager {
    /// The logs of `reactor`'s shard in the log directory `directory`, where `recovered` was found.
    pub fn new(
        reactor: &Reactor,
        directory: &Path,
        recovered: Arc<Recovered>,
        config: LogManagerConfig,
    ) -> Self {
        let shard = reactor.shard().0;
        let found = recovered.journal(shard);
        let journal_id = found.and_then(|journal| journal.id);
        let journal_id = journal_id.unwrap_or_else(|| reactor.random_u64());
        let first_group = found.map_or(0, |journal| journal.first_group);
        let records = recovered.records_of(shard);
        let moved = records.keys().copied().collect();
        let extent = found.map_or_else(Extent::default, |journal| journal.extent);
        let shards = recovered.shards();
        let checkpoint = ShardCheckpoint { journal_id, first_group, extent, shards, records };
        Self(Rc::new(Inner {
            reactor: reactor.clone(),
            disk: reactor.disk(),
            sync: GroupSync::new(reactor, config.concurrent_syncs_max),
            open_files: OpenFiles::new(config.open_logs_max),
            spans_out: SpansOut::new(config.open_logs_max),
            held: HeldBack::new(config.held),
            tails: Tails::new(config.tail_bytes_max),
            directory: directory.to_path_buf(),
            shard,
            config,
            recovered,
            journal: OnceCell::new(),
            journal_opened: Notify::new(),
            checkpoint: RefCell::new(checkpoint),
            moved: RefCell::new(moved),
            logs: RefCell::default(),
            rounds: Rounds::default(),
            removals: Removals::default(),
            unwritable: Unwritable::default(),
            failed: RefCell::default(),
            has_failed: Notify::new(),
        }))
    }

    pub(crate) fn spans_out(&self) -> &SpansOut {
        &self.0.spans_out
    }

    /// The log directory.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// Makes what was replayed into the logs of this shard durable, and says so in the shard's file. What journals held
    /// is still needed until every shard has come this far.
    ///
    /// # Errors
    /// The disk's.
    pub async fn settle(&self) -> Result<(), StorageError> {
        let directory = journal_directory(&self.0.directory);
        let disk = &self.0.disk;
        disk.create_dir_all(&directory).await.map_err(StorageError::io("create", &directory))?;
        let parent = &self.0.directory;
        disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
        self.checkpoint().await?;
        self.write_checkpoint_file().await
    }

    /// Recycles the shard's journal, and lets durable appends begin.
    ///
    /// # Errors
    /// The disk's.
    pub async fn begin(&self) -> Result<(), StorageError> {
        let found = self.0.recovered.journal(self.0.shard);
        let (journal_id, next_group) = {
            let mut checkpoint = self.0.checkpoint.borrow_mut();
            let next_group = found.map_or(0, |journal| journal.next_group).max(1);
            assert!(checkpoint.first_group <= next_group, "a journal's groups only grow");
            checkpoint.first_group = next_group;
            // The files are changed at will now.
            (checkpoint.extent, checkpoint.shards) = (Extent::default(), 0);
            let moved = self.0.moved.take();
            checkpoint.records.retain(|key, _| !moved.contains(key));
            (checkpoint.journal_id, next_group)
        };
        self.write_checkpoint_file().await?;
        let directory = journal_directory(&self.0.directory);
        let (reactor, config) = (&self.0.reactor, self.0.config.journal);
        let opened =
            Journal::open(reactor, &directory, self.0.shard, config, journal_id, next_group);
        let journal = opened.await?;
        {
            let mut checkpoint = self.0.checkpoint.borrow_mut();
            let shards = reactor.shard_count();
            (checkpoint.extent, checkpoint.shards) = (journal.extent(), shards);
        }
        // Before the first group: without it, files that are lost later would not be missed.
        self.write_checkpoint_file().await?;
        assert!(self.0.journal.set(journal).is_ok(), "a journal is opened once");
        self.0.journal_opened.notify_all();
        self.start_rounds();
        Ok(())
    }

    /// The journal, once it is open.
    ///
    /// # Errors
    /// Why there will be none.
    pub(crate) async fn journal(&self) -> Result<&Journal, String> {
        loop {
            let opened = self.0.journal_opened.notified();
            if let Some(reason) = &*self.0.failed.borrow() {
                return Err(reason.clone());
            }
            if let Some(journal) = self.0.journal.get() {
                return Ok(journal);
            }
            opened.await;
        }
    }

    /// What the journal has done; nothing before it is open.
    pub fn journal_stats(&self) -> JournalStats {
        self.0.journal.get().map(Journal::stats).unwrap_or_default()
    }

    /// Closes what logs are open still, as those are that came into being in the midst of a stop, ends the journal, and lets go of its
    /// files. Answers whether the next start finds in the logs all that there is: it need not look into the journal then.
    pub async fn close(&self) -> bool {
        while self.close_open_logs().await {}
        if self.needs_whole_journal() {
            // The last round found that it does. An error takes the directory offline.
            drop(self.checkpoint().await);
        }
        if let Some(journal) = self.0.journal.get() {
            journal.close().await;
        }
        // What came into being since then has nothing in the journal.
        let has_all = self.is_offline().is_none() && !self.needs_whole_journal();
        has_all && self.let_go_of_groups().await
    }

    /// Closes the logs that are open. Answers whether there were any.
    async fn close_open_logs(&self) -> bool {
        let logs: Vec<_> = self.0.logs.borrow().values().filter_map(Weak::upgrade).collect();
        let open: Vec<_> = logs.into_iter().filter(|log| !log.is_closed()).map(Log).collect();
        let any = !open.is_empty();
        // An error takes the directory offline.
        let close = async |log: Log| drop(log.close().await);
        let at_a_time = self.at_a_time(CLOSED_AT_ONCE_MAX);
        self.0.reactor.for_each(Queue::Background, at_a_time, open, close).await;
        any
    }

    /// Says on disk that no group is needed, every log being closed in order. The next start counts its groups from there: were a number
    /// used twice, it would find the old ones behind the new ones and take what lies between for lost.
    async fn let_go_of_groups(&self) -> bool {
        let Some(journal) = self.0.journal.get() else { return true };
        let next_group = journal.trimmed_to_after(journal.mark());
        let is_recorded = {
            let mut checkpoint = self.0.checkpoint.borrow_mut();
            (checkpoint.extent, checkpoint.shards) = (Extent::default(), 0);
            std::mem::replace(&mut checkpoint.first_group, next_group) == next_group
        };
        match self.write_checkpoint_file().await {
            Err(error) if !is_recorded => {
                tracing::warn!(%error, "the journal's end is not recorded: the next start checks every log");
                false
            }
            // What it says of the files is still true, and not asked for after a clean stop.
            _ => true,
        }
    }

    /// A log that was opened or created here, and from now on belongs to the rounds.
    pub(crate) fn register(&self, log: &Log) {
        let before = self.0.logs.borrow_mut().insert(log.key(), Rc::downgrade(&log.0));
        let alive = before.and_then(|before| before.upgrade()).is_some_and(|log| !log.is_closed());
        assert!(!alive, "a log is open once");
    }

    /// Keeps the record that was found of a log which is about to be opened: also if that fails.
    pub(crate) fn adopt(&self, key: LogKey) {
        self.0.moved.borrow_mut().remove(&key);
        if let Some(record) = self.0.recovered.record(key) {
            self.0.checkpoint.borrow_mut().records.insert(key, record.clone());
        }
    }

    /// Keeps what was recorded of logs that lie here and that no shard opens. What is kept of their entries goes on from there:
    /// without it, it would have a gap in front of it, and pass for lost.
    pub fn keep_records(&self, keys: &[LogKey]) {
        let shards = self.0.reactor.shard_count();
        let file_of = |key: &&LogKey| self.0.recovered.file_of(**key);
        let is_own = |key: &&LogKey| file_of(key).is_some_and(|file| file % shards == self.0.shard);
        keys.iter().filter(is_own).for_each(|key| self.adopt(*key));
    }

    /// Forgets a log that was deleted.
    pub(crate) fn forget(&self, key: LogKey) {
        self.0.logs.borrow_mut().remove(&key);
        self.0.checkpoint.borrow_mut().records.remove(&key);
        self.forget_unwritable(key);
    }

    /// The directory has failed: none of its logs takes or acknowledges anything from now on. The first reason counts.
    pub fn take_offline(&self, reason: &str) {
        self.0.failed.borrow_mut().get_or_insert_with(|| reason.to_string());
        if let Some(journal) = self.0.journal.get() {
            // No round will free a file of it any more: who waits for one would wait for ever.
            journal.abandon(reason);
        }
        self.0.journal_opened.notify_all();
        self.0.has_failed.notify_all();
        let logs: Vec<_> = self.0.logs.borrow().values().filter_map(Weak::upgrade).collect();
        for log in logs {
            log.go_offline_with_directory(reason);
        }
    }

    /// Why the directory is offline.
    pub fn is_offline(&self) -> Option<String> {
        self.0.failed.borrow().clone()
    }

    /// Ready when the directory has failed, with the reason: a write of the journal, a sync, or whoever else found out.
    pub async fn failed(&self) -> String {
        loop {
            let failed = self.0.has_failed.notified();
            if let Some(reason) = self.is_offline() {
                return reason;
            }
            failed.await;
        }
    }

    fn spawn_background(&self, task: impl Future<Output = ()> + 'static) {
        self.0.reactor.spawn(Queue::Background, task).detach();
    }
}
