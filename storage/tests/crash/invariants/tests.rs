//! Each invariant, fed what contradicts it.

use std::collections::BTreeMap;

use super::check;
use crate::found::Found;
use crate::told::{Row, Sent, Told};

fn row(id: i64) -> Row {
    Row { timestamp: id * 10, key: vec![id as u8 % 2], value: Some(vec![id as u8]) }
}

/// Six records in three batches, the last of a producer; and a start that found all of it.
fn facts() -> (Told, Found) {
    let batch = |base, producer| Sent { base, end: base + 2, epoch: 1, producer };
    let told = Told {
        created: true,
        rows: (0..6).map(row).collect(),
        batches: vec![batch(0, None), batch(2, None), batch(4, Some((7, 3)))],
        acknowledged_end: 4,
        kept_end: 6,
        seen_end: 3,
        ..Told::default()
    };
    let bases = [0, 0, 2, 2, 4, 4];
    let found = Found {
        start: 0,
        end: 6,
        durable_end: 6,
        rows: (0..6).map(|offset| (offset, row(offset))).collect(),
        batches: told.batches.clone(),
        reads: (0..6).map(|at| (at, Some(bases[at as usize]))).collect(),
        times: vec![(0, Some((0, 0))), (11, Some((2, 20))), (51, None)],
        largest_time: Some((5, 50)),
        epochs: vec![(0, 1), (2, 1), (4, 1)],
        retries: BTreeMap::from([(7, Some(4))]),
        gaps_taken: Vec::new(),
    };
    (told, found)
}

/// Found up to `end` only.
fn cut(found: &mut Found, end: i64) {
    found.end = end;
    found.durable_end = end;
    found.rows.retain(|offset, _| *offset < end);
    found.batches.retain(|batch| batch.end <= end);
    found.reads.retain(|(offset, _)| *offset < end);
    found.epochs.retain(|(offset, _)| *offset < end);
    found.times.clear();
    found.largest_time = found.rows.iter().last().map(|(at, row)| (*at, row.timestamp));
}

fn violated(change: impl FnOnce(&mut Told, &mut Found)) -> Option<&'static str> {
    let (mut told, mut found) = facts();
    change(&mut told, &mut found);
    check(&told, &found).err().map(|violation| violation.invariant)
}

#[test]
fn what_holds_passes() {
    assert_eq!(violated(|_, _| ()), None);
    let power_cut = |told: &mut Told, found: &mut Found| {
        told.power_cut = true;
        cut(found, 4);
    };
    assert_eq!(violated(power_cut), None, "what was not acknowledged may go with the power");
}

#[test]
fn each_contradiction_is_found() {
    assert_eq!(violated(|_, found| cut(found, 4)), Some("acknowledged_is_present"));
    let lost = |told: &mut Told, found: &mut Found| {
        told.power_cut = true;
        cut(found, 2);
    };
    assert_eq!(violated(lost), Some("acknowledged_is_present"));
    let changed = |_: &mut Told, found: &mut Found| _ = found.rows.insert(1, row(9));
    assert_eq!(violated(changed), Some("acknowledged_is_present"));
    let old_value = |told: &mut Told, found: &mut Found| {
        told.cleanable_end = 6;
        found.rows.remove(&5);
    };
    assert_eq!(violated(old_value), Some("acknowledged_is_present"));

    let hole = |_: &mut Told, found: &mut Found| _ = found.batches.remove(1);
    assert_eq!(violated(hole), Some("offsets_dense_and_unique"));
    let overlap = |_: &mut Told, found: &mut Found| found.batches[1].base = 1;
    assert_eq!(violated(overlap), Some("offsets_dense_and_unique"));

    let returned = |told: &mut Told, _: &mut Found| _ = told.gone.insert(50);
    assert_eq!(violated(returned), Some("truncated_stays_gone"));
    let undeleted = |told: &mut Told, _: &mut Found| told.start = 1;
    assert_eq!(violated(undeleted), Some("truncated_stays_gone"));

    let unseen = |told: &mut Told, found: &mut Found| {
        (told.power_cut, told.acknowledged_end) = (true, 0);
        cut(found, 2);
    };
    assert_eq!(violated(unseen), Some("visible_stays_visible"));
    let deleted = |_: &mut Told, found: &mut Found| found.start = 1;
    assert_eq!(violated(deleted), Some("visible_stays_visible"));

    let astray = |_: &mut Told, found: &mut Found| found.reads[3].1 = Some(4);
    assert_eq!(violated(astray), Some("indexes_agree"));
    let late = |_: &mut Told, found: &mut Found| found.times[1].1 = Some((3, 30));
    assert_eq!(violated(late), Some("indexes_agree"));
    let of_another_epoch = |_: &mut Told, found: &mut Found| found.epochs[1].1 = 2;
    assert_eq!(violated(of_another_epoch), Some("indexes_agree"));

    let forgotten = |_: &mut Told, found: &mut Found| _ = found.retries.insert(7, None);
    assert_eq!(violated(forgotten), Some("producer_sequences_survive"));
    let gap = |_: &mut Told, found: &mut Found| found.gaps_taken.push(7);
    assert_eq!(violated(gap), Some("producer_sequences_survive"));
}
