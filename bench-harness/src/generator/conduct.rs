//! The conductor of a run: see the folder's head. Its decisions are those of [`Watch`], which is pure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::Client;
use ringlane_reactor::{Instant, Mailbox, Queue, Reactor, Sender, Task, read_to_string};

use super::breakdown::Breakdown;
use super::drain::Drain;
use super::plan::Times;
use super::send::client_config;
use super::setup::{Prepared, prepare};
use super::tally::{Counts, Interval};
use super::worker::{End, INTERVAL, Order, Report};
use super::{Job, Measured, Snapshot};
use crate::brokers::drop_from_page_cache;
use crate::proc::HostCpu;
use crate::record::Stream;
use crate::server::Sample;
use crate::verify::{Check, Faults};

/// From the last shard's readiness to the first record.
const START_DELAY: Duration = Duration::from_millis(100);

/// How long to look for more than was expected once everything has arrived.
const GRACE: Duration = Duration::from_millis(200);

/// How long deleting the run's topics may take.
const CLEAN_UP_MAX: Duration = Duration::from_secs(10);

type Inbox = Mailbox<(u16, Report)>;

/// Runs `job` with the shards behind `orders`.
///
/// # Errors
/// As [`super::measure`].
pub(super) async fn run(
    job: &Job,
    reactor: &Reactor,
    inbox: Inbox,
    to_self: Sender<(u16, Report)>,
    orders: Vec<Sender<Order>>,
) -> Result<Measured, String> {
    let outcome = match prepare(job, reactor).await {
        Err(sentence) => Err(sentence),
        Ok(prepared) => {
            let interruption = tell_interruption(reactor, to_self);
            let measured = measure(job, reactor, &inbox, &orders, &prepared).await;
            drop(interruption);
            // A target that is gone keeps its topics.
            let _ = reactor.timeout(CLEAN_UP_MAX, prepared.clean_up(job)).await;
            measured
        }
    };
    if outcome.is_err() {
        tell_all(&orders, || Order::End).await;
    }
    outcome
}

fn tell_interruption(reactor: &Reactor, to_self: Sender<(u16, Report)>) -> Task<()> {
    let own = reactor.clone();
    reactor.spawn(Queue::Client, async move {
        own.terminated().await;
        to_self.send((0, Report::Interrupted)).await;
    })
}

async fn tell_all(orders: &[Sender<Order>], order: impl Fn() -> Order) {
    for shard in orders {
        shard.send(order()).await;
    }
}

async fn measure(
    job: &Job,
    reactor: &Reactor,
    inbox: &Inbox,
    orders: &[Sender<Order>],
    prepared: &Prepared,
) -> Result<Measured, String> {
    tell_all(orders, || Order::Prepare(Box::new(prepared.run.clone()))).await;
    for _ in orders {
        match inbox.receive().await.1 {
            Report::Ready => {}
            Report::Failed(sentence) => return Err(sentence),
            Report::Interrupted => return Err("interrupted before the first record".into()),
            _ => unreachable!("a shard that has not started has nothing else to tell"),
        }
    }
    prepared.wait_for_groups(job).await?;
    if job.scenario.cold {
        let topic = prepared.run.history.as_deref().expect("cold is a history");
        drop_from_page_cache(job.server_pid, topic)?;
    }
    let times = Times::new(reactor.now() + START_DELAY, &job.scenario);
    tell_all(orders, || Order::Start(times)).await;
    let board = Rc::new(RefCell::new(vec![Counts::default(); orders.len()]));
    let sampler = Sampler::start(job, reactor, times, board.clone());
    let mut watch = Watch::new(job, times);
    let stopped = watch.until_over(job, reactor, inbox, &board).await;
    sampler.finish().await;
    let window = reactor.now().min(times.window_end) - times.window_start;
    tell_all(orders, || Order::End).await;
    let ends = watch.ends(inbox, orders.len()).await;
    job.live.end();
    let mut snapshots = sampler.snapshots.take();
    // A snapshot is taken before the shards have told theirs.
    for (snapshot, (counts, told)) in snapshots.iter_mut().zip(&watch.boundaries) {
        if *told == orders.len() {
            snapshot.counts = *counts;
        }
    }
    let deletes = job.scenario.retention.0 > 0 && stopped.is_none();
    let deleted_records = if deletes { prepared.deleted_records(job).await } else { None };
    let readers = job.scenario.streams_of_readers();
    let measured = gather(readers, watch.intervals, ends, snapshots);
    Ok(Measured {
        started_ms: sampler.wall_at(times.window_start),
        window,
        durability: prepared.durability,
        deleted_records,
        stopped,
        ..measured
    })
}

/// What the conductor knows of the run under way.
struct Watch {
    times: Times,
    patience: Duration,
    readers: u64,
    intervals: Vec<Interval>,
    /// The counts at each boundary, and how many shards have told theirs.
    boundaries: Vec<(Counts, usize)>,
    moved_at: Instant,
    before: (u64, u64),
    /// When everything had arrived.
    complete_since: Option<Instant>,
}

/// What the counts of all shards mean.
#[derive(Debug, PartialEq, Eq)]
enum State {
    GoingOn,
    /// Nothing more is expected.
    Over,
    /// Nothing has moved for too long, though something was expected.
    Stalled,
}

impl Watch {
    fn new(job: &Job, times: Times) -> Self {
        Self {
            times,
            patience: job.scenario.patience.0,
            readers: u64::from(job.scenario.streams_of_readers()),
            intervals: Vec::new(),
            boundaries: Vec::new(),
            moved_at: times.start,
            before: (0, 0),
            complete_since: None,
        }
    }

    /// Takes in the counts of all shards.
    fn look(&mut self, counts: &Counts, now: Instant) -> State {
        let answered = counts.acknowledged.all + counts.unacknowledged.all;
        let read = counts.consumed.all + counts.corrupted;
        let outstanding = counts.sent.all - answered.min(counts.sent.all);
        let unread = (counts.acknowledged.all * self.readers).saturating_sub(read);
        if (answered, read) != self.before || (outstanding == 0 && unread == 0) {
            self.moved_at = self.moved_at.max(now);
            self.before = (answered, read);
        }
        if counts.sending_ended && outstanding == 0 && unread == 0 {
            let since = *self.complete_since.get_or_insert(now);
            return if now - since >= GRACE { State::Over } else { State::GoingOn };
        }
        self.complete_since = None;
        match now - self.moved_at >= self.patience {
            // What was acknowledged and does not come is lost: a result, not an obstacle.
            true if counts.sending_ended && outstanding == 0 => State::Over,
            true => State::Stalled,
            false => State::GoingOn,
        }
    }

    /// Why it was stopped, if it was.
    async fn until_over(
        &mut self,
        job: &Job,
        reactor: &Reactor,
        inbox: &Inbox,
        board: &RefCell<Vec<Counts>>,
    ) -> Option<String> {
        loop {
            let (shard, report) = inbox.receive().await;
            let now = reactor.now();
            match report {
                Report::Progress(counts) => board.borrow_mut()[usize::from(shard)] = counts,
                Report::Boundary(number, counts, interval) => self.take(number, counts, &interval),
                Report::Interrupted => {
                    return Some(format!("interrupted after {}", self.elapsed(now)));
                }
                Report::Failed(sentence) => return Some(sentence),
                Report::Ready | Report::Ended(_) => {
                    unreachable!("a shard ends when it is told to")
                }
            }
            let counts = Counts::sum(&*board.borrow());
            job.live.show(&self.times_for_live(now), &counts, self.intervals.last());
            match self.look(&counts, now) {
                State::GoingOn => {}
                State::Over => return None,
                State::Stalled => {
                    let (patience, elapsed) = (job.scenario.patience, self.elapsed(now));
                    let why = why_silent(job, reactor).await;
                    return Some(format!(
                        "the target has answered nothing for {patience} and was given up after {elapsed}{why}"
                    ));
                }
            }
        }
    }

    /// Since the first record, left of the warm-up, and of the whole run.
    fn times_for_live(&self, now: Instant) -> (Duration, Duration, Duration) {
        let warm_up_left = self.times.window_start - now;
        (now - self.times.start, warm_up_left, self.times.window_end - self.times.start)
    }

    fn elapsed(&self, now: Instant) -> String {
        format!("{:.1} s", (now - self.times.start).as_secs_f64())
    }

    fn take(&mut self, number: usize, counts: Counts, interval: &Interval) {
        while self.boundaries.len() <= number {
            self.boundaries.push((Counts::sum(&[]), 0));
        }
        let (sum, told) = &mut self.boundaries[number];
        *sum += counts;
        *told += 1;
        // Before the first boundary nothing is measured.
        if let Some(number) = number.checked_sub(1) {
            self.take_interval(number, interval);
        }
    }

    fn take_interval(&mut self, number: usize, interval: &Interval) {
        while self.intervals.len() <= number {
            self.intervals.push(Interval::empty());
        }
        self.intervals[number].add(interval);
    }

    /// What each shard has at its end, and the latencies it had not told yet.
    async fn ends(&mut self, inbox: &Inbox, shards: usize) -> Vec<End> {
        let mut ends = Vec::new();
        while ends.len() < shards {
            match inbox.receive().await.1 {
                Report::Ended(end) => ends.push(*end),
                Report::Boundary(number, counts, interval) => self.take(number, counts, &interval),
                _ => {}
            }
        }
        // What came after the last whole interval belongs to it: an interval of its own would be of another length.
        let last = self.intervals.len().saturating_sub(1);
        for end in &ends {
            self.take_interval(last, &end.last);
        }
        ends
    }
}

/// What a new connection to the target meets.
async fn why_silent(job: &Job, reactor: &Reactor) -> String {
    match Client::connect(reactor, client_config(job, "probe")).await {
        Ok(_) => {
            "; it still takes connections: its log may tell why, and --patience gives it longer"
                .into()
        }
        Err(error) => format!(": {error}; see its log, start it again and repeat the run"),
    }
}

/// The sums over all shards and intervals.
fn gather(
    readers: u32,
    intervals: Vec<Interval>,
    ends: Vec<End>,
    snapshots: Vec<Snapshot>,
) -> Measured {
    let mut total = Interval::empty();
    intervals.iter().for_each(|interval| total.add(interval));
    let shares = ends.iter().filter_map(|end| end.cpu_share);
    let busiest_core = shares.reduce(f64::max);
    let counts: Vec<Counts> = ends.iter().map(|end| end.counts).collect();
    let (mut breakdown, mut backlog, mut history) =
        (Breakdown::default(), Drain::default(), Drain::default());
    for end in &ends {
        breakdown.add(&end.breakdown);
        backlog.add(&end.backlog);
        history.add(&end.history);
    }
    Measured {
        started_ms: 0,
        window: Duration::ZERO,
        counts: Counts::sum(&counts),
        faults: faults(readers, &ends),
        total,
        intervals,
        snapshots,
        breakdown,
        backlog,
        history,
        deleted_records: None,
        busiest_core,
        durability: None,
        stopped: None,
        first_error: ends.into_iter().find_map(|end| end.first_error),
    }
}

/// What every reader should have seen of every stream, against what it has.
fn faults(readers: u32, ends: &[End]) -> Faults {
    let mut seen: BTreeMap<(u32, Stream), Check> = BTreeMap::new();
    for (key, check) in ends.iter().flat_map(|end| &end.seen) {
        // Members of one group on several shards: a partition may have moved between them.
        seen.entry(*key).and_modify(|known| known.merge(check)).or_insert_with(|| check.clone());
    }
    let nothing = Check::default();
    let mut faults = Faults::default();
    for (stream, sent) in ends.iter().flat_map(|end| &end.sent) {
        for reader in 0..readers {
            faults += seen.get(&(reader, *stream)).unwrap_or(&nothing).faults(sent);
        }
    }
    faults
}

/// Takes the snapshots: at the start of the measured time, each second, and at its end.
struct Sampler {
    reactor: Reactor,
    server_pid: Option<u32>,
    board: Rc<RefCell<Vec<Counts>>>,
    snapshots: Rc<RefCell<Vec<Snapshot>>>,
    times: Times,
    task: RefCell<Option<Task<()>>>,
}

impl Sampler {
    fn start(
        job: &Job,
        reactor: &Reactor,
        times: Times,
        board: Rc<RefCell<Vec<Counts>>>,
    ) -> Rc<Self> {
        let sampler = Rc::new(Self {
            reactor: reactor.clone(),
            server_pid: job.server_pid,
            board,
            snapshots: Rc::default(),
            times,
            task: RefCell::default(),
        });
        let own = sampler.clone();
        let task = reactor.spawn(Queue::Client, async move {
            let mut next = own.times.window_start;
            while next < own.times.window_end {
                own.reactor.sleep_until(next).await;
                let is_first = own.snapshots.borrow().is_empty();
                own.take(is_first).await;
                next = next + INTERVAL;
            }
            own.reactor.sleep_until(own.times.window_end).await;
            own.take(true).await;
        });
        *sampler.task.borrow_mut() = Some(task);
        sampler
    }

    async fn take(&self, whole: bool) {
        let at = self.reactor.now();
        let counts = Counts::sum(&*self.board.borrow());
        let server = match (self.server_pid, whole) {
            (Some(pid), true) => Sample::take_whole(&self.reactor, pid).await,
            (Some(pid), false) => Sample::take(&self.reactor, pid),
            (None, _) => None,
        };
        let host = read_to_string("/proc/stat".as_ref()).ok();
        let snapshot = Snapshot {
            at,
            counts,
            server,
            host: host.and_then(|text| HostCpu::parse(&text)),
            clock_offset_ms: self.reactor.wall_clock_ms() - (at.as_nanos() / 1_000_000) as i64,
        };
        self.snapshots.borrow_mut().push(snapshot);
    }

    fn latest(&self) -> Option<Snapshot> {
        self.snapshots.borrow().last().copied()
    }

    /// A last snapshot, when the run ended before its time.
    async fn finish(&self) {
        let task = self.task.borrow_mut().take();
        let is_early = self.reactor.now() < self.times.window_end;
        drop(task);
        if is_early && self.latest().is_some() {
            self.take(true).await;
        }
    }

    /// A moment of the run on the wall clock, in ms since the epoch.
    fn wall_at(&self, at: Instant) -> i64 {
        let ago = self.reactor.now() - at;
        self.reactor.wall_clock_ms() - i64::try_from(ago.as_millis()).unwrap_or(0)
    }
}
