//! What all parts of a simulation share, and its one step: drop what was cancelled, poll one ready task, or let time pass.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Context;

use super::disk::CrashKind;
use super::host::{Host, HostId, Process};
use super::network::Network;
use super::scheduler::Scheduler;
use super::shard::Shard;
use super::time::{Event, Timeline};
use super::trace::{Kind, Trace};
use crate::reactor::{Side, set_current};
use crate::{Instant, Reactor, Rng, ShardId};

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) timeline: RefCell<Timeline>,
    pub(super) hosts: RefCell<Vec<Host>>,
    pub(super) network: RefCell<Network>,
    pub(super) trace: Trace,
    pub(super) steps: Cell<u64>,
    /// Seeds the generators of what is made while it runs (hosts, shards).
    rng: RefCell<Rng>,
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A task was polled.
    Ran,
    /// Nothing was ready; time moved to the next event.
    Leapt,
    /// Nothing is ready, and what happens next is behind the limit, where time now stands.
    Limit,
    /// Nothing is ready and nothing is going to happen.
    Idle,
}

/// Makes a shard's reactor the current one until dropped, also by a panic.
struct CurrentGuard(Option<Reactor>);

impl CurrentGuard {
    fn enter(shard: &Rc<Shard>) -> Self {
        Self(set_current(Some(Reactor(Side::Sim(shard.clone())))))
    }
}

impl Drop for CurrentGuard {
    fn drop(&mut self) {
        set_current(self.0.take());
    }
}

impl World {
    pub(super) fn new(mut rng: Rng, network: impl FnOnce(Rng) -> Network) -> Self {
        Self {
            scheduler: Scheduler::new(Rng::new(rng.next_u64())),
            timeline: RefCell::default(),
            hosts: RefCell::default(),
            network: RefCell::new(network(Rng::new(rng.next_u64()))),
            trace: Trace::new(),
            steps: Cell::new(0),
            rng: RefCell::new(rng),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.timeline.borrow().now()
    }

    /// A generator of its own for something new.
    pub(super) fn new_rng(&self) -> Rng {
        Rng::new(self.rng.borrow_mut().next_u64())
    }

    pub(super) fn with_host<T>(&self, host: HostId, f: impl FnOnce(&mut Host) -> T) -> T {
        f(&mut self.hosts.borrow_mut()[host.index()])
    }

    pub(super) fn host_at(&self, ip: IpAddr) -> Option<HostId> {
        let hosts = self.hosts.borrow();
        hosts.iter().position(|host| host.ip == ip).map(|index| HostId(index as u32))
    }

    /// One step; `limit` is the moment that time does not leap past.
    pub(super) fn step(&self, limit: Instant) -> Step {
        self.drop_cancelled();
        self.steps.set(self.steps.get() + 1);
        if self.poll_one() {
            return Step::Ran;
        }
        self.leap(limit)
    }

    /// Drops the tasks that were cancelled, each with its own reactor as the current one.
    pub(super) fn drop_cancelled(&self) {
        while let Some(slot) = self.scheduler.take_cancelled() {
            let shard = slot.shard.clone();
            let _current = CurrentGuard::enter(&shard);
            drop(slot);
        }
    }

    fn poll_one(&self) -> bool {
        let Some((task, shard, waker, mut future)) = self.scheduler.start_step() else {
            return false;
        };
        self.trace.add(Kind::Step, &[task, shard.key()]);
        let _current = CurrentGuard::enter(&shard);
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            drop(future);
            self.scheduler.ended(task);
        } else {
            self.scheduler.put_back(task, future);
        }
        // A crash cut inside this poll: from the disk operation on, nothing that the process did has happened.
        let cut = self.with_host(shard.host(), |host| host.disk.cut_kind());
        if let Some(kind) = cut {
            self.crash(shard.host(), kind);
        }
        true
    }

    fn leap(&self, limit: Instant) -> Step {
        let next = self.timeline.borrow().next_at();
        let Some(next) = next else { return Step::Idle };
        if next > limit {
            self.timeline.borrow_mut().pass_to(limit);
            return Step::Limit;
        }
        self.trace.add(Kind::Time, &[next.as_nanos()]);
        let first = self.timeline.borrow_mut().leap();
        let mut due = first;
        while let Some(event) = due {
            match event {
                Event::Wake(waker) => waker.wake(),
                Event::Network(event) => {
                    let mut network = self.network.borrow_mut();
                    network.happen(event, &mut self.timeline.borrow_mut(), &self.trace);
                }
            }
            due = self.timeline.borrow_mut().take_due();
        }
        Step::Leapt
    }

    /// A new process on `host`, its shards without tasks yet.
    pub(super) fn boot(self: &Rc<Self>, id: HostId) -> Vec<Rc<Shard>> {
        // What is left of the process before closes its handles before they mean nothing any more.
        self.drop_cancelled();
        let shard_count = self.with_host(id, |host| {
            assert!(host.process.is_none(), "{} runs already", host.name);
            host.incarnation += 1;
            host.powered = true;
            host.exit = None;
            host.shard_count
        });
        let incarnation = self.with_host(id, |host| host.incarnation);
        self.trace.add(Kind::Host, &[u64::from(id.0), incarnation]);
        let shard = |number| {
            let number = ShardId(number);
            let rng = self.new_rng();
            Rc::new(Shard::new(self.clone(), id, incarnation, number, shard_count, rng))
        };
        let shards: Vec<_> = (0..shard_count).map(shard).collect();
        let process = Process { shards: shards.clone(), ..Process::default() };
        self.with_host(id, |host| host.process = Some(process));
        shards
    }

    /// The main of a shard has returned: its other tasks end, and with the last shard the process.
    pub(super) fn main_ended(&self, shard: &Shard, result: io::Result<()>) {
        self.scheduler.cancel_where(|other| {
            other.incarnation() == shard.incarnation()
                && other.host() == shard.host()
                && other.id() == shard.id()
        });
        self.with_host(shard.host(), |host| {
            let Some(process) = host.process_of(shard) else { return };
            process.ended += 1;
            let over = process.ended == shard.shard_count();
            match result {
                Err(error) => host.exit = Some(Err(error)),
                Ok(()) => _ = host.exit.get_or_insert(Ok(())),
            }
            if over {
                host.process = None;
                host.disk.process_ended();
            }
        });
    }

    /// Ends the process of `host` in whatever it is doing. One that runs none may still lose its
    /// power, and with it what was not synced.
    pub(super) fn crash(&self, id: HostId, kind: CrashKind) {
        let incarnation = self.with_host(id, |host| {
            if host.process.take().is_some() {
                host.exit = None;
            }
            host.powered &= kind == CrashKind::Process;
            host.disk.crash(kind);
            host.incarnation
        });
        self.trace.add(Kind::Host, &[u64::from(id.0), incarnation, kind as u64]);
        self.network.borrow_mut().host_died(id, kind, &mut self.timeline.borrow_mut());
        self.scheduler.cancel_where(|shard| shard.host() == id);
        self.drop_cancelled();
        assert!(!self.scheduler.has_tasks(id, incarnation), "no task outlives its process");
    }
}
