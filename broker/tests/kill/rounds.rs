//! The rounds: load, kill, damage, starts that are killed too, a start, an audit.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use rdkafka::admin::AdminOptions;

use crate::audit::{Ends, audit, fresh};
use crate::broker::{Directory, Launch, set, wait_until};
use crate::clients::{admin, block_on, create_topic};
use crate::damage::{Mode, Told, damage, recovery};
use crate::ledger::Ledger;
use crate::load::{CACHED, Load, STREAMS};
use crate::random::Random;

/// After so many rounds the topics are deleted, and new ones made: an audit reads all there is.
const ROUNDS_OF_A_GENERATION: u64 = 8;

/// See the module.
pub(crate) struct Rounds<'a> {
    directory: &'a Directory,
    random: Random,
    ledger: Arc<Ledger>,
    port: u16,
    shards: u64,
    generation: u64,
    ends: Ends,
    launch: Option<Launch>,
    address: String,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(directory: &'a Directory, seed: u64) -> Self {
        let ledger = Arc::new(Ledger::default());
        let (random, port) = (Random(seed), free_port());
        let (ends, launch, address) = (Ends::new(), None, String::new());
        Self { directory, random, ledger, port, shards: 2, generation: 0, ends, launch, address }
    }

    /// One round, on what the one before left.
    pub(crate) fn run(&mut self, round: u64) {
        let began = Instant::now();
        if self.launch.is_none() {
            self.start();
        }
        if round.is_multiple_of(ROUNDS_OF_A_GENERATION) {
            self.begin_generation(round / ROUNDS_OF_A_GENERATION);
        }
        let (acknowledged, seen) = self.ledger.counts();
        let load = Load::start(
            &self.address,
            &self.ledger,
            round,
            self.generation,
            &mut self.random,
            &self.ends,
        );
        let kill_at = acknowledged + 200 + self.random.below(4000);
        wait_until("enough is acknowledged", || {
            // Fails the test, with its log, if the broker has ended of itself.
            self.launch.as_mut().expect("a broker that runs").address();
            (self.ledger.acknowledgements() >= kill_at).then_some(())
        });
        let is_clean = self.random.one_in(8);
        self.end_process(is_clean);
        // Half of the producers are told of a broken connection, and go on after the start.
        let mut load = Some(load);
        if self.random.one_in(2) {
            load.take().expect("the load").stop(false);
        }
        let mode = match round % 4 {
            0 => Some(Mode::Garbage),
            2 => Some(Mode::Cut),
            _ => None,
        };
        let (told, killed_starts) = self.damage_and_kill_starts(mode, is_clean);
        self.shards = 1 + (self.shards + self.random.below(2)) % 3;
        self.start();
        let was_delivered = load.is_some();
        if let Some(load) = load {
            load.stop(true);
        }
        self.ends = audit(&self.address, &self.ledger, self.generation);
        self.check_told(&told, was_delivered);
        self.ledger.check();
        let (now_acknowledged, now_seen) = self.ledger.counts();
        println!(
            "round {round}: {} acknowledged, {} seen, {}, {mode:?}, {killed_starts} starts killed, then {} shards{}; {} records, {} ms",
            now_acknowledged - acknowledged,
            now_seen - seen,
            if is_clean { "stopped" } else { "killed" },
            self.shards,
            if was_delivered { ", producers went on" } else { "" },
            self.ends.values().sum::<i64>(),
            began.elapsed().as_millis(),
        );
    }

    /// New topics in the place of those there were.
    fn begin_generation(&mut self, generation: u64) {
        let admin = admin(&self.address);
        if generation > 0 {
            let old: Vec<_> = STREAMS.iter().map(|s| s.topic_name(self.generation)).collect();
            let names: Vec<&str> = old.iter().map(String::as_str).collect();
            let deleted = block_on(admin.delete_topics(&names, &AdminOptions::new()));
            for topic in deleted.expect("an answer") {
                topic.expect("deleted");
            }
        }
        self.ledger.forget();
        self.generation = generation;
        for stream in STREAMS {
            let topic = stream.topic_name(generation);
            create_topic(&self.address, &topic, stream.partitions, stream.topic).expect("created");
        }
        self.ends = fresh(generation);
    }

    fn launch(&self) -> Launch {
        let data = format!("log.dirs={}", self.directory.path("data").display());
        let listener = format!("listeners=PLAINTEXT://127.0.0.1:{}", self.port);
        let shards = format!("ringlane.shards={}", self.shards);
        let settings = [
            &data,
            &listener,
            &shards,
            "ringlane.journal.file.bytes=1048576",
            "ringlane.journal.files=3",
        ];
        Launch::new(self.directory, &set(&settings))
    }

    /// Starts the broker, and waits until it is ready.
    fn start(&mut self) {
        let mut launch = self.launch();
        self.address = wait_until("the broker is ready", || launch.address());
        self.launch = Some(launch);
    }

    /// Ends the broker's process: `kill -9`, or in order.
    fn end_process(&mut self, is_clean: bool) {
        let launch = self.launch.take().expect("a broker that runs");
        if is_clean {
            let id = launch.process_id().to_string();
            assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
            let (status, log) = launch.ended();
            assert!(status.success(), "{log}");
        }
        // Otherwise it is dropped: SIGKILL, and waits for the end.
    }

    /// What a start is expected to find, after damage and starts that did not come to their end.
    fn damage_and_kill_starts(&mut self, mode: Option<Mode>, is_clean: bool) -> (Vec<Told>, u64) {
        let data = self.directory.path("data");
        let mut killed_starts = 0;
        loop {
            let told = recovery(&data);
            if is_clean && killed_starts == 0 {
                for log in &told {
                    let len = std::fs::metadata(&log.file).expect("a segment").len();
                    assert_eq!((log.journal_bytes, log.position), (0, len), "{log:?}");
                }
            }
            if let Some(mode) = mode {
                damage(&told, mode, &mut self.random);
            }
            let after = recovery(&data);
            self.check_damage(&told, &after);
            if !self.random.one_in(3) {
                return (after, killed_starts);
            }
            killed_starts += 1;
            let mut launch = self.launch();
            let mut polls = self.random.below(40);
            wait_until("it is time to kill the start", || {
                polls = polls.saturating_sub(1);
                (polls == 0 || launch.address().is_some()).then_some(())
            });
        }
    }

    /// Damage behind what is synced leaves what was acknowledged, and what is not damaged.
    fn check_damage(&self, before: &[Told], after: &[Told]) {
        assert_eq!(before.len(), after.len(), "{before:?} {after:?}");
        for (before, after) in before.iter().zip(after) {
            assert!(after.log_end_offset <= before.log_end_offset, "{before:?} {after:?}");
            if before.topic.starts_with(CACHED) {
                assert_eq!(after.log_end_offset, before.log_end_offset, "{before:?} {after:?}");
            }
        }
    }

    /// The command told where logs end; producers that went on have added to them.
    fn check_told(&self, told: &[Told], is_more: bool) {
        for log in told {
            let Some(end) = self.ends.get(&(log.topic.clone(), log.partition)) else { continue };
            match is_more {
                true => assert!(*end >= log.log_end_offset, "{log:?} ends at {end}"),
                false => assert_eq!(*end, log.log_end_offset, "{log:?}"),
            }
        }
    }
}

/// A port below those that the kernel gives away: it must stay ours from one start to the next.
fn free_port() -> u16 {
    let first = 15_000 + (std::process::id() % 10_000) as u16;
    let mut ports = first..first + 1000;
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("a free port")
}
