//! What stays of single batches, by key, horizon, producer and marker.

use ringlane_batch::{LeaderEpoch, Sequence};

use super::*;

const NOW_MS: i64 = 10_000;
const RETENTION_MS: i64 = 500;

type Row<'a> = (Option<&'a str>, Option<&'a str>);

fn batch_with(base: i64, rows: &[Row<'_>], fields: BatchFields, codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for (n, (key, value)) in (0..).zip(rows) {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        builder.append(TimestampMs(100 + n), key, value, &[]);
    }
    let mut bytes = builder.finish(&fields).to_vec();
    ringlane_batch::stamp(&mut bytes, Offset(base), LeaderEpoch(3));
    bytes
}

fn batch(base: i64, rows: &[Row<'_>]) -> Vec<u8> {
    batch_with(base, rows, BatchFields::default(), Codec::None)
}

fn map(keys: &[(&str, i64)], latest: i64) -> OffsetMap {
    let mut map = OffsetMap::new(1 << 10, 0.9, 20, (5, 6));
    keys.iter().for_each(|(key, offset)| assert!(map.put(key.as_bytes(), Offset(*offset))));
    map.cover(Offset(latest));
    map
}

fn filter(map: &OffsetMap) -> Filter<'_> {
    Filter {
        map,
        first_dirty: Offset(0),
        now_ms: NOW_MS,
        delete_retention_ms: RETENTION_MS,
        producers: BTreeMap::new(),
        segment_end: Offset(1_000_000),
        in_transaction: BTreeSet::new(),
    }
}

fn apply(filter: &mut Filter<'_>, bytes: &[u8]) -> Kept {
    let view = BatchView::parse(bytes).expect("a batch");
    filter.apply(&view, &mut Decompressor::new()).expect("good records")
}

fn changed(kept: Kept) -> Bytes {
    match kept {
        Kept::Changed(bytes) => bytes,
        other => panic!("it changes: {other:?}"),
    }
}

fn records(bytes: &[u8]) -> Vec<(i64, i64, Option<String>)> {
    let view = BatchView::parse(bytes).expect("a batch");
    assert!(view.crc_is_valid());
    let set = view.records(1 << 20).expect("it decompresses");
    let records = set.iter().map(|record| record.expect("a record"));
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    records.map(|r| (r.offset.0, r.timestamp.0, r.key.map(text))).collect()
}

#[test]
fn the_last_record_of_each_key_stays_where_it_was() {
    let map = map(&[("a", 50), ("b", 11)], 60);
    for codec in Codec::ALL {
        let producer = Some((ProducerId(7), ProducerEpoch(2), Sequence(4)));
        let fields = BatchFields { producer, ..BatchFields::default() };
        let rows = [(Some("a"), Some("1")), (Some("b"), Some("2")), (Some("a"), Some("3"))];
        let source = batch_with(10, &rows, fields, codec);
        let kept = changed(apply(&mut filter(&map), &source));
        assert_eq!(records(&kept), [(11, 101, Some("b".into()))]);
        let (before, after) =
            (BatchView::parse(&source).unwrap(), BatchView::parse(&kept).unwrap());
        assert_eq!((after.base_offset(), after.last_offset()), (Offset(10), Offset(12)));
        assert_eq!(after.last_sequence(), before.last_sequence());
        assert_eq!(after.producer_epoch(), ProducerEpoch(2));
        assert_eq!((after.codec(), after.leader_epoch()), (Ok(codec), LeaderEpoch(3)));
    }
}

#[test]
fn nothing_is_done_to_a_batch_that_stays_whole_and_nothing_stays_of_one_that_goes() {
    let map = map(&[("a", 50)], 60);
    assert_eq!(apply(&mut filter(&map), &batch(10, &[(Some("x"), Some("1"))])), Kept::Whole);
    assert_eq!(apply(&mut filter(&map), &batch(50, &[(Some("a"), Some("1"))])), Kept::Whole);
    assert_eq!(apply(&mut filter(&map), &batch(49, &[(Some("a"), Some("1"))])), Kept::Nothing);
    assert_eq!(apply(&mut filter(&map), &batch(49, &[(None, Some("1"))])), Kept::Nothing);
    assert_eq!(
        apply(&mut filter(&map), &batch(61, &[(None, Some("1"))])),
        Kept::Whole,
        "not mapped"
    );
}

#[test]
fn the_end_of_the_segment_stays_as_a_header() {
    let map = map(&[("a", 50)], 60);
    let mut filter = Filter { segment_end: Offset(41), ..filter(&map) };
    let kept = changed(apply(&mut filter, &batch(40, &[(Some("a"), Some("1"))])));
    let view = BatchView::parse(&kept).unwrap();
    assert_eq!((view.len(), view.record_count(), view.next_offset()), (61, 0, Offset(41)));
    assert_eq!(view.max_timestamp(), TimestampMs(100));
    assert_eq!(apply(&mut filter, &kept), Kept::Whole, "and again");
    filter.segment_end = Offset(100);
    assert_eq!(apply(&mut filter, &kept), Kept::Nothing, "until another ends it");
}

#[test]
fn a_tombstone_waits_from_the_round_that_removes_what_it_deletes() {
    let all = map(&[("a", 10)], 60);
    let source = batch(10, &[(Some("a"), None)]);
    let waiting = changed(apply(&mut filter(&all), &source));
    let view = BatchView::parse(&waiting).unwrap();
    assert_eq!(view.delete_horizon(), Some(TimestampMs(NOW_MS + RETENTION_MS)));
    assert_eq!(records(&waiting), [(10, 100, Some("a".into()))], "its own timestamp stays");
    let later = |now_ms| Filter { now_ms, first_dirty: Offset(11), ..filter(&all) };
    assert_eq!(apply(&mut later(NOW_MS + RETENTION_MS - 1), &waiting), Kept::Whole);
    assert_eq!(apply(&mut later(NOW_MS + RETENTION_MS), &waiting), Kept::Nothing);
    let none_covered = map(&[("a", 10)], 9);
    assert_eq!(apply(&mut filter(&none_covered), &source), Kept::Whole, "what it deletes stays");
}

#[test]
fn a_horizon_that_a_producer_wrote_is_none() {
    let map = map(&[("a", 10)], 60);
    let mut builder = BatchBuilder::new(Codec::None).with_delete_horizon(TimestampMs(1));
    builder.append(TimestampMs(100), Some(b"a"), None, &[]);
    let mut bytes = builder.finish(&BatchFields::default()).to_vec();
    ringlane_batch::stamp(&mut bytes, Offset(10), LeaderEpoch(3));
    let waiting = changed(apply(&mut filter(&map), &bytes));
    let horizon = BatchView::parse(&waiting).unwrap().delete_horizon();
    assert_eq!(horizon, Some(TimestampMs(NOW_MS + RETENTION_MS)));
}

#[test]
fn the_last_batch_of_a_producer_stays_for_its_sequence() {
    let map = map(&[("a", 50)], 60);
    let producer = Some((ProducerId(7), ProducerEpoch(2), Sequence(4)));
    let fields = BatchFields { producer, ..BatchFields::default() };
    let source = batch_with(10, &[(Some("a"), Some("1"))], fields, Codec::Lz4);
    let last = |offset| LastBatch { epoch: ProducerEpoch(2), offset };
    let mut filter = filter(&map);
    filter.producers.insert(ProducerId(7), last(Some(Offset(10))));
    let kept = changed(apply(&mut filter, &source));
    assert_eq!(BatchView::parse(&kept).unwrap().last_sequence(), Sequence(4));
    filter.producers.insert(ProducerId(7), last(Some(Offset(30))));
    assert_eq!(apply(&mut filter, &source), Kept::Nothing);
}

#[test]
fn a_marker_goes_after_the_records_it_marks_and_its_horizon() {
    let map = map(&[("a", 50)], 60);
    let producer = Some((ProducerId(7), ProducerEpoch(2), Sequence(0)));
    let of = |is_control| BatchFields {
        producer,
        is_transactional: true,
        is_control,
        ..BatchFields::default()
    };
    let data = batch_with(10, &[(Some("x"), Some("1"))], of(false), Codec::None);
    let marker = batch_with(11, &[(Some("\0\0\0\u{1}"), Some("c"))], of(true), Codec::None);
    let mut first = filter(&map);
    assert_eq!(apply(&mut first, &data), Kept::Whole);
    assert_eq!(apply(&mut first, &marker), Kept::Whole, "its records are there");
    let waiting = changed(apply(&mut filter(&map), &marker));
    let mut later =
        Filter { now_ms: NOW_MS + RETENTION_MS, first_dirty: Offset(12), ..filter(&map) };
    assert_eq!(apply(&mut later, &waiting), Kept::Nothing);
    later.now_ms -= 1;
    assert_eq!(apply(&mut later, &waiting), Kept::Whole);
    later.now_ms += 1;
    let epoch = ProducerEpoch(2);
    later.producers.insert(ProducerId(7), LastBatch { epoch, offset: None });
    let kept = changed(apply(&mut later, &waiting));
    assert_eq!(BatchView::parse(&kept).unwrap().record_count(), 0, "it says the producer's epoch");
}

#[test]
fn append_times_stay() {
    let map = map(&[("a", 50)], 60);
    let log_append_time = Some(TimestampMs(777));
    let fields = BatchFields { log_append_time, ..BatchFields::default() };
    let rows = [(Some("a"), Some("1")), (Some("b"), None)];
    let kept = changed(apply(&mut filter(&map), &batch_with(10, &rows, fields, Codec::Zstd)));
    assert_eq!(records(&kept), [(11, 777, Some("b".into()))]);
}
