//! The decision against a model that removes one segment after the other and looks at everything each time.

use proptest::prelude::*;

use super::*;

fn segment(end: i64, len: u64, newest_ms: i64) -> Facts {
    Facts { end: Offset(end), len, newest_ms: Some(newest_ms) }
}

fn decided(segments: &[Facts], policy: Policy, start: i64, high_watermark: i64, now: i64) -> usize {
    let (start, high_watermark) = (LogStartOffset(start), HighWatermark(high_watermark));
    match decide(segments, policy, start, high_watermark, now) {
        Decision::Remove(count) => count,
        Decision::Ask(index) => panic!("the timestamp of segment {index} is known"),
    }
}

type Reason<'a> = &'a dyn Fn(&[Facts]) -> bool;

/// Removes the oldest segment as long as there is a reason to: first those before the start, then by size, then by time.
fn model(segments: &[Facts], policy: Policy, start: i64, high_watermark: i64, now: i64) -> usize {
    let mut rest: Vec<Facts> = segments.to_vec();
    let reasons: [Reason<'_>; 3] = [
        &|rest| rest.len() > 1 && rest[0].end.0 <= start,
        &|rest| {
            let left: u64 = rest[1..].iter().map(|segment| segment.len).sum();
            policy.retention_bytes.is_some_and(|bytes| left >= bytes)
        },
        &|rest| {
            let age_ms = now - rest[0].newest_ms.expect("the model knows all");
            policy.retention_ms.is_some_and(|ms| age_ms > ms)
        },
    ];
    for reason in reasons {
        while let Some(oldest) = rest.first() {
            let is_empty_active = rest.len() == 1 && oldest.len == 0;
            if oldest.end.0 > high_watermark || is_empty_active || !reason(&rest) {
                break;
            }
            rest.remove(0);
        }
    }
    segments.len() - rest.len()
}

#[test]
fn nothing_goes_without_a_bound() {
    let segments = [segment(10, 100, 0), segment(20, 100, 0)];
    assert_eq!(decided(&segments, Policy::KEEP, 0, 20, i64::MAX), 0);
    assert_eq!(Policy::new(-1, -1), Policy::KEEP);
}

#[test]
fn the_active_segment_goes_when_it_has_expired_and_holds_something() {
    let policy = Policy::new(50, -1);
    let segments = [segment(10, 100, 0), segment(20, 100, 1)];
    assert_eq!(decided(&segments, policy, 0, 20, 51), 1, "exactly at the bound it stays");
    assert_eq!(decided(&segments, policy, 0, 20, 52), 2);
    assert_eq!(decided(&[segment(10, 100, 0), segment(10, 0, 0)], policy, 0, 10, 99), 1);
}

#[test]
fn what_reaches_the_high_watermark_stays() {
    let segments = [segment(10, 100, 0), segment(20, 100, 0), segment(30, 100, 0)];
    for (high_watermark, expected) in [(9, 0), (10, 1), (19, 1), (20, 2), (29, 2), (30, 3)] {
        assert_eq!(decided(&segments, Policy::new(0, 0), 0, high_watermark, 99), expected);
    }
}

#[test]
fn size_keeps_at_least_what_it_promises() {
    let segments = [segment(10, 100, 0), segment(20, 100, 0), segment(30, 50, 0)];
    for (bytes, expected) in [(250, 0), (151, 0), (150, 1), (51, 1), (50, 2), (0, 3)] {
        assert_eq!(decided(&segments, Policy::new(-1, bytes), 0, 30, 0), expected, "{bytes}");
    }
}

#[test]
fn a_timestamp_is_asked_for_only_where_it_decides() {
    let unknown = |end| Facts { newest_ms: None, ..segment(end, 100, 0) };
    let segments = [unknown(10), unknown(20), segment(30, 100, 90)];
    let decide = |segments: &[Facts], start, policy| {
        super::decide(segments, policy, LogStartOffset(start), HighWatermark(30), 100)
    };
    assert_eq!(decide(&segments, 0, Policy::new(-1, 200)), Decision::Remove(1));
    assert_eq!(decide(&segments, 0, Policy::new(50, -1)), Decision::Ask(0));
    assert_eq!(decide(&segments, 10, Policy::new(50, -1)), Decision::Ask(1));
    let known = [segment(10, 100, 60), unknown(20), segment(30, 100, 90)];
    assert_eq!(decide(&known, 0, Policy::new(50, -1)), Decision::Remove(0));
}

fn any_segments() -> impl Strategy<Value = Vec<Facts>> {
    let one = (0..12i64, 0..300u64, -50..1000i64);
    proptest::collection::vec(one, 1..8).prop_map(|parts| {
        let mut end = 0;
        let facts = |(count, len, newest_ms): (i64, u64, i64)| {
            end += count;
            segment(end, if count == 0 { 0 } else { len + 1 }, newest_ms)
        };
        parts.into_iter().map(facts).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_decision_is_the_models(
        segments in any_segments(),
        retention_ms in -1..1000i64,
        retention_bytes in -1..2000i64,
        start in 0..80i64,
        high_watermark in 0..80i64,
    ) {
        let policy = Policy::new(retention_ms, retention_bytes);
        let now = 1000;
        let expected = model(&segments, policy, start, high_watermark, now);
        prop_assert_eq!(decided(&segments, policy, start, high_watermark, now), expected);
    }
}
