//! The handle of a simulation: makes hosts, starts and ends their processes, and lets the world run.

mod outside;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use super::disk::{CrashKind, Disk, DiskFaults};
use super::host::{Host, HostId};
use super::network::{Network, NetworkFaults};
use super::task::TaskHandle;
use super::time::{ClockFaults, WallClock};
use super::world::{Step, World};
use crate::reactor::Side;
use crate::{Instant, Reactor, Rng};

/// What decides a simulation. The default is the seed 0 and a world without faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// Of every host's disk, until changed for one.
    pub disk: DiskFaults,
    /// Of the network between the hosts.
    pub network: NetworkFaults,
    /// Of every host's wall clock, until changed for one.
    pub clock: ClockFaults,
    /// The virtual time that [`Simulation::block_on`] may take.
    pub time_limit: Duration,
    /// The steps that one call of a running method may take: more means that tasks spin without time passing.
    pub step_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            disk: DiskFaults::default(),
            network: NetworkFaults::default(),
            clock: ClockFaults::default(),
            time_limit: Duration::from_secs(3600),
            step_limit: 50_000_000,
        }
    }
}

impl Options {
    /// A world without faults, decided by `seed`.
    pub fn seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}

/// Why a simulation stopped before it had what it ran for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// The host's process crashed or ended.
    Crashed,
    /// The virtual time was over.
    TimeLimit,
    /// Nothing was ready and nothing was going to happen: a deadlock, or the end.
    Idle,
}

/// A world of hosts on one thread. A panic inside it names the seed on standard error.
pub struct Simulation {
    world: Rc<World>,
    options: Options,
}

impl Simulation {
    /// An empty world.
    pub fn new(options: Options) -> Self {
        let network = |rng| Network::new(options.network, rng);
        Self { world: Rc::new(World::new(Rng::new(options.seed), network)), options }
    }

    /// The seed that decides it.
    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    /// Virtual time since the start.
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// How many steps have been made: tasks polled and leaps of time.
    pub fn steps(&self) -> u64 {
        self.world.steps.get()
    }

    /// A hash over every scheduling decision, leap of time, disk operation and arrival so far: the same for the same run.
    pub fn trace_hash(&self) -> u64 {
        self.world.trace.hash()
    }

    /// A new host with an empty disk. `ip` must not be a loopback address: each host has a loopback of its own.
    ///
    /// # Panics
    /// When another host has the address.
    pub fn host(&mut self, name: &str, ip: IpAddr, shards: u16) -> HostId {
        assert!(!ip.is_loopback() && !ip.is_unspecified(), "{ip} does not name one host");
        assert!(self.world.host_at(ip).is_none(), "{ip} is taken");
        let disk = Disk::new(self.options.disk, self.world.new_rng());
        let clock = WallClock::new(self.options.clock, self.world.new_rng());
        let mut hosts = self.world.hosts.borrow_mut();
        let id = HostId(u32::try_from(hosts.len()).expect("fewer than 2^32 hosts"));
        hosts.push(Host::new(name, ip, shards, disk, clock));
        id
    }

    // Processes.

    /// Starts a process on `host` that runs `main` on each of its shards. A shard ends with its main, tasks and all; the
    /// process with the last of them ([`Simulation::exit`]).
    ///
    /// # Panics
    /// When the host runs one already.
    pub fn start<M, F>(&mut self, host: HostId, main: M)
    where
        M: Fn(Reactor) -> F + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let main = Rc::new(main);
        for shard in self.world.boot(host) {
            let (main, world) = (main.clone(), self.world.clone());
            let own = shard.clone();
            let body = async move {
                let result = main(Reactor(Side::Sim(own.clone()))).await;
                world.main_ended(&own, result);
            };
            self.world.scheduler.add(shard, Box::pin(body));
        }
    }

    /// Asks the process of `host` to end, as SIGTERM does: `Reactor::terminated` is ready on its shards.
    pub fn stop(&mut self, host: HostId) {
        let waiting = self.world.with_host(host, |host| {
            let process = host.process.as_mut()?;
            process.stopping = true;
            Some(std::mem::take(&mut process.waiting_for_stop))
        });
        waiting.into_iter().flatten().for_each(std::task::Waker::wake);
    }

    /// Whether `host` runs a process.
    pub fn is_running(&self, host: HostId) -> bool {
        self.world.with_host(host, |host| host.process.is_some())
    }

    /// How the last process of `host` ended, if its mains returned: with the error of one that failed, as text.
    pub fn exit(&self, host: HostId) -> Option<Result<(), String>> {
        self.world.with_host(host, |host| {
            let exit = host.exit.as_ref().filter(|_| host.process.is_none())?;
            Some(exit.as_ref().map(|&()| ()).map_err(ToString::to_string))
        })
    }

    /// Ends the process of `host` at once, every task at its await.
    pub fn crash(&mut self, host: HostId, kind: CrashKind) {
        self.world.crash(host, kind);
    }

    /// Crashes `host` at one of its disk operations that write or sync: at the one after `operations` more. Of that one
    /// nothing, a part or all has happened, by the seed; nothing that the process does after it counts.
    pub fn crash_at(&mut self, host: HostId, operations: u64, kind: CrashKind) {
        self.world.with_host(host, |host| host.disk.cut_after(operations, kind));
    }

    /// How many operations that write or sync the disk of `host` has seen: what [`Simulation::crash_at`] counts.
    pub fn disk_operations(&self, host: HostId) -> u64 {
        self.world.with_host(host, |host| host.disk.operations())
    }

    // Running.

    /// Runs until `condition` holds (true) or `limit` of virtual time or everything that could happen is over (false).
    ///
    /// # Panics
    /// As every method that runs: with the panic of a task, or past the step limit.
    pub fn run_until(&mut self, mut condition: impl FnMut(&Self) -> bool, limit: Duration) -> bool {
        self.drive(limit, |simulation| condition(simulation).then_some(())).is_ok()
    }

    /// Runs for `duration` of virtual time.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        let stopped = self.drive(duration, |_| None::<()>);
        if stopped == Err(Stopped::Idle) {
            self.world.timeline.borrow_mut().pass_to(end);
        }
    }

    /// Runs until nothing is ready and nothing is going to happen (true), or `limit` is over (false).
    pub fn run_until_idle(&mut self, limit: Duration) -> bool {
        self.drive(limit, |_| None::<()>) == Err(Stopped::Idle)
    }

    /// Runs `main` on the first shard of `host`, beside what runs there (booting the host when nothing does), until it
    /// gives its result.
    ///
    /// # Panics
    /// When it does not: see [`Simulation::try_block_on`].
    pub fn block_on<F, T>(&mut self, host: HostId, main: impl FnOnce(Reactor) -> F + 'static) -> T
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let result = self.try_block_on(host, main);
        result.unwrap_or_else(|stopped| {
            let exits = self.exits();
            panic!("no result at {:?} of virtual time: {stopped:?}{exits}", self.now())
        })
    }

    /// [`Simulation::block_on`] that tells why there is no result: the host crashed, the time limit of the options passed,
    /// or nothing was going to happen any more.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn try_block_on<F, T>(
        &mut self,
        host: HostId,
        main: impl FnOnce(Reactor) -> F + 'static,
    ) -> Result<T, Stopped>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let running = self
            .world
            .with_host(host, |host| host.process.as_ref().map(|process| process.shards[0].clone()));
        let shard = running.unwrap_or_else(|| self.world.boot(host).swap_remove(0));
        let incarnation = shard.incarnation();
        let result = Rc::new(RefCell::new(None));
        let (slot, own) = (result.clone(), shard.clone());
        let body = async move {
            let value = main(Reactor(Side::Sim(own))).await;
            *slot.borrow_mut() = Some(value);
        };
        let task = self.world.scheduler.add(shard, Box::pin(body));
        // Cancels it where the run stops before.
        let _task = TaskHandle::new(self.world.clone(), task);
        let ended = self.drive(self.options.time_limit, |simulation| {
            if let Some(value) = result.borrow_mut().take() {
                return Some(Ok(value));
            }
            let ours = |host: &mut Host| host.process.is_some() && host.incarnation == incarnation;
            (!simulation.world.with_host(host, ours)).then_some(Err(Stopped::Crashed))
        });
        ended.and_then(|result| result)
    }

    /// Steps until `done` gives something.
    fn drive<T>(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, Stopped> {
        let deadline = self.now() + limit;
        let first = self.steps();
        loop {
            if let Some(value) = done(self) {
                return Ok(value);
            }
            match self.world.step(deadline) {
                Step::Ran | Step::Leapt => {}
                Step::Limit => return Err(Stopped::TimeLimit),
                Step::Idle => return Err(Stopped::Idle),
            }
            assert!(
                self.steps() - first < self.options.step_limit,
                "tasks spin: {} steps, time stands at {:?}",
                self.options.step_limit,
                self.now(),
            );
        }
    }

    /// What a failure report says about processes that ended.
    fn exits(&self) -> String {
        let hosts = self.world.hosts.borrow();
        let exit =
            |host: &Host| host.exit.as_ref().map(|exit| format!("; {}: {exit:?}", host.name));
        hosts.iter().filter(|host| host.process.is_none()).filter_map(exit).collect()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, steps) = (self.options.seed, self.steps());
            eprintln!("simulation of seed {seed} failed in step {steps} at {:?}", self.now());
            return self.world.scheduler.forget_all();
        }
        // Ends the circle of tasks that hold the world that holds them.
        self.world.scheduler.cancel_where(|_| true);
        self.world.drop_cancelled();
        self.world.hosts.borrow_mut().clear();
    }
}
