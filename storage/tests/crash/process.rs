//! One life of a process: its shards replay the journals of whoever ran before, open the logs, settle, and begin; cleaners and
//! retention run beside the work. What it tells of its logs is kept outside, in `told.rs`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringlane_batch::{HighWatermark, LeaderEpoch, Offset, PartitionIndex};
use ringlane_reactor::{Disk, Queue, Reactor, Rng, Task};
use ringlane_storage::inspect::{LogRecovery, PartitionPath, Remedy, log_recoveries, verify_log};
use ringlane_storage::journal::JournalConfig;
use ringlane_storage::{
    Cleanable, Cleaner, CleanerConfig, Log, LogDirectory, LogKey, LogManager, LogManagerConfig,
    Recovered, StorageError, replay,
};

use crate::common::{TOPIC, manager_config};
use crate::found::Found;
use crate::invariants;
use crate::roles::Role;
use crate::told::Told;

/// How often cleaners and retention look.
const BACKGROUND_INTERVAL: Duration = Duration::from_millis(3);

/// Of each log, by number.
pub(crate) type Shared = Rc<RefCell<Vec<Told>>>;

/// What a process is started with.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) roles: Vec<Role>,
    pub(crate) told: Shared,
    /// One of each of its shards.
    pub(crate) reactors: Vec<Reactor>,
    pub(crate) epoch: i32,
    pub(crate) seed: u64,
    pub(crate) journal_files: u32,
}

/// Logs that are not opened, by number, and why.
pub(crate) type Refused = BTreeMap<usize, StorageError>;

/// See the module.
pub(crate) struct Process {
    pub(crate) start: Start,
    directory: LogDirectory,
    managers: Vec<LogManager>,
    pub(crate) logs: Vec<Log>,
    pub(crate) rng: Rng,
    background: Vec<Task<()>>,
}

pub(crate) fn data() -> &'static Path {
    Path::new("/data")
}

pub(crate) fn place(number: usize) -> (LogKey, PathBuf) {
    let partition = PartitionIndex(number as i32);
    ((TOPIC, partition), data().join(format!("orders-{number}")))
}

impl Process {
    /// Starts, and compares what is there with what was told.
    pub(crate) async fn start(start: Start) -> Self {
        let foretold = foretold(&start).await;
        let (mut process, refused) = Self::try_start(start).await.expect("an honest disk");
        assert!(refused.is_empty(), "an honest disk, and logs are refused: {refused:?}");
        for (number, end) in foretold {
            assert_eq!(process.logs[number].log_end().0, end, "log {number} ends as was foretold");
        }
        process.check().await;
        process.start_background();
        process
    }

    /// The same on a disk that may have lied: nothing is compared. With the logs that were refused; those that are there
    /// have lower numbers then.
    pub(crate) async fn try_start(start: Start) -> Result<(Self, Refused), StorageError> {
        let reactors = &start.reactors;
        let directory = LogDirectory::open(&reactors[0], data(), 1, None).await?;
        let recovered = Arc::new(recover(&directory, reactors).await?);
        let config = LogManagerConfig {
            journal: JournalConfig { files: start.journal_files, ..manager_config().journal },
            ..manager_config()
        };
        let manager = |reactor| LogManager::new(reactor, data(), recovered.clone(), config.clone());
        let managers: Vec<LogManager> = reactors.iter().map(manager).collect();
        let (mut logs, mut refused) = (Vec::new(), Refused::new());
        for number in 0..start.roles.len() {
            let manager = &managers[shard_of(number, &start)];
            match open_or_create(manager, number, &start).await {
                Ok(log) => logs.push(log),
                Err(error) => _ = refused.insert(number, error),
            }
        }
        for manager in &managers {
            manager.settle().await?;
        }
        let disk = reactors[0].disk();
        recovered.end_acceptance(&disk, data()).await?;
        for manager in &managers {
            manager.begin().await?;
        }
        recovered.remove_leftovers(&disk, data(), reactors.len() as u16).await?;
        let rng = Rng::new(start.seed);
        let background = Vec::new();
        Ok((Self { start, directory, managers, logs, rng, background }, refused))
    }

    pub(crate) fn epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.start.epoch)
    }

    pub(crate) fn role(&self, number: usize) -> Role {
        self.start.roles[number]
    }

    pub(crate) fn told<T>(&self, number: usize, act: impl FnOnce(&mut Told) -> T) -> T {
        act(&mut self.start.told.borrow_mut()[number])
    }

    /// Lets the others run. A process that was cut off at a disk operation does not come back from here: what it believes
    /// to have done does not count.
    pub(crate) async fn turn(&self) {
        self.start.reactors[0].yield_now().await;
    }

    #[expect(clippy::await_holding_refcell_ref, reason = "one task; nobody else looks meanwhile")]
    async fn check(&self) {
        for (number, log) in self.logs.iter().enumerate() {
            let mut told = self.start.told.borrow_mut();
            let told = &mut told[number];
            let found = Found::of(log, told, self.epoch()).await;
            let held = invariants::check(told, &found);
            let role = self.role(number);
            held.unwrap_or_else(|violation| panic!("log {number}, {role:?}: {violation}"));
            told.goes_on_from(&found);
        }
    }

    /// Takes note of what the log says of itself.
    pub(crate) fn look(&self, number: usize) {
        let (log, role) = (&self.logs[number], self.role(number));
        let (durable, end) = (log.durable_end().0, log.log_end().0);
        let acknowledgeable = log.acknowledgeable_end().0;
        assert!(durable <= end && acknowledgeable <= end, "no end lies behind the log's");
        self.told(number, |told| {
            let safe = if role.syncs_first() { durable.max(acknowledgeable) } else { durable };
            told.acknowledged_end = told.acknowledged_end.max(safe);
            assert!(log.log_start().0 >= told.start, "the start never goes back");
        });
    }

    fn start_background(&mut self) {
        for number in 0..self.logs.len() {
            let reactor = &self.start.reactors[shard_of(number, &self.start)];
            let (log, told) = (self.logs[number].clone(), self.start.told.clone());
            let task = match self.role(number) {
                Role::Compacted => {
                    reactor.spawn(Queue::Background, compact(reactor.clone(), log, told, number))
                }
                Role::Retained => {
                    reactor.spawn(Queue::Background, retain(reactor.clone(), log, told, number))
                }
                _ => continue,
            };
            self.background.push(task);
        }
    }

    /// Ends in order: the next start has nothing to recover.
    pub(crate) async fn close(self) {
        for (number, log) in self.logs.iter().enumerate() {
            log.close().await.expect("an honest disk");
            self.turn().await;
            let end = log.log_end().0;
            self.told(number, |told| told.acknowledged_end = told.acknowledged_end.max(end));
        }
        for manager in &self.managers {
            manager.close().await;
        }
        drop(self.background);
        self.directory.close().await.expect("an honest disk");
    }
}

impl Process {
    /// Ends in order, and has `ringlane log verify` look at what is left.
    pub(crate) async fn close_and_verify(self) {
        let (disk, count) = (self.start.reactors[0].disk(), self.logs.len());
        self.close().await;
        for number in 0..count {
            let report = verify_log(&disk, &place(number).1, None, &|_| ()).await;
            let problems = report.problems;
            assert!(problems.is_empty(), "log {number}: {problems:?}");
        }
    }
}

/// A log moves to another shard with each life, whether their number changes or not.
fn shard_of(number: usize, start: &Start) -> usize {
    (number + start.epoch as usize) % start.reactors.len()
}

/// What `log recovery` says of the logs that are there.
pub(crate) async fn recoveries(start: &Start) -> Vec<LogRecovery> {
    let (disk, mut partitions) = (start.reactors[0].disk(), Vec::new());
    for number in 0..start.roles.len() {
        let ((_, partition), path) = place(number);
        if disk.list(&path).await.is_ok() {
            partitions.push(PartitionPath { topic: "orders".into(), partition, path });
        }
    }
    let told = log_recoveries(&disk, data(), &partitions, &|_| true, &|_, _| true, &|_| ()).await;
    told.expect("an honest disk")
}

/// Where `log recovery` says that the logs would end that are there.
async fn foretold(start: &Start) -> BTreeMap<usize, i64> {
    let disk = start.reactors[0].disk();
    let told = recoveries(start).await;
    for log in &told {
        only_what_a_start_mends(&disk, log).await;
    }
    let told = told.into_iter().map(|log| {
        assert_eq!(log.problem, None, "an honest disk: log {}", log.partition);
        (log.partition.0 as usize, log.reach.expect("an honest disk").log_end_offset.0)
    });
    told.collect()
}

/// Whatever a crash leaves on an honest disk, nothing of it is lost or stays wrong.
async fn only_what_a_start_mends(disk: &Disk, log: &LogRecovery) {
    let (_, path) = place(log.partition.0 as usize);
    let report = verify_log(disk, &path, Some(log), &|_| ()).await;
    for problem in report.problems {
        let is_left = matches!(problem.remedy, Remedy::Start | Remedy::Cut | Remedy::Nothing);
        assert!(is_left, "{problem}; {}", problem.remedy);
    }
}

/// Reads the checkpoints, and replays all journals, each by the shard that a broker gives it to.
async fn recover(
    directory: &LogDirectory,
    reactors: &[Reactor],
) -> Result<Recovered, StorageError> {
    let shards = reactors.len() as u16;
    let disk = reactors[0].disk();
    let mut recovered = Recovered::read(&disk, data()).await?;
    let partitions = directory.partitions().await?;
    if !directory.was_left_cleanly() {
        let logs = partitions.iter().filter(|_| !directory.is_new());
        recovered.miss_checkpoints(&disk, data(), logs.map(|log| &*log.path)).await?;
    }
    let mut all = recovered.clone();
    for (shard, reactor) in (0..).zip(reactors) {
        for journal in recovered.journals_for(shard, shards, directory.was_left_cleanly()) {
            all.merge(replay(reactor, data(), &recovered, &partitions, journal, 3).await?);
        }
    }
    // Refused are the logs here, one by one.
    let _ = all.take_loss(data());
    Ok(all)
}

async fn open_or_create(
    manager: &LogManager,
    number: usize,
    start: &Start,
) -> Result<Log, StorageError> {
    let ((key, dir), config) = (place(number), start.roles[number].config());
    match Log::open(manager, &dir, key, config.clone()).await {
        Ok((log, _)) => Ok(log),
        Err(error @ StorageError::Corrupt { .. }) => {
            if start.told.borrow()[number].created {
                return Err(error);
            }
            let log = Log::create(manager, &dir, key, config).await?;
            start.reactors[0].yield_now().await;
            start.told.borrow_mut()[number].created = true;
            Ok(log)
        }
        Err(error) => Err(error),
    }
}

/// The cleaner of one log, as far as consumers have seen it.
async fn compact(reactor: Reactor, log: Log, told: Shared, number: usize) {
    let config = CleanerConfig { io_buffer_bytes: 1 << 10, ..CleanerConfig::default() };
    let cleaner = Cleaner::new(&reactor, config);
    loop {
        let last_stable = Offset(told.borrow()[number].cleanable_end);
        let cleaned = cleaner.clean_dirtiest(vec![Cleanable { log: log.clone(), last_stable }]);
        if let Some(cleaned) = cleaned.await {
            assert!(cleaned.to <= last_stable, "only what may be cleaned is");
        }
        reactor.sleep(BACKGROUND_INTERVAL).await;
    }
}

/// Retention of one log, as far as it is acknowledged.
async fn retain(reactor: Reactor, log: Log, told: Shared, number: usize) {
    while log.is_offline().is_none() {
        let high_watermark = HighWatermark(log.acknowledgeable_end().0);
        {
            let told = &mut told.borrow_mut()[number];
            told.may_start = told.may_start.max(high_watermark.0);
        }
        let removed = log.enforce_retention(high_watermark).await;
        assert!(removed.is_ok() || log.is_offline().is_some(), "an honest disk: {removed:?}");
        // Whoever else moves it meanwhile is not done yet.
        let start = log.log_start().0;
        reactor.yield_now().await;
        if removed.is_ok() {
            let told = &mut told.borrow_mut()[number];
            told.start = told.start.max(start);
        }
        reactor.sleep(BACKGROUND_INTERVAL).await;
    }
}
