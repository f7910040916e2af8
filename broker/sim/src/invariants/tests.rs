//! Each invariant finds what contradicts it, and nothing where nothing does.

use super::{Violation, check};
use crate::audit::{Found, FoundLog};
use crate::oracle::{
    CommitFacts, Ledger, PartitionFacts, RecordId, SentRecord, TopicFacts, TopicState,
};

fn partition() -> (String, i32) {
    ("topic".into(), 0)
}

fn commit() -> (String, (String, i32)) {
    ("group".into(), partition())
}

/// Three records of an idempotent producer, acknowledged and read, and a committed offset; all found.
fn facts() -> (Ledger, Found) {
    let mut ledger = Ledger::default();
    let topic = TopicFacts { partitions: 1, durable: true, state: TopicState::Created };
    ledger.topics.insert("topic".into(), topic);
    let facts = PartitionFacts {
        acknowledged: (0..3).map(|offset| (offset, RecordId(offset as u64))).collect(),
        read: (0..2).map(|offset| (offset, RecordId(offset as u64))).collect(),
        high_watermark: 3,
    };
    ledger.partitions.insert(partition(), facts);
    for id in 0..3 {
        let sent = SentRecord { partition: partition(), producer: 0, times: 2, idempotent: true };
        ledger.sent.insert(RecordId(id), sent);
    }
    let facts = CommitFacts { acknowledged: Some(5), sent: Some(6) };
    ledger.commits.insert(commit(), facts);
    let log = FoundLog {
        start: 0,
        high_watermark: 3,
        records: (0..3).map(|offset| (offset, RecordId(offset as u64))).collect(),
    };
    let found = Found {
        topics: [("topic".into(), 1)].into(),
        logs: [(partition(), log)].into(),
        commits: [(commit(), Some(5))].into(),
        asked_for: ["topic".into()].into(),
        commits_sent: [(commit(), Some(6))].into(),
    };
    (ledger, found)
}

/// The invariant that `change` contradicts.
fn violated_by(change: impl FnOnce(&mut Ledger, &mut Found)) -> &'static str {
    let (mut ledger, mut found) = facts();
    change(&mut ledger, &mut found);
    let violation: Violation = check(&ledger, &found).expect_err("a contradiction");
    violation.invariant
}

fn log(found: &mut Found) -> &mut FoundLog {
    found.logs.get_mut(&partition()).expect("it is there")
}

#[test]
fn nothing_contradicts_what_is_true() {
    let (ledger, found) = facts();
    assert_eq!(check(&ledger, &found), Ok(()));
}

#[test]
fn a_lost_record_is_found() {
    let lost = violated_by(|_, found| _ = log(found).records.pop());
    assert_eq!(lost, "acknowledged_is_present");
    let lost = violated_by(|ledger, found| {
        ledger.partitions.get_mut(&partition()).expect("it is there").acknowledged.clear();
        log(found).records.truncate(1);
    });
    assert_eq!(lost, "visible_stays_visible");
    assert_eq!(violated_by(|_, found| log(found).high_watermark = 2), "visible_stays_visible");
}

#[test]
fn a_hole_and_another_record_are_found() {
    let hole = violated_by(|_, found| _ = log(found).records.remove(1));
    assert_eq!(hole, "offsets_dense_and_unique");
    let other = violated_by(|_, found| log(found).records.swap(0, 1));
    assert_eq!(other, "offsets_dense_and_unique");
    let other = violated_by(|_, found| log(found).records[2].1 = RecordId(1));
    assert_eq!(other, "offsets_dense_and_unique");
}

#[test]
fn a_duplicate_and_a_stranger_are_found() {
    let twice = violated_by(|_, found| log(found).records.push((3, RecordId(1))));
    assert_eq!(twice, "producer_sequences_survive");
    let stranger = violated_by(|_, found| log(found).records.push((3, RecordId(9))));
    assert_eq!(stranger, "nothing_is_made_up");
    let too_often = violated_by(|ledger, found| {
        ledger.sent.values_mut().for_each(|sent| sent.times = 1);
        log(found).records.push((3, RecordId(2)));
    });
    assert_eq!(too_often, "nothing_is_made_up");
}

#[test]
fn a_commit_that_went_back_or_forward_is_found() {
    for wrong in [None, Some(4), Some(7)] {
        let changed = violated_by(|_, found| _ = found.commits.insert(commit(), wrong));
        assert_eq!(changed, "committed_offsets_survive");
    }
}

#[test]
fn a_topic_that_went_or_came_is_found() {
    assert_eq!(violated_by(|_, found| found.topics.clear()), "image_survives");
    assert_eq!(
        violated_by(|_, found| _ = found.topics.insert("topic".into(), 2)),
        "image_survives"
    );
    assert_eq!(
        violated_by(|_, found| _ = found.topics.insert("other".into(), 1)),
        "image_survives"
    );
    let back = violated_by(|ledger, _| {
        ledger.partitions.clear();
        ledger.topics.get_mut("topic").expect("it is there").state = TopicState::Deleted;
    });
    assert_eq!(back, "image_survives");
}

#[test]
fn someone_who_waits_for_ever_is_found() {
    let waiting = super::bounded::check(&["consumer-0".into()]).expect_err("it waits");
    assert_eq!(waiting.invariant, "bounded");
}
