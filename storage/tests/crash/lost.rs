//! Journals and checkpoints that somebody or something took away. After a crash a start misses them, whatever is left, and
//! refuses the logs until somebody accepts the loss; after a clean stop nothing of them is needed.

use std::path::{Path, PathBuf};

use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_reactor::{Disk, OpenOptions, Reactor};

use crate::common::{append, batch, durable};
use crate::process::{Process, data, recoveries};
use crate::roles::Role;
use crate::world::{Life, World};

const FILES: u32 = 3;
const SHARDS: u16 = 2;

/// What is done to the directory, and what a start is to say of it.
struct Harm {
    says: &'static str,
    harms: &'static [Step],
}

enum Step {
    /// Of the file that is called so.
    Remove(&'static str),
    Cut(&'static str, u64),
    /// All of it.
    Zero(&'static str),
    Exchange(&'static str, &'static str),
}

use Step::{Cut, Exchange, Remove, Zero};

const SHARD_0: [&str; 3] = ["shard-0-0.journal", "shard-0-1.journal", "shard-0-2.journal"];
const SHARD_1: [&str; 3] = ["shard-1-0.journal", "shard-1-1.journal", "shard-1-2.journal"];

static HARMS: [Harm; 10] = [
    Harm { says: "shard-0-0.journal is missing", harms: &[Remove(SHARD_0[0])] },
    Harm { says: "shard-1-2.journal is missing", harms: &[Remove(SHARD_1[2])] },
    Harm {
        says: "shard-0-0.journal is missing",
        harms: &[Remove(SHARD_0[0]), Remove(SHARD_0[1]), Remove(SHARD_0[2])],
    },
    Harm { says: "shard-1-1.journal has 0 bytes", harms: &[Cut(SHARD_1[1], 0)] },
    Harm { says: "shard-0-2.journal has 16384 bytes", harms: &[Cut(SHARD_0[2], 16384)] },
    Harm {
        says: "holds what was written to /data/journal/shard-1-1.journal",
        harms: &[Exchange(SHARD_1[0], SHARD_1[1])],
    },
    Harm {
        says: "holds what was written to /data/journal/shard-1-0.journal",
        harms: &[
            Exchange(SHARD_0[0], SHARD_1[0]),
            Exchange(SHARD_0[1], SHARD_1[1]),
            Exchange(SHARD_0[2], SHARD_1[2]),
        ],
    },
    Harm {
        says: "the journal of shard 0 went on to group",
        harms: &[Zero(SHARD_0[0]), Zero(SHARD_0[1]), Zero(SHARD_0[2])],
    },
    Harm {
        says: "shard-1.checkpoint is missing",
        harms: &[
            Remove("shard-1.checkpoint"),
            Remove(SHARD_1[0]),
            Remove(SHARD_1[1]),
            Remove(SHARD_1[2]),
        ],
    },
    Harm {
        says: "nothing is in /data/journal",
        harms: &[
            Remove("shard-0.checkpoint"),
            Remove(SHARD_0[0]),
            Remove(SHARD_0[1]),
            Remove(SHARD_0[2]),
            Remove("shard-1.checkpoint"),
            Remove(SHARD_1[0]),
            Remove(SHARD_1[1]),
            Remove(SHARD_1[2]),
        ],
    },
];

fn path(name: &str) -> PathBuf {
    data().join("journal").join(name)
}

fn acceptance() -> PathBuf {
    data().join("accept-journal-loss")
}

async fn zero(disk: &Disk, path: &Path) {
    let file = disk.open(path, OpenOptions::WRITE).await.expect("it is there");
    let len = file.len().expect("a good disk");
    file.write_at(&vec![0; len as usize], 0).expect("a good disk");
    file.sync_data().await.expect("a good disk");
}

async fn harm(disk: &Disk, harm: &Harm) {
    for step in harm.harms {
        match step {
            Remove(name) => disk.remove_file(&path(name)).await.expect("it is there"),
            Cut(name, len) => {
                let file = disk.open(&path(name), OpenOptions::WRITE).await.expect("it is there");
                file.set_len(*len).expect("a good disk");
            }
            Zero(name) => zero(disk, &path(name)).await,
            Exchange(one, other) => {
                let aside = path("aside");
                for (from, to) in
                    [(path(one), &aside), (path(other), &path(one)), (aside.clone(), &path(other))]
                {
                    disk.rename(&from, to).await.expect("it is there");
                }
            }
        }
    }
}

/// So many appends bring rounds of checkpoints about.
const MANY: usize = 60;

/// Two logs, one a shard, with batches that checkpoints cover, where there are many, and some that only the journals hold.
fn lived(appends: usize, closes: bool) -> World {
    let mut world = World::new(Options::seed(1), vec![Role::Kept, Role::Kept], FILES);
    let lived = world.boot(SHARDS, 1, move |start| async move {
        let mut process = Process::start(start).await;
        for _ in 0..appends {
            for number in 0..process.logs.len() {
                process.append(number).await;
                durable(&process.logs[number]).await;
                process.look(number);
            }
        }
        if closes {
            process.close().await;
        }
    });
    assert!(lived.is_some(), "nothing interrupts it");
    world.simulation.crash(world.host, CrashKind::Power);
    world.died(CrashKind::Power);
    world
}

/// The same, and then it is harmed.
fn harmed(appends: usize, closes: bool, case: &'static Harm) -> World {
    let mut world = lived(appends, closes);
    let harmed = move |reactor: Reactor| async move { harm(&reactor.disk(), case).await };
    world.simulation.block_on(world.host, harmed);
    world.simulation.crash(world.host, CrashKind::Process);
    world
}

/// Why `log recovery` says that the first log would stay offline, and why a start refuses it.
fn refusals(world: &mut World) -> (Option<String>, Option<String>) {
    let refusals = world.boot(SHARDS, 2, |start| async move {
        let foretold = recoveries(&start).await.remove(0).problem;
        let (_, refused) = Process::try_start(start).await.expect("a good disk");
        (foretold, refused.get(&0).map(ToString::to_string))
    });
    world.simulation.crash(world.host, CrashKind::Process);
    refusals.expect("nothing interrupts it")
}

#[test]
fn a_start_after_a_crash_misses_what_is_gone_until_the_loss_is_accepted() {
    // Some are noticed before the first round, too.
    let early = HARMS[..5].iter().map(|case| (2, case));
    for (appends, case) in early.chain(HARMS.iter().map(|case| (MANY, case))) {
        let mut world = harmed(appends, false, case);
        let (foretold, refused) = refusals(&mut world);
        let is_told =
            |said: &Option<String>| said.as_ref().is_some_and(|said| said.contains(case.says));
        assert!(is_told(&foretold) && is_told(&refused), "{}: {foretold:?} {refused:?}", case.says);
    }
}

#[test]
fn an_accepted_loss_holds_for_one_start() {
    for case in HARMS.iter() {
        // So many that no log has a gap in what is left of it: it would stay offline.
        let mut world = harmed(62, false, case);
        let ends = world.boot(SHARDS, 3, move |start| async move {
            let disk = start.reactors[0].disk();
            disk.replace(&acceptance(), b"").await.expect("a good disk");
            assert_eq!(recoveries(&start).await[0].problem, None);
            let (process, refused) = Process::try_start(start).await.expect("a good disk");
            assert!(refused.is_empty(), "{}: {refused:?}", case.says);
            assert!(disk.metadata(&acceptance()).await.is_err(), "it is used up");
            let mut ends = Vec::new();
            for log in &process.logs {
                append(log, batch(1)).await;
                durable(log).await;
                ends.push(log.log_end());
            }
            ends
        });
        world.simulation.crash(world.host, CrashKind::Power);
        let ends = ends.expect("nothing interrupts it");
        let found = world.boot(SHARDS, 4, |start| async move {
            let (process, refused) = Process::try_start(start).await.expect("a good disk");
            assert!(refused.is_empty(), "{refused:?}");
            process.logs.iter().map(|log| log.log_end()).collect::<Vec<_>>()
        });
        assert_eq!(found, Some(ends), "{}", case.says);
    }
}

#[test]
fn after_a_clean_stop_nothing_of_the_journals_is_needed() {
    // The others are of checkpoints, without which the logs would be checked from their beginning.
    for case in HARMS[..8].iter() {
        harmed(MANY, true, case).finish(SHARDS);
    }
}

#[test]
fn a_crash_while_a_start_changes_the_files_is_no_loss() {
    for files in [2, 4] {
        let run = |cut| {
            let mut world = lived(2, false);
            world.journal_files = files;
            let kind = CrashKind::Power;
            let life = Life { seed: 1, shards: SHARDS, steps: 0, closes: false, kind };
            let operations = world.live(life, cut);
            world.finish(SHARDS);
            operations
        };
        for cut in 0..run(None) {
            run(Some(cut));
        }
    }
}
