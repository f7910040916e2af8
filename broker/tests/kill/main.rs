//! `kill -9` of the real binary under load, again and again on one data directory: nothing that was acknowledged or shown is
//! lost, moved or changed. In half of the rounds what was not synced of the segments is damaged before the next start:
//! the journal alone must restore it. `RINGLANE_ROUNDS` says how many rounds, `RINGLANE_SEED` which.
#![expect(
    clippy::disallowed_types,
    reason = "threads of a test share what they were told, outside any shard"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes and opens sockets, outside any reactor"
)]

mod audit;
#[expect(dead_code, reason = "the librdkafka tests use the rest of it")]
#[path = "../librdkafka/broker.rs"]
mod broker;
#[expect(dead_code, reason = "the librdkafka tests use the rest of it")]
#[path = "../librdkafka/clients.rs"]
mod clients;
mod damage;
mod ledger;
mod load;
mod random;
mod rounds;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use broker::Directory;
use rounds::Rounds;

const ROUNDS: u64 = 5;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn what_was_acknowledged_survives() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let drawn = u64::from(clock.subsec_nanos()) ^ u64::from(process::id()) << 32;
    let seed = number("RINGLANE_SEED").unwrap_or(drawn);
    let directory = Directory::new();
    println!("seed {seed}");
    let mut rounds = Rounds::new(&directory, seed);
    for round in 0..number("RINGLANE_ROUNDS").unwrap_or(ROUNDS) {
        let outcome = catch_unwind(AssertUnwindSafe(|| rounds.run(round)));
        if let Err(panic) = outcome {
            println!(
                "seed {seed} failed in round {round}; its files stay in {}",
                directory.path("").display()
            );
            drop(rounds); // the broker's process ends
            std::mem::forget(directory);
            resume_unwind(panic);
        }
    }
}
