//! A shard of the generator: does what the conductor orders, and reports to it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{Consumer, Error};
use ringlane_reactor::{Instant, Mailbox, Queue, Reactor, Sender, Task, read_to_string};

use super::Job;
use super::breakdown::Breakdown;
use super::drain::Drain;
use super::history::History;
use super::plan::{Run, Times};
use super::read::{Connected, Readers};
use super::send::Senders;
use super::tally::{Counts, Interval, Tally};
use crate::proc::{CpuTime, cpu_time};
use crate::record::Stream;
use crate::verify::{Check, Sent};

/// How often a shard tells how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// The length of an interval of the latency logs.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// What a shard is told.
pub(super) enum Order {
    /// Connect.
    Prepare(Box<Run>),
    /// Begin at these times.
    Start(Times),
    /// End now, and report.
    End,
}

/// What a shard tells.
pub(super) enum Report {
    /// It is connected.
    Ready,
    /// It cannot go on.
    Failed(String),
    /// How far it is.
    Progress(Counts),
    /// The counts at this boundary of the measured time (0 is its start, then one each second), and the latencies since the
    /// one before.
    Boundary(usize, Counts, Box<Interval>),
    /// It has ended.
    Ended(Box<End>),
    /// The process was asked to end.
    Interrupted,
}

/// What a shard has at its end.
pub(super) struct End {
    pub(super) counts: Counts,
    /// Since the last interval.
    pub(super) last: Interval,
    pub(super) sent: Vec<(Stream, Sent)>,
    pub(super) seen: Vec<((u32, Stream), Check)>,
    pub(super) breakdown: Breakdown,
    pub(super) backlog: Drain,
    pub(super) history: Drain,
    /// The share of the measured time for which its thread was on a CPU.
    pub(super) cpu_share: Option<f64>,
    pub(super) first_error: Option<String>,
}

/// What the tasks of a shard share.
struct Worker {
    job: Rc<Job>,
    reactor: Reactor,
    tally: Tally,
    reports: Sender<(u16, Report)>,
}

/// What a shard has connected.
struct Parts {
    senders: Rc<Senders>,
    readers: Rc<Readers>,
    connected: Connected,
    history: Rc<History>,
    history_consumers: Vec<Consumer>,
}

/// Runs a shard's part.
pub(super) async fn run(
    job: Job,
    reactor: Reactor,
    orders: Mailbox<Order>,
    reports: Sender<(u16, Report)>,
) -> io::Result<()> {
    let Order::Prepare(run) = orders.receive().await else { return Ok(()) };
    let tally = Tally::new(Breakdown::new(run.layout.clone()));
    let worker = Worker { job: Rc::new(job), reactor, tally, reports };
    let Parts { senders, readers, connected, history, history_consumers } =
        match worker.connect(&run).await {
            Ok(connected) => connected,
            Err(error) => {
                worker.report(Report::Failed(error.to_string())).await;
                // The others may need longer to find out.
                while !matches!(orders.receive().await, Order::End) {}
                return Ok(());
            }
        };
    worker.report(Report::Ready).await;
    let Order::Start(times) = orders.receive().await else { return Ok(()) };
    let scenario = &worker.job.scenario;
    let reading = readers.start(connected.readers, times, times.start + scenario.backlog.0);
    let remembering = history.start(history_consumers, scenario.partitions, times.window_start);
    let sending = worker.reactor.spawn(Queue::Client, senders.clone().send(*run, times));
    let ticking = worker.tick(times);
    let measuring = worker.measure_cpu(times);
    while !matches!(orders.receive().await, Order::End) {}
    drop((sending, reading, remembering, ticking));
    readers.end(connected.members).await;
    let end = End {
        counts: worker.tally.counts(),
        last: worker.tally.take_interval(),
        sent: senders.sent(),
        seen: readers.take_checks().into_iter().collect(),
        breakdown: worker.tally.take_breakdown(),
        backlog: readers.take_backlog(),
        history: history.take_read(),
        cpu_share: measuring.share(&worker.reactor),
        first_error: worker.tally.first_error(),
    };
    worker.report(Report::Ended(Box::new(end))).await;
    Ok(())
}

impl Worker {
    async fn connect(&self, run: &Run) -> Result<Parts, Error> {
        let (job, reactor, tally) = (&self.job, &self.reactor, &self.tally);
        let (history, history_consumers) = History::store(job, reactor, run, tally).await?;
        let senders = Senders::connect(job.clone(), reactor, run, tally).await?;
        let (readers, connected) = Readers::connect(job, reactor, run, tally).await?;
        Ok(Parts { senders, readers, connected, history, history_consumers })
    }

    async fn report(&self, report: Report) {
        self.reports.send((self.reactor.shard().0, report)).await;
    }

    /// Reports progress, and each second of the measured time at its boundaries.
    fn tick(&self, times: Times) -> Task<()> {
        let (reactor, tally) = (self.reactor.clone(), self.tally.clone());
        let (shard, reports) = (reactor.shard().0, self.reports.clone());
        let own = reactor.clone();
        own.spawn(Queue::Client, async move {
            let mut number = 0;
            loop {
                let boundary = times.window_start + INTERVAL * (number as u32);
                let next = reactor.now() + PROGRESS_PERIOD;
                reactor.sleep_until(next.min(boundary)).await;
                if reactor.now() >= boundary {
                    // What is measured in the moment between the first boundary and now belongs to the first second.
                    let interval = Box::new(match number {
                        0 => Interval::empty(),
                        _ => tally.take_interval(),
                    });
                    reports.send((shard, Report::Boundary(number, tally.counts(), interval))).await;
                    number += 1;
                }
                reports.send((shard, Report::Progress(tally.counts()))).await;
            }
        })
    }

    fn measure_cpu(&self, times: Times) -> CpuMeter {
        let (reactor, span) = (self.reactor.clone(), Rc::new(Cell::new((None, None))));
        let of = span.clone();
        let task = self.reactor.spawn(Queue::Client, async move {
            reactor.sleep_until(times.window_start).await;
            let first = cpu_now(&reactor);
            of.set((first, None));
            reactor.sleep_until(times.window_end).await;
            of.set((first, cpu_now(&reactor)));
        });
        CpuMeter { span, _task: task }
    }
}

type CpuAt = Option<(CpuTime, Instant)>;

fn cpu_now(reactor: &Reactor) -> CpuAt {
    let text = read_to_string("/proc/thread-self/stat".as_ref()).ok()?;
    Some((cpu_time(&text)?, reactor.now()))
}

/// This thread's time on a CPU over the measured time.
struct CpuMeter {
    span: Rc<Cell<(CpuAt, CpuAt)>>,
    _task: Task<()>,
}

impl CpuMeter {
    /// Its share of the time so far; none before the measured time has begun.
    fn share(&self, reactor: &Reactor) -> Option<f64> {
        let (first, last) = self.span.get();
        let ((before, from), (after, to)) = first.zip(last.or_else(|| cpu_now(reactor)))?;
        let span = (to - from).as_secs_f64();
        (span > 0.0).then(|| (after.total() - before.total()).as_secs_f64() / span)
    }
}
