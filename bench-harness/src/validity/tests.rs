//! Each check finds what it is for, and a sound run passes all of them.

use std::time::Duration;

use ringlane_reactor::Instant;

use super::*;
use crate::generator::{Breakdown, Counts, Drain, Interval, Snapshot, Stage};
use crate::proc::HostCpu;
use crate::server::Sample;
use crate::settings::Settings;
use crate::verify::Faults;

const RECORDS: u64 = 15_000;

fn scenario() -> Scenario {
    Scenario::new(Settings::default()).expect("the defaults")
}

fn sound() -> Measured {
    let stage = |all| Stage { all, measured: RECORDS.min(all) };
    let snapshot = |second: u64, sent: u64| Snapshot {
        at: Instant::from_nanos(second * 1_000_000_000),
        counts: Counts { sent: stage(sent), acknowledged: stage(sent), ..Counts::default() },
        server: None,
        host: Some(HostCpu { total: second * 200, idle: second * 100, steal: 0 }),
        clock_offset_ms: 1_700_000_000_000,
    };
    let all = stage(18_000);
    let counts = Counts {
        sent: all,
        acknowledged: all,
        consumed: all,
        sending_ended: true,
        ..Counts::default()
    };
    let mut total = Interval::empty();
    for latencies in [&mut total.produce, &mut total.end_to_end] {
        latencies.record_n(1_000_000, RECORDS).expect("in range");
    }
    total.lag.record_n(50_000, RECORDS).expect("in range");
    Measured {
        started_ms: 0,
        window: Duration::from_secs(15),
        counts,
        faults: Faults::default(),
        total,
        intervals: Vec::new(),
        snapshots: vec![snapshot(3, 3_000), snapshot(18, 18_000)],
        breakdown: Breakdown::default(),
        backlog: Drain::default(),
        history: Drain::default(),
        deleted_records: None,
        busiest_core: Some(0.4),
        durability: None,
        stopped: None,
        first_error: None,
    }
}

/// The only reason against a sound run that was changed.
fn reason(change: impl FnOnce(&mut Measured)) -> String {
    let mut measured = sound();
    change(&mut measured);
    let mut invalid = judge(&scenario(), &measured).invalid;
    let reason = invalid.pop().expect("something is found");
    assert_eq!(invalid, Vec::<String>::new(), "and nothing else");
    reason
}

#[test]
fn a_sound_run_is_valid() {
    let judgement = judge(&scenario(), &sound());
    assert_eq!(judgement.invalid, Vec::<String>::new());
    assert!(judgement.warnings[0].contains("p99.99"), "{:?}", judgement.warnings);
    assert_eq!(judgement.warnings.len(), 2, "one for each kind of latency");
}

#[test]
fn every_fault_of_the_records_is_told() {
    assert!(reason(|m| m.faults.lost = 3).starts_with("3 acknowledged records were lost"));
    assert!(reason(|m| m.faults.duplicated = 1).contains("more than once"));
    assert!(reason(|m| m.faults.reordered = 1).contains("after a later one"));
    assert!(reason(|m| m.counts.corrupted = 1).contains("not what was sent"));
    let unacknowledged = reason(|m| {
        m.counts.unacknowledged.all = 5;
        m.first_error = Some("the disk is full".into());
    });
    assert!(unacknowledged.contains("the disk is full"), "{unacknowledged}");
    assert!(reason(|m| m.counts.consumed.measured = 14_999).contains("14,999 consumed"));
    let stopped = reason(|m| m.stopped = Some("interrupted after 2.0 s".into()));
    assert!(stopped.starts_with("interrupted"), "{stopped}");
}

#[test]
fn a_generator_that_is_late_is_told_from_a_target_that_is_slow() {
    let late = reason(|m| m.total.lag.record_n(5_000_000, RECORDS / 50).expect("in range"));
    assert!(late.contains("behind its schedule"), "{late}");
    let slow =
        |m: &mut Measured| m.total.produce.record_n(50_000_000, RECORDS / 2).expect("in range");
    let mut measured = sound();
    slow(&mut measured);
    measured.total.lag.record_n(5_000_000, RECORDS / 50).expect("in range");
    assert_eq!(judge(&scenario(), &measured).invalid, Vec::<String>::new(), "a tenth of it");
    measured.total.lag.record_n(90_000_000, 40).expect("in range");
    let warnings = judge(&scenario(), &measured).warnings;
    assert!(warnings.iter().any(|warning| warning.contains("beyond p99")), "{warnings:?}");
    let busy = reason(|m| m.busiest_core = Some(0.95));
    assert!(busy.contains("saturated: 95 %"));
    let short = reason(|m| m.snapshots[1].counts.acknowledged.all = 10_500);
    let behind = reason(|m| m.counts.cut_short = true);
    let blamed = [&late, &busy, &behind, &short].map(|sentence| blames_the_generator(sentence));
    assert_eq!(blamed, [true, true, true, false]);
}

#[test]
fn a_rate_that_is_not_reached_is_told_with_what_was() {
    let slow = reason(|m| m.snapshots[1].counts.acknowledged.all = 10_500);
    assert!(slow.contains("target does not sustain") && slow.contains("500 of 1,000"), "{slow}");
    let full = reason(|m| m.counts.blocked = Duration::from_secs(4));
    assert!(full.contains("waiting for room") && full.contains("--buffer"), "{full}");
    let behind = reason(|m| m.counts.cut_short = true);
    assert!(behind.contains("generator does not reach"), "{behind}");
}

#[test]
fn a_host_that_was_disturbed_is_told() {
    let stolen = reason(|m| {
        m.snapshots[1].host = Some(HostCpu { total: 3_600, idle: 1_000, steal: 300 });
    });
    assert!(stolen.contains("10.0 %"), "{stolen}");
    let clock = reason(|m| m.snapshots[1].clock_offset_ms -= 3_600_000);
    assert!(clock.contains("3600000 ms"), "{clock}");
}

#[test]
fn a_percentile_needs_samples_beyond_it() {
    let few = |latencies: &mut Latencies| {
        latencies.reset();
        latencies.record_n(1_000_000, 999).expect("in range");
    };
    let produce = reason(|m| few(&mut m.total.produce));
    assert!(
        produce.contains("999 samples") && produce.contains("p99.9 of the produce"),
        "{produce}"
    );
    let none = reason(|m| m.total.end_to_end.reset());
    assert!(none.contains("0 samples are too few for p50"), "{none}");
    assert!(blames_the_duration(&none) && blames_the_duration(&produce));
    assert!(!blames_the_duration(&reason(|m| m.counts.cut_short = true)));
}

#[test]
fn what_was_to_happen_with_old_records_must_have_happened() {
    let text = "history = \"1MiB\"\ncold = true\nretention = \"4MiB\"";
    let scenario = Settings::read(text).and_then(Scenario::new).expect("a scenario");
    let sample = |mib: u64| {
        let (cpu, at) = (Default::default(), Instant::default());
        let disk_read_bytes = Some(mib << 20);
        let (disk_write_bytes, voluntary_switches) = (None, None);
        Sample { at, cpu, rss_kib: 0, disk_write_bytes, disk_read_bytes, voluntary_switches }
    };
    let judged = |read_mib: u64, deleted: u64| {
        let mut measured = sound();
        measured.history = Drain { records: 1, bytes: 4 << 20, ..Drain::default() };
        measured.snapshots[0].server = Some(sample(1));
        measured.snapshots[1].server = Some(sample(1 + read_mib));
        measured.deleted_records = Some(deleted);
        judge(&scenario, &measured).invalid
    };
    assert_eq!(judged(2, 1), [""; 0]);
    assert!(judged(1, 1)[0].contains("of 4 MiB only 1 were read from it"));
    assert!(judged(2, 0)[0].contains("retention deleted nothing"));
    let mut unread = sound();
    unread.deleted_records = Some(1);
    assert!(judge(&scenario, &unread).invalid[0].contains("nothing of the history"));
}
