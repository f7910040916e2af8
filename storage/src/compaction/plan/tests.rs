//! Decisions of the cleaner on logs made up of a few numbers.

use super::*;

/// Segments of `lens` bytes, a hundred offsets each.
fn segments(lens: &[u64]) -> Vec<SegmentView> {
    let of = |(n, len): (usize, &u64)| SegmentView {
        base: Offset(n as i64 * 100),
        end: Offset(n as i64 * 100 + 100),
        len: *len,
        offset_entries: 1,
        offset_index_bytes: 8,
        time_index_bytes: 12,
    };
    lens.iter().enumerate().map(of).collect()
}

fn config(ratio: f64) -> CompactionConfig {
    CompactionConfig { min_cleanable_dirty_ratio: ratio, ..CompactionConfig::default() }
}

#[test]
fn the_active_segment_and_what_is_not_settled_stay_untouched() {
    let all = segments(&[10, 10, 10, 10]);
    let count = |limit| touchable(&all, Offset(limit)).len();
    assert_eq!(count(400), 3, "the last is active");
    assert_eq!(count(300), 3);
    assert_eq!(count(299), 2, "a segment is wholly below the limit or not touched");
    assert_eq!(count(99), 0);
    assert_eq!(touchable(&[], Offset(5)).len(), 0);
}

#[test]
fn the_dirty_part_begins_where_the_last_round_ended() {
    let all = segments(&[10, 20, 30]);
    let range = dirty(&all, Offset(100));
    assert_eq!((range.clean_bytes, range.cleanable_bytes), (10, 50));
    assert_eq!(range.first_uncleanable, Offset(300));
    assert_eq!(dirty(&all, Offset(150)).clean_bytes, 10, "a segment cleaned in part is dirty");
    assert_eq!(dirty(&all, Offset(300)).cleanable_bytes, 0);
    assert_eq!(first_dirty(None, Offset(7)), Offset(7));
    assert_eq!(first_dirty(Some(Offset(3)), Offset(7)), Offset(7));
    assert_eq!(first_dirty(Some(Offset(9)), Offset(7)), Offset(9));
}

#[test]
fn a_log_is_due_above_its_ratio_or_when_something_in_it_is_overdue() {
    let range = dirty(&segments(&[10, 10]), Offset(100));
    assert!((range.ratio() - 0.5).abs() < f64::EPSILON);
    assert!(!range.is_due(&config(0.5), false), "above, not at");
    assert!(range.is_due(&config(0.49), false));
    assert!(range.is_due(&config(1.0), true));
    let clean = dirty(&segments(&[10, 10]), Offset(200));
    assert!(!clean.is_due(&config(0.0), true), "there is nothing to clean");
    assert!(!dirty(&[], Offset(0)).is_due(&config(0.0), true));
    assert_eq!(range.dirtiness(&clean), Ordering::Greater);
}

#[test]
fn lags_count_from_the_newest_and_from_the_first_record() {
    let min = CompactionConfig { min_compaction_lag_ms: 100, ..config(0.5) };
    assert!(is_too_young(901, &min, 1000));
    assert!(!is_too_young(900, &min, 1000));
    assert!(!is_too_young(i64::MAX, &config(0.5), 1000), "no lag is asked for");
    let max = CompactionConfig { max_compaction_lag_ms: 100, ..config(0.5) };
    assert!(is_overdue(899, &max, 1000));
    assert!(!is_overdue(900, &max, 1000));
    assert!(!is_overdue(-1, &max, 1000), "it has no timestamp");
    assert!(!is_overdue(1, &config(0.5), i64::MAX - 1), "the default is never");
}

#[test]
fn neighbours_share_a_segment_as_far_as_they_fit() {
    let limits = GroupLimits { segment_bytes: 30, index_bytes: 1000 };
    assert_eq!(groups(&segments(&[10, 10, 10, 10]), limits), [0..3, 3..4]);
    assert_eq!(groups(&segments(&[40, 10, 20, 40]), limits), [0..1, 1..3, 3..4]);
    assert_eq!(
        groups(&segments(&[1; 5]), GroupLimits { index_bytes: 24, ..limits }),
        [0..2, 2..4, 4..5]
    );
    let mut far = segments(&[1, 1, 1]);
    far[1].end = Offset(1 << 31);
    far[2] = SegmentView { base: Offset(1 << 31), end: Offset((1 << 31) + 1), ..far[2] };
    assert_eq!(groups(&far, limits), [0..2, 2..3], "offsets are 32-bit within a segment");
}
