//! Loads in transactions: when their records are read, what a commit costs, and what it means that one fails.

use std::rc::Rc;
use std::time::Duration;

use ringlane_bench::generator::Measured;
use ringlane_bench::percentiles::Percentiles;
use ringlane_bench::verify::Faults;
use ringlane_wire::ErrorCode;

use crate::coordinator::Coordinator;
use crate::fake::{Fake, Shared};
use crate::{run, run_on};

const MS: Duration = Duration::from_millis(1);

/// A record every 10 ms, 800 in all, in transactions of 100 ms.
const SPARSE: &str = "rate = 100\npartitions = 1\nwarm-up = \"0s\"\nduration = \"8s\"\ntransaction-duration = \"100ms\"\n";

fn fake(coordinator: Coordinator) -> Fake {
    let coordinator = Some(coordinator);
    Fake { delays: vec![MS], fetch_delay: MS, coordinator, ..Fake::default() }
}

fn of(latencies: &ringlane_bench::percentiles::Latencies) -> Percentiles {
    Percentiles::of(latencies)
}

fn assert_whole(measured: &Measured, records: u64) {
    let counts = &measured.counts;
    assert_eq!((counts.sent.all, counts.acknowledged.all), (records, records));
    assert_eq!((counts.consumed.all, measured.faults), (records, Faults::default()));
    assert_eq!((counts.corrupted, counts.failed_transactions), (0, 0));
}

#[test]
fn records_are_read_when_their_transaction_is_committed() {
    for (is_implicit, shards) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        let coordinator = Coordinator { is_implicit, end_delay: 5 * MS, ..Coordinator::default() };
        let fake: Shared = Rc::new(fake(coordinator).into());
        let settings =
            format!("{}partitions = 4\nproducers = 2\n", SPARSE.replace("partitions = 1\n", ""));
        let measured = run_on(&fake, &settings, shards).expect("a measurement");
        assert_whole(&measured, 800);
        let committed = fake.borrow().coordinator.as_ref().map(|of| of.committed as u64);
        assert_eq!(committed, Some(measured.counts.transactions.all));
        // Two producers, each with a transaction of 100 ms and 5 ms of commit, one after the other.
        let transactions = measured.counts.transactions.all;
        assert!((130..=160).contains(&transactions), "{transactions}");
        assert_eq!(measured.total.commit.len(), measured.counts.transactions.measured);
        let (commit, read) = (of(&measured.total.commit), of(&measured.total.end_to_end));
        assert!((5_000.0..5_100.0).contains(&commit.p50), "{commit:?}");
        assert!((40_000.0..80_000.0).contains(&read.p50), "a half of 100 ms: {read:?}");
        assert!((99_000.0..150_000.0).contains(&read.max), "the first of each: {read:?}");
    }
}

#[test]
fn records_that_wait_for_a_commit_are_late_and_not_left_out() {
    let coordinator =
        Coordinator { is_implicit: true, end_delay: 400 * MS, ..Coordinator::default() };
    let measured = run(SPARSE, 1, fake(coordinator)).expect("a measurement");
    assert_whole(&measured, 800);
    let (produce, lag) = (of(&measured.total.produce), of(&measured.total.lag));
    // Four fifths of all records are meant for the time of a commit.
    assert!((380_000.0..405_000.0).contains(&produce.max), "{produce:?}");
    assert!((100_000.0..300_000.0).contains(&produce.p50), "{produce:?}");
    assert!(lag.max < 1_000.0, "that is not the generator's: {lag:?}");
}

#[test]
fn a_coordinator_that_still_ends_the_one_before_is_asked_again() {
    let measured = run(SPARSE, 1, fake(Coordinator::default())).expect("a measurement");
    assert_whole(&measured, 800);
    let produce = of(&measured.total.produce);
    // The first record of each waits for the second request, 20 ms later; those behind it wait with it.
    assert!((20_000.0..25_000.0).contains(&produce.max), "{produce:?}");
    assert!(produce.p50 < 3_000.0, "{produce:?}");
}

#[test]
fn a_transaction_that_is_not_committed_is_told_and_the_next_begins() {
    for is_implicit in [false, true] {
        let refuses = Some((20, ErrorCode::TRANSACTION_ABORTABLE));
        let coordinator = Coordinator { is_implicit, refuses, ..Coordinator::default() };
        let measured = run(SPARSE, 1, fake(coordinator)).expect("a measurement");
        let counts = &measured.counts;
        assert_eq!((counts.acknowledged.all, counts.failed_transactions), (800, 1));
        let lost = measured.faults.lost;
        assert!((5..=15).contains(&lost), "those of one transaction: {lost}");
        assert_eq!(counts.consumed.all, 800 - lost);
        let error = measured.first_error.expect("an error");
        assert!(error.contains("TRANSACTION_ABORTABLE"), "{error}");
    }
}

#[test]
fn a_producer_that_was_fenced_ends_the_run() {
    for rate in ["100", "\"max\""] {
        let refuses = Some((5, ErrorCode::PRODUCER_FENCED));
        let coordinator = Coordinator { refuses, ..Coordinator::default() };
        let settings = SPARSE.replace("rate = 100", &format!("rate = {rate}\nbuffer = \"64KiB\""));
        let measured = run(&settings, 1, fake(coordinator)).expect("a measurement");
        assert_eq!(measured.counts.failed_transactions, 1);
        assert!(measured.counts.transactions.all == 5 && measured.faults.lost > 0);
        let error = measured.first_error.expect("an error");
        assert!(error.contains("PRODUCER_FENCED"), "{error}");
    }
}

#[test]
fn a_closed_loop_sends_what_its_transactions_have_room_for() {
    let settings = "rate = \"max\"\npartitions = 2\nproducers = 2\nwarm-up = \"0s\"\nduration = \"1s\"\nbuffer = \"64KiB\"\ntransaction-duration = \"100ms\"\n";
    for is_implicit in [false, true] {
        let coordinator = Coordinator { is_implicit, end_delay: 5 * MS, ..Coordinator::default() };
        let measured = run(settings, 1, fake(coordinator)).expect("a measurement");
        assert_whole(&measured, measured.counts.sent.all);
        assert!(measured.counts.sent.all > 10_000, "{:?}", measured.counts);
        assert!((14..=20).contains(&measured.counts.transactions.all), "{:?}", measured.counts);
    }
}

#[test]
fn a_target_without_transactions_is_told_before_anything_is_measured() {
    let refused = run(SPARSE, 1, Fake::default()).expect_err("there are none");
    assert!(refused.contains("does not offer transactions"), "{refused}");
    assert!(refused.contains("leave out --transaction-duration"), "{refused}");
}
