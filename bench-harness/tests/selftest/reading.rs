//! What is measured of reading: fetches, a backlog beside the tail, a history, and the parts of partitions.

use std::rc::Rc;
use std::time::Duration;

use ringlane_bench::generator::Kind;
use ringlane_bench::percentiles::Percentiles;
use ringlane_bench::verify::Faults;

use crate::fake::{Fake, Shared};
use crate::group::Groups;
use crate::{run, run_on};

const MS: Duration = Duration::from_millis(1);

/// A record every 10 ms, 800 in all.
const SPARSE: &str =
    "rate = 100\nbatch-size = 0\npartitions = 1\nwarm-up = \"0s\"\nduration = \"8s\"\n";

fn fake() -> Fake {
    Fake { delays: vec![MS], fetch_delay: 3 * MS, ..Fake::default() }
}

fn is_about(us: f64, expected_ms: f64) -> bool {
    (us / 1e3 / expected_ms - 1.0).abs() <= 2e-3
}

#[test]
fn a_fetch_is_as_long_as_the_answer_takes_and_not_as_the_wait_for_records() {
    let measured = run(SPARSE, 1, fake()).expect("a measurement");
    // A request that finds nothing comes back after 20 ms; the one behind it finds what came meanwhile, after 3 ms.
    let fetch = Percentiles::of(&measured.total.fetch);
    assert!(is_about(fetch.p50, 3.0) && is_about(fetch.max, 3.0), "{fetch:?}");
    assert!(measured.total.fetch.len() > 100);
    assert!(Percentiles::of(&measured.total.end_to_end).max > 10_000.0, "that is the wait");
}

#[test]
fn a_backlog_is_told_apart_from_the_tail() {
    let settings = format!("{SPARSE}readers = 2\nlate-readers = 1\nbacklog = \"2s\"\n");
    for shards in [1, 2] {
        let measured = run(&settings, shards, fake()).expect("a measurement");
        assert_eq!((measured.counts.consumed.all, measured.faults), (1600, Faults::default()));
        let tail = Percentiles::of(&measured.total.end_to_end);
        assert_eq!(measured.total.end_to_end.len(), 800, "of the reader at the tail alone");
        assert!(tail.max < 30_000.0, "{tail:?}");
        let backlog = &measured.backlog;
        // The records of two seconds were there; at most one of them was not acknowledged yet.
        assert_eq!(backlog.records, 200);
        assert!(backlog.took < 30 * MS && backlog.took >= 3 * MS, "{:?}", backlog.took);
        assert!(is_about(Percentiles::of(&backlog.fetch).p50, 3.0));
    }
    let settings = format!("{SPARSE}backlog = \"2s\"\n");
    let measured = run(&settings, 1, fake()).expect("a measurement");
    assert_eq!(measured.total.end_to_end.len(), 800, "nobody else was at the tail");
    assert!(Percentiles::of(&measured.total.end_to_end).max > 1_990_000.0);
    assert_eq!(measured.backlog.records, 200);
}

#[test]
fn a_history_is_stored_before_and_read_beside() {
    let settings = format!(
        "{}partitions = 2\nhistory = \"64KiB\"\nhistory-readers = 2\n",
        SPARSE.replace("partitions = 1\n", "")
    );
    for shards in [1, 2] {
        let measured = run(&settings, shards, fake()).expect("a measurement");
        assert_eq!((measured.counts.sent.all, measured.counts.consumed.all), (800, 800));
        assert_eq!((measured.faults, measured.counts.corrupted), (Faults::default(), 0));
        let history = &measured.history;
        assert_eq!((history.records, history.bytes), (128, 128 << 10), "{shards} shards");
        assert!(is_about(Percentiles::of(&history.fetch).max, 3.0));
    }
}

#[test]
fn every_partition_has_latencies_of_its_own() {
    let settings =
        "rate = 1000\npartitions = 4\nproducers = 3\nwarm-up = \"0s\"\nduration = \"4s\"\n";
    let measured = run(settings, 2, fake()).expect("a measurement");
    let counts = |kind| {
        let partitions = measured.breakdown.by_partition();
        partitions.map(move |(_, share)| share.of(kind).len()).collect::<Vec<_>>()
    };
    assert_eq!(counts(Kind::Produce), [1000; 4]);
    assert_eq!(counts(Kind::EndToEnd), [1000; 4]);
    assert!(counts(Kind::Fetch).iter().all(|count| *count > 0));
    let leaders = measured.breakdown.by_leader();
    assert_eq!((leaders.len(), leaders[0].1, leaders[0].0.node), (1, 4, 1));
    assert_eq!(leaders[0].2.of(Kind::Produce).len(), 4000);
}

#[test]
fn a_group_reads_every_record_once_whoever_its_members_are() {
    let settings = "rate = 200\npartitions = 5\nproducers = 2\nwarm-up = \"0s\"\nduration = \"4s\"\ngroups = 2\nconsumers = 3\n";
    for shards in [1, 2] {
        let fake: Shared = Rc::new(Fake { groups: Groups::of(3), ..fake() }.into());
        let measured = run_on(&fake, settings, shards).expect("a measurement");
        assert_eq!((measured.counts.sent.all, measured.counts.consumed.all), (800, 1600));
        assert_eq!(measured.faults, Faults::default());
        assert_eq!(measured.total.end_to_end.len(), 1600, "both groups are at the tail");
        let groups = &fake.borrow().groups;
        assert_eq!(groups.deleted.len(), 2, "all members left before");
        // Of both groups, over all partitions: what was read is what was committed.
        assert_eq!(groups.committed.values().sum::<i64>(), 1600);
    }
}
