//! What is measured is what the server did: percentiles within the histogram's precision, a stall in full.

use std::time::Duration;

use ringlane_bench::percentiles::Percentiles;

use crate::fake::Fake;
use crate::run;

const MS: Duration = Duration::from_millis(1);

/// One record a request, each 10 ms after the one before, so that no answer waits for another.
const SPARSE: &str =
    "rate = 100\nbatch-size = 0\npartitions = 1\nwarm-up = \"1s\"\nduration = \"100s\"\n";

#[test]
fn percentiles_are_those_of_the_server() {
    // Out of every 1,000: 900 take 1 ms, 90 take 2, 9 take 4 and one takes 8; dealt so that they are spread.
    let delay = |number: u32| match number * 617 % 1000 {
        0..900 => MS,
        900..990 => 2 * MS,
        990..999 => 4 * MS,
        _ => 8 * MS,
    };
    let fake = Fake { delays: (0..1000).map(delay).collect(), ..Fake::default() };
    let measured = run(SPARSE, 1, fake).expect("a measurement");
    assert_eq!(measured.stopped, None);
    assert_eq!(measured.total.produce.len(), 10_000);
    let percentiles = Percentiles::of(&measured.total.produce);
    let expected = [1000.0, 1000.0, 2000.0, 4000.0, 8000.0, 8000.0];
    for ((name, us), expected) in percentiles.named().into_iter().zip(expected) {
        assert!((us / expected - 1.0).abs() <= 2e-3, "{name}: {us} where {expected} was served");
    }
    let lag = Percentiles::of(&measured.total.lag);
    assert!(lag.max < 1.0, "virtual time waits for the generator: {lag:?}");
}

#[test]
fn a_stall_delays_every_record_that_was_meant_for_it() {
    // Two seconds without an answer, from the 1,000th request of 2,100 on.
    let settings =
        "rate = 100\nbatch-size = 0\npartitions = 1\nwarm-up = \"1s\"\nduration = \"20s\"\n";
    let stall = Some((1_000, Duration::from_secs(2)));
    let fake = Fake { delays: vec![MS], stall, ..Fake::default() };
    let measured = run(settings, 1, fake).expect("a measurement");
    let produce = &measured.total.produce;
    assert_eq!(produce.len(), 2_000);
    let percentiles = Percentiles::of(produce);
    assert!((percentiles.max / 2e6 - 1.0).abs() < 2e-3, "{percentiles:?}");
    // The records meant for those two seconds waited for 0 to 2 s: half of 200 for more than one, and a few that came
    // just behind, since five requests at a time are let through when it is over.
    let slow = produce.count_between(1_000_000_000, 3_000_000_000);
    assert!((98..=106).contains(&slow), "{slow} records waited for more than a second");
    assert_eq!(measured.counts.consumed.all, 2_100);
}

#[test]
fn several_shards_measure_the_same_as_one() {
    let settings = "rate = 1000\npartitions = 5\nproducers = 4\nreaders = 2\nwarm-up = \"0s\"\nduration = \"4s\"\n";
    let fake = || Fake { delays: vec![3 * MS], ..Fake::default() };
    for shards in [1, 3] {
        let measured = run(settings, shards, fake()).expect("a measurement");
        let counts = (measured.counts.sent.all, measured.counts.acknowledged.measured);
        assert_eq!(counts, (4_000, 4_000), "{shards} shards");
        assert_eq!(measured.counts.consumed.all, 8_000, "two readers");
        assert_eq!(measured.faults, Default::default());
        assert!(Percentiles::of(&measured.total.produce).p50 >= 3_000.0);
    }
}

#[test]
fn records_that_are_due_at_almost_the_same_time_leave_together() {
    // One every 25 µs: in virtual time, which stands still while anything runs, only the pace makes them late.
    let settings =
        "rate = 40000\npartitions = 1\nwarm-up = \"0s\"\nduration = \"1s\"\nlinger = \"5ms\"\n";
    let measured = run(settings, 1, Fake { delays: vec![MS], ..Fake::default() });
    let measured = measured.expect("a measurement");
    let (counts, lag) = (measured.counts, &measured.total.lag);
    assert_eq!((counts.sent.all, counts.acknowledged.all), (40_000, 40_000));
    assert!((24_900..=50_100).contains(&lag.max()), "50 µs at the most: {} ns", lag.max());
    let on_time = lag.count_between(0, 1_000);
    assert!((13_000..=20_100).contains(&on_time), "the last of two or three is on time: {on_time}");
}
