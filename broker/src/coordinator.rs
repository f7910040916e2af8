//! The shell around the group coordinator's pure core: one [`Coordinator`] for each partition of `__consumer_offsets` that
//! this shard leads. It reads the partition's records before it answers, appends what the core wants stored, in the core's
//! order, tells it how that ended, wakes it at its deadlines, and hands its answers to those who wait.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, Offset, PartitionIndex, TimestampMs, batches,
};
use ringlane_reactor::{
    Notify, OneshotReceiver, OneshotSender, Queue, Reactor, ShardId, Task, oneshot,
};
use ringlane_storage::Origin;
use ringlane_wire::ErrorCode;
use tracing::{error, info, warn};

use crate::apis::OFFSETS_TOPIC;
use crate::config::BrokerConfig;
use crate::group::{
    Answer, Append, AppendError, Effects, GroupConfig, Groups, Now, Replay, RequestToken,
    partition_for,
};
use crate::partition::{Partition, PartitionKey};
use crate::race::race;
use crate::shard::Shard;

/// How much of the partition one read brings while its groups are loaded.
const LOAD_BYTES: usize = 1 << 20;

/// What a batch of offsets may decompress to.
const BATCH_BYTES_MAX: usize = 100 << 20;

/// The least time between two attempts to read a partition that could not be read.
const LOAD_AGAIN: Duration = Duration::from_secs(3);

/// The coordinators of a shard, by partition of `__consumer_offsets`.
#[derive(Default)]
pub(crate) struct Coordinators {
    running: RefCell<BTreeMap<PartitionIndex, Running>>,
}

struct Running {
    key: PartitionKey,
    coordinator: Rc<Coordinator>,
    /// Ends with the coordinator.
    _task: Task<()>,
}

impl Coordinators {
    /// Takes up coordinating the groups of `partition`, if it is one of `__consumer_offsets`.
    pub(crate) fn elect(&self, shard: &Rc<Shard>, partition: &Rc<Partition>) {
        if &*partition.topic != OFFSETS_TOPIC {
            return;
        }
        let coordinator = Rc::new(Coordinator::new(&shard.reactor, partition.clone()));
        let config = group_config(&shard.config);
        let task = shard.reactor.spawn(Queue::Client, run(coordinator.clone(), config));
        let running = Running { key: partition.key, coordinator, _task: task };
        self.running.borrow_mut().insert(partition.key.1, running);
    }

    /// Stops coordinating the groups of that partition: whoever waits is told to look for the coordinator again.
    pub(crate) fn resign(&self, key: PartitionKey) {
        let mut all = self.running.borrow_mut();
        if all.get(&key.1).is_some_and(|running| running.key == key)
            && let Some(running) = all.remove(&key.1)
        {
            running.coordinator.unload();
        }
    }

    fn find(&self, index: PartitionIndex) -> Option<Rc<Coordinator>> {
        self.running.borrow().get(&index).map(|running| running.coordinator.clone())
    }

    /// Lets every group forget its offsets of topics that were deleted.
    pub(crate) fn forget_topics(&self, topics: &[&str]) {
        for coordinator in self.loaded() {
            // Without groups it has just resigned, and another has them.
            let _ = coordinator.with(|groups, _| ((), groups.forget_topics(topics)));
        }
    }

    /// All that have loaded their groups.
    pub(crate) fn loaded(&self) -> Vec<Rc<Coordinator>> {
        let running = self.running.borrow();
        let all = running.values().map(|running| running.coordinator.clone());
        all.filter(|coordinator| coordinator.groups.borrow().is_some()).collect()
    }
}

fn group_config(config: &BrokerConfig) -> GroupConfig {
    GroupConfig {
        min_session_timeout_ms: config.group_min_session_timeout_ms,
        max_session_timeout_ms: config.group_max_session_timeout_ms,
        initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
        max_size: config.group_max_size as usize,
        pending_members_max: config.group_pending_members_max as usize,
        groups_max: config.groups_per_partition_max as usize,
        offset_metadata_max_bytes: config.offset_metadata_max_bytes as usize,
        offsets_retention_ms: i64::from(config.offsets_retention_minutes) * 60_000,
        ..GroupConfig::default()
    }
}

/// The groups of one partition of `__consumer_offsets`.
///
/// Contract: the core is borrowed for one call at a time and never across an await. Appends leave in the order in which the
/// core asked for them, because one task alone takes them from the queue.
pub(crate) struct Coordinator {
    reactor: Reactor,
    partition: Rc<Partition>,
    /// `None` until the partition's records are read, and after the end in office.
    groups: RefCell<Option<Groups>>,
    /// What is answered while there are no groups.
    absent: Cell<ErrorCode>,
    /// Rings when there are none and somebody asks.
    asked: Notify,
    waiting: RefCell<BTreeMap<RequestToken, OneshotSender<Answer>>>,
    next_token: Cell<u64>,
    appends: RefCell<VecDeque<Append>>,
    changed: Notify,
}

impl Coordinator {
    fn new(reactor: &Reactor, partition: Rc<Partition>) -> Self {
        Self {
            reactor: reactor.clone(),
            partition,
            groups: RefCell::new(None),
            absent: Cell::new(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            asked: Notify::new(),
            waiting: RefCell::default(),
            next_token: Cell::new(0),
            appends: RefCell::default(),
            changed: Notify::new(),
        }
    }

    /// Both clocks.
    pub(crate) fn now(&self) -> Now {
        Now { instant: self.reactor.now(), wall_clock_ms: self.reactor.wall_clock_ms() }
    }

    /// Looks at the groups, or changes them without anyone waiting.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS while the records are read for the first time; NOT_COORDINATOR when they could not be
    /// read, and after the end in office: the client looks for the coordinator again.
    pub(crate) fn with<R>(
        &self,
        act: impl FnOnce(&mut Groups, Now) -> (R, Effects),
    ) -> Result<R, ErrorCode> {
        let (result, effects) = {
            let mut groups = self.groups.borrow_mut();
            let Some(groups) = groups.as_mut() else {
                self.asked.notify_all();
                return Err(self.absent.get());
            };
            act(groups, self.now())
        };
        self.carry_out(effects);
        Ok(result)
    }

    /// Asks something that is answered later; the future is the answer.
    pub(crate) fn ask(
        &self,
        act: impl FnOnce(&mut Groups, RequestToken, Now) -> Effects,
    ) -> Result<OneshotReceiver<Answer>, ErrorCode> {
        let token = RequestToken(self.next_token.replace(self.next_token.get() + 1));
        let (sender, receiver) = oneshot();
        self.waiting.borrow_mut().insert(token, sender);
        let asked = self.with(|groups, now| ((), act(groups, token, now)));
        if let Err(error_code) = asked {
            self.waiting.borrow_mut().remove(&token);
            return Err(error_code);
        }
        Ok(receiver)
    }

    fn carry_out(&self, effects: Effects) {
        self.answer(effects.answers);
        self.appends.borrow_mut().extend(effects.appends);
        // A deadline may have moved, too.
        self.changed.notify_all();
    }

    fn answer(&self, answers: Vec<Answer>) {
        for answer in answers {
            let waiter = self.waiting.borrow_mut().remove(&answer.token());
            let waiter = waiter.expect("an answer is for someone who waits");
            // The client may have gone; its member is then removed when its session ends.
            let _ = waiter.send(answer);
        }
    }

    fn unload(&self) {
        self.absent.set(ErrorCode::NOT_COORDINATOR);
        if let Some(groups) = self.groups.borrow_mut().take() {
            self.answer(groups.unload(self.now()));
        }
        self.waiting.borrow_mut().clear();
    }

    /// Reads the partition's records, however often it takes: again when somebody asks for a group, after a while.
    async fn load_at_last(&self, config: GroupConfig) {
        let mut reported = None;
        while let Err(problem) = self.load(config.clone()).await {
            self.absent.set(ErrorCode::NOT_COORDINATOR);
            if reported.as_ref() != Some(&problem) {
                error!(
                    partition = self.partition.key.1.0,
                    "the groups of this partition of {OFFSETS_TOPIC} cannot be read, and have no coordinator: {problem}"
                );
            }
            reported = Some(problem);
            self.reactor.sleep(LOAD_AGAIN).await;
            self.asked.notified().await;
        }
    }

    /// Reads all records of the partition.
    async fn load(&self, config: GroupConfig) -> Result<(), String> {
        let log = &self.partition.log;
        let (mut at, end) = (log.log_start().offset(), log.log_end().offset());
        let mut replay = Replay::new();
        while at < end {
            let fetched =
                log.read(at, LOAD_BYTES, end, true).await.map_err(|error| error.to_string())?;
            let before = at;
            for bytes in &fetched.batches {
                at = apply(&mut replay, bytes, at)?;
            }
            if at == before {
                break;
            }
        }
        let (groups, effects) = replay.finish(config, self.now());
        *self.groups.borrow_mut() = Some(groups);
        self.carry_out(effects);
        Ok(())
    }

    /// Appends what the core wants stored; the core hears later how it ended.
    async fn store(self: &Rc<Self>, append: Append) {
        let result = self.append(&append).await;
        let coordinator = self.clone();
        let settle = async move {
            let result = match result {
                Ok(end) => coordinator
                    .partition
                    .acknowledged(end)
                    .await
                    .map_err(|_| AppendError::NotLeader),
                Err(error) => Err(error),
            };
            // Without groups this coordinator has resigned, and everyone was answered then.
            let _ = coordinator.with(|groups, now| ((), groups.appended(append.id, result, now)));
        };
        self.reactor.spawn(Queue::Client, settle).detach();
    }

    async fn append(&self, append: &Append) -> Result<Offset, AppendError> {
        let now_ms = self.reactor.wall_clock_ms();
        let mut builder = BatchBuilder::new(Codec::None);
        for record in &append.records {
            builder.append(TimestampMs(now_ms), Some(&record.key), record.value.as_deref(), &[]);
        }
        let batch = builder.finish(&BatchFields::default()).to_vec();
        if batch.len() > self.partition.config().max_message_bytes as usize {
            return Err(AppendError::TooLarge);
        }
        match self.partition.append(batch, Origin::Client, now_ms).await {
            Ok(appended) => Ok(appended.last_offset.plus(1)),
            Err(ringlane_storage::AppendError::LargerThanSegment { .. }) => {
                Err(AppendError::TooLarge)
            }
            Err(ringlane_storage::AppendError::StorageFull) => Err(AppendError::Unavailable),
            Err(error) => {
                warn!(partition = self.partition.key.1.0, "cannot store a group's state: {error}");
                Err(AppendError::NotLeader)
            }
        }
    }

    fn tick(&self) {
        let now = self.now();
        let _ = self.with(|groups, _| ((), groups.tick(now)));
    }
}

fn apply(replay: &mut Replay, bytes: &[u8], mut at: Offset) -> Result<Offset, String> {
    for batch in batches(bytes) {
        let batch = batch.map_err(|error| error.to_string())?;
        at = batch.next_offset();
        if batch.is_control() {
            continue;
        }
        let records = batch.records(BATCH_BYTES_MAX).map_err(|error| error.to_string())?;
        for record in records.iter() {
            let record = record.map_err(|error| error.to_string())?;
            let Some(key) = record.key else { continue };
            if let Err(error) = replay.apply(key, record.value) {
                warn!(
                    offset = record.offset.0,
                    "a record of {OFFSETS_TOPIC} is passed over: {error}"
                );
            }
        }
    }
    Ok(at)
}

/// Loads the groups, then serves appends and deadlines for as long as the coordinator is in office.
async fn run(coordinator: Rc<Coordinator>, config: GroupConfig) {
    coordinator.load_at_last(config).await;
    if coordinator.partition.log.log_end().0 > 0 {
        let partition = coordinator.partition.key.1.0;
        info!(partition, "loaded the groups of this partition");
    }
    loop {
        let changed = coordinator.changed.notified();
        let next = coordinator.appends.borrow_mut().pop_front();
        if let Some(append) = next {
            coordinator.store(append).await;
            continue;
        }
        let deadline = coordinator.groups.borrow().as_ref().map(Groups::next_deadline);
        let Some(deadline) = deadline else { return };
        if deadline <= coordinator.reactor.now() {
            coordinator.tick();
            continue;
        }
        race(changed, coordinator.reactor.sleep_until(deadline)).await;
    }
}

/// The shard and partition that coordinate `group_id`.
///
/// # Errors
/// COORDINATOR_NOT_AVAILABLE before there is a `__consumer_offsets`; NOT_COORDINATOR where another broker is.
pub(crate) fn locate(
    shard: &Shard,
    group_id: &str,
) -> Result<(ShardId, PartitionIndex), ErrorCode> {
    let image = shard.image.current();
    let topic = image.topic(OFFSETS_TOPIC).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    let count = i32::try_from(topic.partitions.len()).expect("a partition count is an i32");
    let index = PartitionIndex(partition_for(group_id, count));
    let leader = topic.partition(index).and_then(|partition| partition.leader_core());
    match leader {
        Some(leader) if leader.broker == shard.broker() => Ok((ShardId(leader.core.0), index)),
        _ => Err(ErrorCode::NOT_COORDINATOR),
    }
}

/// Runs `job` on the shard that coordinates `group_id`; `kept` stays on this one until it has ended.
///
/// # Errors
/// When that is not here, or not yet.
pub(crate) async fn call<T, F>(
    shard: &Rc<Shard>,
    group_id: &str,
    job: impl FnOnce(Rc<Coordinator>) -> F + Send + 'static,
    kept: impl Sized + 'static,
) -> Result<T, ErrorCode>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ErrorCode>> + 'static,
{
    let (owner, index) = locate(shard, group_id)?;
    let job = move |shard: &Rc<Shard>| {
        let found = shard.coordinators.find(index).map(job);
        async move {
            match found {
                Some(future) => future.await,
                None => Err(ErrorCode::NOT_COORDINATOR),
            }
        }
    };
    shard.router.submit_keeping(shard, owner, job, kept).await.await
}
