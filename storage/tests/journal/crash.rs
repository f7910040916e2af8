//! A shard's life over several crashes: logs add entries, a checkpoint trims, and the process dies at any operation that
//! writes or syncs. What a log was told durable is found again, byte for byte, without a hole and without anything recycled.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_reactor::{Queue, Reactor, Rng, Task};
use ringlane_storage::journal::{Journal, JournalConfig};

use super::common::{seeds, world};
use super::world::*;

const SEEDS: u64 = 100;
const LOGS: i32 = 4;

/// What the world knows: what was added, and what was told durable.
#[derive(Default)]
struct Witness {
    added: BTreeMap<(i32, u64), Vec<u8>>,
    durable: BTreeMap<i32, u64>,
    /// Groups that were found after crashes, and completed files: that there is something to test.
    groups: u64,
    turnovers: u64,
}

type Shared = Rc<RefCell<Witness>>;

/// Finds what is there, compares, and starts the journal behind it.
async fn start(
    reactor: &Reactor,
    witness: &Shared,
    config: JournalConfig,
) -> (Journal, Vec<Rc<CountedLog>>) {
    let disk = reactor.disk();
    let mut checkpoint = Checkpoint::read(&disk).await;
    let recovered = recover(reactor, &checkpoint).await;
    assert_eq!(recovered.damage, [], "an honest disk");
    for (log, entries) in &recovered.logs {
        for (sequence, payload) in entries {
            let witness = witness.borrow();
            assert_eq!(Some(payload), witness.added.get(&(*log, *sequence)), "not what was added");
        }
        if let Some(last) = entries.keys().next_back() {
            checkpoint.logs.insert(*log, *last);
        }
    }
    for (log, durable) in &witness.borrow().durable {
        let found = checkpoint.logs.get(log).copied().unwrap_or_default();
        assert!(found >= *durable, "log {log} ends at {found}, {durable} was durable");
    }
    checkpoint.from = recovered.next_sequence;
    checkpoint.write(&disk).await;
    {
        let mut witness = witness.borrow_mut();
        witness.groups += recovered.groups;
        witness.added.retain(|(log, sequence), _| checkpoint.logs.get(log) >= Some(sequence));
        witness.durable.extend(&checkpoint.logs);
    }
    let journal = open(reactor, config, recovered.next_sequence).await;
    let end = |log| checkpoint.logs.get(&log).copied().unwrap_or_default();
    (journal, (0..LOGS).map(|log| CountedLog::new(log, end(log))).collect())
}

async fn add_entries(
    reactor: Reactor,
    journal: Journal,
    log: Rc<CountedLog>,
    witness: Shared,
    mut rng: Rng,
) {
    for _ in 0..60 {
        let bytes = match rng.below(20) {
            0 => 20_000,
            1..5 => rng.below(8000),
            _ => rng.below(300),
        };
        let payload: Vec<u8> = (0..bytes).map(|_| rng.next_u64() as u8).collect();
        let sequence = log.added.get() + 1;
        witness.borrow_mut().added.insert((log.number, sequence), payload.clone());
        log.add(&journal, &payload).await.expect("a good disk");
        if rng.one_in(4) {
            log.settled().await;
        }
        // A process that was cut off is not heard after this.
        reactor.yield_now().await;
        witness.borrow_mut().durable.insert(log.number, log.durable.get());
    }
    log.settled().await;
    reactor.yield_now().await;
    witness.borrow_mut().durable.insert(log.number, log.durable.get());
}

/// Checkpoints when asked to, and now and then otherwise.
async fn checkpoint(
    reactor: Reactor,
    journal: Journal,
    logs: Vec<Rc<CountedLog>>,
    witness: Shared,
) {
    loop {
        while !journal.is_checkpoint_wanted() {
            journal.wants_checkpoint().await;
        }
        witness.borrow_mut().turnovers += 1;
        let mark = journal.mark();
        // As if the segments were synced now.
        let ends = logs.iter().map(|log| (log.number, log.added.get())).collect();
        let checkpoint = Checkpoint { from: journal.trimmed_to_after(mark), logs: ends };
        checkpoint.write(&reactor.disk()).await;
        journal.trim(mark);
        reactor.yield_now().await;
    }
}

async fn work(reactor: &Reactor, witness: &Shared, config: JournalConfig, seed: u64) {
    let (journal, logs) = start(reactor, witness, config).await;
    let checkpoints = checkpoint(reactor.clone(), journal.clone(), logs.clone(), witness.clone());
    let checkpoints = reactor.spawn(Queue::Background, checkpoints);
    let adding = |log: &Rc<CountedLog>| {
        let rng = Rng::new(seed ^ log.number as u64);
        let adding =
            add_entries(reactor.clone(), journal.clone(), log.clone(), witness.clone(), rng);
        reactor.spawn(Queue::Client, adding)
    };
    let adding: Vec<Task<()>> = logs.iter().map(adding).collect();
    for task in adding {
        task.await;
    }
    drop(checkpoints);
}

fn run(seed: u64) -> (u64, u64) {
    let mut options = Options::seed(seed);
    let mut rng = Rng::new(seed ^ 0x10ac);
    options.disk.sector_bytes = if rng.one_in(2) { 512 } else { 4096 };
    let (mut simulation, host) = world(options);
    let witness = Shared::default();
    let config = JournalConfig { files: 2 + rng.below(3) as u32, ..tiny() };
    for _ in 0..5 {
        let kind = if rng.one_in(3) { CrashKind::Process } else { CrashKind::Power };
        simulation.crash_at(host, rng.below(200), kind);
        let (shared, seed) = (witness.clone(), rng.next_u64());
        let ended = simulation.try_block_on(host, move |reactor| async move {
            work(&reactor, &shared, config, seed).await;
        });
        if ended.is_ok() {
            simulation.crash(host, kind);
        }
    }
    simulation.crash_at(host, u64::MAX / 2, CrashKind::Process);
    let shared = witness.clone();
    simulation.block_on(host, move |reactor| async move {
        start(&reactor, &shared, config).await;
    });
    let witness = witness.borrow();
    (witness.groups, witness.turnovers)
}

#[test]
fn what_was_told_durable_is_found_after_every_crash() {
    let all: Vec<(u64, u64)> = seeds(SEEDS).map(run).collect();
    let (groups, turnovers) = all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    // Of each run: something was found, and files were recycled.
    assert!(
        groups >= all.len() as u64 && turnovers >= all.len() as u64 / 2,
        "{groups} {turnovers}"
    );
}
