//! A host and its lives: what it was told outlives each.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_reactor::{Reactor, Rng};

use crate::common;
use crate::process::{Process, Shared, Start};
use crate::roles::Role;
use crate::told::Told;

/// One of a host's lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) seed: u64,
    pub(crate) shards: u16,
    pub(crate) steps: usize,
    /// It ends in order, if it comes that far.
    pub(crate) closes: bool,
    /// How it ends otherwise.
    pub(crate) kind: CrashKind,
}

impl Life {
    pub(crate) fn draw(rng: &mut Rng, steps: usize) -> Self {
        Self {
            seed: rng.next_u64(),
            shards: 1 + rng.below(3) as u16,
            steps,
            closes: rng.one_in(4),
            kind: if rng.one_in(3) { CrashKind::Process } else { CrashKind::Power },
        }
    }
}

/// See the module.
pub(crate) struct World {
    pub(crate) simulation: Simulation,
    pub(crate) host: HostId,
    pub(crate) roles: Vec<Role>,
    pub(crate) told: Shared,
    /// As many has each shard's journal from the next start on.
    pub(crate) journal_files: u32,
    lives: i32,
}

impl World {
    pub(crate) fn new(options: Options, roles: Vec<Role>, journal_files: u32) -> Self {
        let (simulation, host) = common::world(options);
        let told = roles.iter().map(|_| Told::default()).collect();
        let told = Rc::new(RefCell::new(told));
        Self { simulation, host, roles, told, journal_files, lives: 0 }
    }

    /// Starts a process of `shards` shards, and runs `main` with what it needs. `None`: it crashed before the end.
    pub(crate) fn boot<F, T>(
        &mut self,
        shards: u16,
        seed: u64,
        main: impl FnOnce(Start) -> F + 'static,
    ) -> Option<T>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        self.lives += 1;
        let reactors = Rc::new(RefCell::new(Vec::new()));
        self.simulation.set_shards(self.host, shards);
        let all = reactors.clone();
        self.simulation.start(self.host, move |reactor| {
            all.borrow_mut().push(reactor);
            pending()
        });
        let start = Start {
            roles: self.roles.clone(),
            told: self.told.clone(),
            reactors: Vec::new(),
            epoch: self.lives,
            seed,
            journal_files: self.journal_files,
        };
        let ended = self.simulation.try_block_on(self.host, move |reactor| async move {
            while reactors.borrow().len() < usize::from(shards) {
                reactor.yield_now().await;
            }
            let mut reactors: Vec<Reactor> = reactors.borrow_mut().drain(..).collect();
            reactors.sort_by_key(|reactor| reactor.shard().0);
            main(Start { reactors, ..start }).await
        });
        ended.ok()
    }

    /// A life, cut off at its disk operation `cut` if it comes that far; it always ends. Gives how many operations it had.
    pub(crate) fn live(&mut self, life: Life, cut: Option<u64>) -> u64 {
        let before = self.simulation.disk_operations(self.host);
        self.simulation.crash_at(self.host, cut.unwrap_or(u64::MAX / 2), life.kind);
        let ended = self.boot(life.shards, life.seed, move |start| async move {
            let mut process = Process::start(start).await;
            process.work(life.steps).await;
            if life.closes {
                process.close().await;
            }
        });
        let operations = self.simulation.disk_operations(self.host) - before;
        if ended.is_some() {
            self.simulation.crash(self.host, life.kind);
        }
        self.died(life.kind);
        operations
    }

    pub(crate) fn died(&mut self, kind: CrashKind) {
        let power_cut = kind == CrashKind::Power;
        self.told.borrow_mut().iter_mut().for_each(|told| told.power_cut |= power_cut);
    }

    /// A start that nothing interrupts: everything is there, the logs go on, and a stop in order leaves nothing to recover.
    pub(crate) fn finish(&mut self, shards: u16) {
        self.simulation.crash_at(self.host, u64::MAX / 2, CrashKind::Process);
        let closed = self.boot(shards, 0, |start| async move {
            let mut process = Process::start(start).await;
            for number in 0..process.logs.len() {
                process.append(number).await;
                common::durable(&process.logs[number]).await;
                process.look(number);
            }
            process.close().await;
        });
        assert!(closed.is_some(), "nothing interrupts it");
        self.simulation.crash(self.host, CrashKind::Power);
        self.died(CrashKind::Power);
        self.simulation.crash_at(self.host, u64::MAX / 2, CrashKind::Process);
        let checked = self.boot(shards, 0, |start| async move {
            let process = Process::start(start).await;
            for log in &process.logs {
                let (point, end) = (log.recovery_point().0, log.log_end().0);
                assert_eq!(point, end, "a log that was closed has nothing to recover");
            }
            process.close_and_verify().await;
        });
        assert!(checked.is_some(), "nothing interrupts it");
    }
}
