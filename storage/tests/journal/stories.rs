//! The writer's promises, one story each.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_reactor::{Queue, Reactor};
use ringlane_storage::journal::{
    Client, Journal, JournalConfig, JournalError, Mark, Seat, journals,
};

use super::common::world;
use super::world::*;

fn story<F: Future<Output = ()> + 'static>(story: impl FnOnce(Reactor) -> F + 'static) {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, story);
}

#[test]
fn what_was_added_is_told_durable_and_found_again() {
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let logs = [CountedLog::new(0, 0), CountedLog::new(1, 0)];
        for n in 0..20 {
            logs[n % 2].add(&journal, &[n as u8; 300]).await.expect("there is room");
        }
        for log in &logs {
            log.settled().await;
        }
        let stats = journal.stats();
        assert_eq!(stats.entries, 20);
        assert!(stats.groups <= 2, "what came at once is in one group: {stats:?}");
        assert!(logs[0].calls.get() <= 2, "told once for each group");
        journal.close().await;
        let found = recover(&reactor, &Checkpoint { from: 1, ..Checkpoint::default() }).await;
        assert_eq!(found.logs[&0].len(), 10);
        assert_eq!(found.logs[&1][&10], [19; 300]);
        assert_eq!(found.damage, []);
        let listed = journals(&reactor.disk(), dir()).await.expect("a good disk");
        assert_eq!((listed.len(), listed[0].shard, &listed[0].files[..]), (1, 0, &[0, 1, 2][..]));
    });
}

/// Ready when the group `mark` is on its way: it may have to wait for zeros.
async fn closed(reactor: &Reactor, journal: &Journal, mark: Mark) {
    while journal.mark() == mark {
        reactor.sleep(Duration::from_nanos(100)).await;
    }
}

#[test]
fn a_group_holds_what_came_while_the_one_before_it_was_written() {
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        let first = journal.mark();
        log.add(&journal, b"first").await.expect("there is room");
        closed(&reactor, &journal, first).await;
        for _ in 0..10 {
            log.add(&journal, b"while it is written").await.expect("there is room");
        }
        assert_eq!((log.calls.get(), journal.stats().groups), (0, 0));
        log.settled().await;
        assert_eq!((log.calls.get(), journal.stats().groups), (2, 2));
    });
}

/// Whoever is told of a group finds the next one closed: the device does not wait for what they do.
#[test]
fn the_next_group_is_on_its_way_when_one_is_told() {
    struct Told {
        journal: Journal,
        open_then: RefCell<Vec<Mark>>,
        seat: Cell<Seat>,
    }
    impl Client for Told {
        fn seat(&self) -> &Cell<Seat> {
            &self.seat
        }
        fn durable(&self, _: u64) {
            self.open_then.borrow_mut().push(self.journal.mark());
        }
        fn journal_failed(&self, reason: &str) {
            panic!("{reason}");
        }
    }
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let told = Rc::new(Told {
            journal: journal.clone(),
            open_then: RefCell::default(),
            seat: Cell::default(),
        });
        let client: Rc<dyn Client> = told.clone();
        let mut marks = Vec::new();
        for sequence in 1..=2 {
            let room = journal.reserve(10).await.expect("there is room");
            let added = journal.add(room, &head(0, sequence), &[1; 10], &client);
            marks.push(added.expect("it is open"));
            if sequence == 1 {
                closed(&reactor, &journal, marks[0]).await;
            }
        }
        journal.close().await;
        assert!(marks[0] < marks[1], "two groups");
        let told = told.open_then.borrow();
        assert_eq!(told.len(), 2);
        assert!(told[0] > marks[1], "the second group was closed before the first was told");
    });
}

#[test]
fn reservations_wait_for_room_in_their_order() {
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        let order = Rc::new(Cell::new(0));
        let mut tasks = Vec::new();
        for n in 0..40 {
            let (journal, log, order) = (journal.clone(), log.clone(), order.clone());
            // Large and small ones: a small one does not pass a large one.
            let bytes = if n % 3 == 0 { 9_000 } else { 10 };
            tasks.push(reactor.spawn(Queue::Client, async move {
                let room = journal.reserve(bytes).await.expect("it waits for room");
                let ours = order.replace(order.get() + 1);
                let sequence = log.added.get() + 1;
                let payload = vec![n as u8; bytes];
                log.added.set(sequence);
                let added = journal.add(room, &head(0, sequence), &payload, &log.as_client());
                added.expect("the journal is open");
                (n, ours)
            }));
            reactor.yield_now().await;
        }
        let trimmer = trims_whenever_asked(&reactor, &journal);
        for task in tasks {
            let (asked, served) = task.await;
            assert_eq!(asked, served);
        }
        log.settled().await;
        drop(trimmer);
    });
}

fn trims_whenever_asked(reactor: &Reactor, journal: &Journal) -> ringlane_reactor::Task<()> {
    let (journal, own) = (journal.clone(), reactor.clone());
    reactor.spawn(Queue::Background, async move {
        loop {
            while !journal.is_checkpoint_wanted() {
                journal.wants_checkpoint().await;
            }
            journal.trim(journal.mark());
            own.yield_now().await;
        }
    })
}

#[test]
fn a_full_journal_waits_for_the_checkpoint_and_goes_on() {
    story(|reactor| async move {
        let config = JournalConfig { files: 2, ..tiny() };
        let journal = open(&reactor, config, 1).await;
        let log = CountedLog::new(0, 0);
        let (writer, own) = (journal.clone(), log.clone());
        let filling = reactor.spawn(Queue::Client, async move {
            for n in 0..100 {
                own.add(&writer, &[n; 6000]).await.expect("it waits for room");
            }
        });
        reactor.sleep(Duration::from_secs(1)).await;
        assert!(log.added.get() < 100, "the files do not hold that");
        assert!(log.durable.get() < log.added.get(), "a group waits");
        assert!(journal.is_checkpoint_wanted());
        assert_eq!(journal.stats().waits_full, 1);
        let before = log.durable.get();
        reactor.sleep(Duration::from_secs(1)).await;
        assert_eq!(log.durable.get(), before, "nothing goes on by itself");
        let trimmer = trims_whenever_asked(&reactor, &journal);
        filling.await;
        log.settled().await;
        assert_eq!(log.durable.get(), 100);
        drop(trimmer);
    });
}

#[test]
fn an_unused_room_is_given_back_and_a_held_one_outlives_its_group() {
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        drop(journal.reserve(15_000).await.expect("an empty group"));
        let held = journal.reserve(12_000).await.expect("the room is back");
        for _ in 0..5 {
            log.add(&journal, &[1; 3000]).await.expect("there is room, now or in the next group");
            log.settled().await;
        }
        let sequence = log.added.get() + 1;
        log.added.set(sequence);
        let added = journal.add(held, &head(0, sequence), &[2; 12_000], &log.as_client());
        added.expect("the journal is open");
        log.settled().await;
        let found = recover(&reactor, &Checkpoint { from: 1, ..Checkpoint::default() }).await;
        assert_eq!(found.logs[&0][&6], [2; 12_000]);
    });
}

#[test]
fn a_payload_beyond_a_group_gets_its_own_and_one_beyond_a_file_none() {
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        for payload in [vec![1; 100], vec![2; 30_000], vec![3; 100]] {
            log.add(&journal, &payload).await.expect("it fits");
        }
        log.settled().await;
        let refused = log.add(&journal, &[4; 40_000]).await;
        assert!(
            matches!(refused, Err(JournalError::TooLarge { bytes: 40_000, .. })),
            "{refused:?}"
        );
        let found = recover(&reactor, &Checkpoint { from: 1, ..Checkpoint::default() }).await;
        assert_eq!(found.logs[&0][&2], [2; 30_000]);
        assert_eq!(found.logs[&0].len(), 3);
    });
}

#[test]
fn a_failed_write_fails_everyone_and_is_not_repeated() {
    let (mut simulation, host) = world(Options::seed(3));
    let journal = simulation.block_on(host, |reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        log.add(&journal, b"before").await.expect("there is room");
        log.settled().await;
        // Beyond the zeros in the background.
        reactor.sleep(Duration::from_secs(5)).await;
        journal
    });
    simulation.set_disk_faults(host, DiskFaults { write_error_one_in: 1, ..DiskFaults::default() });
    let own = journal.clone();
    simulation.block_on(host, move |reactor| async move {
        let journal = own;
        let logs = [CountedLog::new(0, 1), CountedLog::new(1, 0), CountedLog::new(2, 0)];
        let held = journal.reserve(10).await.expect("it has not failed yet");
        logs[0].add(&journal, b"in flight").await.expect("it has not failed yet");
        logs[1].add(&journal, b"in flight").await.expect("it has not failed yet");
        reactor.yield_now().await;
        logs[0].add(&journal, b"open").await.expect("it has not failed yet");
        logs[2].add(&journal, b"open").await.expect("it has not failed yet");
        reactor.sleep(Duration::from_secs(1)).await;
        for log in &logs {
            let reason = log.failure.borrow().clone().expect("it was told");
            assert!(reason.contains("/data/journal/shard-0-0.journal"), "{reason}");
            assert_eq!(log.calls.get(), 0, "nothing was durable");
        }
        assert!(matches!(journal.reserve(1).await, Err(JournalError::Failed(_))));
        let added = journal.add(held, &head(2, 2), b"late", &logs[2].as_client());
        assert!(matches!(added, Err(JournalError::Failed(_))));
        assert!(journal.failed().is_some());
        journal.close().await;
    });
    let operations = simulation.disk_operations(host);
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.run_for(Duration::from_secs(10));
    assert_eq!(simulation.disk_operations(host), operations, "nothing is written after it");
    drop(journal);
}

#[test]
fn after_close_nothing_is_taken_and_all_is_durable() {
    story(|reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        for _ in 0..10 {
            log.add(&journal, &[1; 1000]).await.expect("there is room");
        }
        journal.close().await;
        assert_eq!(log.durable.get(), 10);
        assert_eq!(log.add(&journal, b"late").await, Err(JournalError::Closed));
    });
}

#[test]
fn without_space_for_all_files_there_are_fewer_and_without_any_there_is_a_sentence() {
    for (capacity_bytes, files) in [(150 << 10, Some(2)), (100 << 10, Some(1)), (20 << 10, None)] {
        let disk = DiskFaults { capacity_bytes, ..DiskFaults::default() };
        let (mut simulation, host) = world(Options { disk, ..Options::seed(1) });
        simulation.block_on(host, move |reactor| async move {
            let opened = Journal::open(&reactor, dir(), 0, tiny(), ID, 1).await;
            let Some(files) = files else {
                let error = opened.err().expect("there is no space").to_string();
                for part in
                    ["no space for", "ringlane.journal.file.bytes", "ringlane.journal.files"]
                {
                    assert!(error.contains(part), "{error}");
                }
                return;
            };
            let journal = opened.expect("there is space for a file");
            let listed = journals(&reactor.disk(), dir()).await.expect("a good disk");
            assert_eq!(listed[0].files.len(), files);
            let trimmer = trims_whenever_asked(&reactor, &journal);
            let log = CountedLog::new(0, 0);
            for _ in 0..60 {
                log.add(&journal, &[1; 5000]).await.expect("it waits for room");
            }
            log.settled().await;
            drop(trimmer);
        });
    }
}

#[test]
fn other_sizes_are_taken_over_at_the_next_start() {
    story(|reactor| async move {
        for (files, file_bytes) in [(4, 64 << 10), (2, 64 << 10), (3, 128 << 10), (2, 32 << 10)] {
            let config = JournalConfig { files, file_bytes, ..tiny() };
            let checkpoint = Checkpoint { from: 1, ..Checkpoint::default() };
            let next = recover(&reactor, &checkpoint).await.next_sequence;
            let journal = open(&reactor, config, next).await;
            let log = CountedLog::new(0, 0);
            for _ in 0..6 {
                log.add(&journal, &[1; 5000]).await.expect("there is room");
            }
            log.settled().await;
            journal.close().await;
            let listed = journals(&reactor.disk(), dir()).await.expect("a good disk");
            assert_eq!(listed[0].files.len(), files as usize);
            for file in &listed[0].files {
                let path = dir().join(format!("shard-0-{file}.journal"));
                let metadata = reactor.disk().metadata(&path).await.expect("it is there");
                assert_eq!(metadata.len, file_bytes);
            }
            let checkpoint = Checkpoint { from: next, ..Checkpoint::default() };
            assert_eq!(recover(&reactor, &checkpoint).await.logs[&0].len(), 6);
        }
    });
}

/// The zeros of a new file never reach a group, however the two race.
#[test]
fn zeros_do_not_meet_groups() {
    for seed in 0..40 {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let config = JournalConfig { file_bytes: 1 << 20, files: 3, group_bytes_max: 1 << 18 };
            let journal = open(&reactor, config, 1).await;
            let log = CountedLog::new(0, 0);
            for n in 0..11 {
                log.add(&journal, &vec![n; 200_000]).await.expect("there is room");
                log.settled().await;
            }
            journal.close().await;
            let found = recover(&reactor, &Checkpoint { from: 1, ..Checkpoint::default() }).await;
            assert_eq!((found.logs[&0].len(), found.damage), (11, vec![]));
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let found = recover(&reactor, &Checkpoint { from: 1, ..Checkpoint::default() }).await;
            assert_eq!((found.logs[&0].len(), found.damage), (11, vec![]));
        });
    }
}
