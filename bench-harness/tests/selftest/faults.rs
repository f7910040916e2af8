//! Every fault that a broker can commit is found, and no other is reported; a target that ends is given up in time.

use std::time::Duration;

use ringlane_bench::generator::Measured;
use ringlane_bench::verify::Faults;

use crate::fake::{Fake, Tamper};
use crate::run;

const STEADY: &str = "rate = 200\nbatch-size = 0\npartitions = 1\nwarm-up = \"0s\"\nduration = \"2s\"\npatience = \"3s\"\n";

fn with(tamper: Option<Tamper>) -> Measured {
    let measured = run(STEADY, 1, Fake { tamper, ..Fake::default() }).expect("a measurement");
    assert_eq!((measured.counts.sent.all, measured.counts.acknowledged.all), (400, 400));
    measured
}

#[test]
fn an_honest_broker_has_no_faults() {
    let measured = with(None);
    assert_eq!((measured.faults, measured.counts.corrupted), (Faults::default(), 0));
    assert_eq!(measured.counts.consumed.all, 400);
}

#[test]
fn a_lost_record_is_found() {
    let measured = with(Some(Tamper::Lose(100)));
    assert_eq!(measured.faults, Faults { lost: 1, ..Faults::default() });
    assert_eq!(measured.stopped, None, "it is a result, not an obstacle");
    let last = with(Some(Tamper::Lose(399)));
    assert_eq!(last.faults.lost, 1, "also the last one");
}

#[test]
fn a_record_that_comes_twice_is_found() {
    let measured = with(Some(Tamper::Duplicate(100)));
    assert_eq!(measured.faults, Faults { duplicated: 1, ..Faults::default() });
    let last = with(Some(Tamper::Duplicate(399)));
    assert_eq!(last.faults.duplicated, 1, "also the last one");
}

#[test]
fn a_record_out_of_order_is_found() {
    let measured = with(Some(Tamper::Swap(100)));
    assert_eq!(measured.faults, Faults { reordered: 1, ..Faults::default() });
}

#[test]
fn a_corrupted_record_is_found_and_missed() {
    let measured = with(Some(Tamper::Corrupt(100)));
    assert_eq!(measured.counts.corrupted, 1);
    assert_eq!(
        measured.faults,
        Faults { lost: 1, ..Faults::default() },
        "what was sent never came"
    );
}

#[test]
fn a_target_that_answers_no_more_is_given_up_with_what_was_measured() {
    let fake =
        Fake { dies_after: Some(200), delays: vec![Duration::from_millis(1)], ..Fake::default() };
    let measured = run(STEADY, 2, fake).expect("a measurement");
    let stopped = measured.stopped.expect("it was given up");
    assert!(stopped.contains("answered nothing for 3s"), "{stopped}");
    assert_eq!(measured.counts.acknowledged.all, 200);
    assert_eq!(measured.total.produce.len(), 200);
}

#[test]
fn a_target_that_is_not_there_is_a_sentence() {
    let scenario = STEADY.replace("patience = \"3s\"", "patience = \"1s\"");
    let refused = crate::run_without_broker(&scenario).expect_err("nobody listens");
    assert!(refused.contains("no broker can be reached at 10.0.0.1:9092"), "{refused}");
}
