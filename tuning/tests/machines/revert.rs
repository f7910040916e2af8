//! `apply` mends what it can, and `revert` leaves every file as `apply` found it: after one apply or two, after a crash
//! in between, where writes fail, and whatever the files held.

use std::fs;

use proptest::prelude::*;
use ringlane_tuning::{Applied, Outcome, Planned, SAVED_FILE, apply, check, plan, revert};

use crate::tree::{NAMES, Tree};

fn planned(tree: &Tree) -> Vec<Planned> {
    plan(&tree.root(), &check(&tree.machine(), |_| true))
}

fn apply_to(tree: &Tree) -> Vec<Applied> {
    apply(&tree.root(), planned(tree)).expect("what was there is saved")
}

fn revert_in(tree: &Tree) -> usize {
    let reverted = revert(&tree.root()).expect("what was saved is there");
    assert!(reverted.iter().all(|file| file.failed.is_none()), "{reverted:?}");
    reverted.len()
}

#[test]
fn what_apply_mends_is_well_and_what_revert_reverts_is_as_it_was() {
    for name in NAMES {
        let tree = Tree::named(name);
        let before = tree.snapshot();
        let report = check(&tree.machine(), |_| true);
        let people = report.left_to_people().count();
        let applied = apply_to(&tree);
        assert!(applied.iter().all(|applied| applied.outcome == Outcome::Done), "{applied:?}");
        let after = check(&tree.machine(), |_| true);
        assert_eq!(
            after.to_mend().count(),
            people,
            "{name}, only what people do is left:\n{after}"
        );
        assert_eq!(revert_in(&tree), applied.len());
        assert!(tree.snapshot() == before, "{name} is byte for byte what it was");
        assert_eq!(revert_in(&tree), 0, "and that is all");
    }
}

#[test]
fn two_applies_are_reverted_by_one_revert() {
    let tree = Tree::named("bare-metal");
    let before = tree.snapshot();
    apply_to(&tree);
    // Somebody turns one knob back, in other words than it was found, and another one further.
    tree.write("/proc/sys/vm/dirty_background_ratio", b"7\n");
    let enabled = "/sys/kernel/mm/transparent_hugepage/enabled";
    tree.write(enabled, b"[always] madvise never\n");
    apply_to(&tree);
    assert_eq!(tree.read(enabled), "madvise\n");
    revert_in(&tree);
    assert_eq!(
        tree.read("/proc/sys/vm/dirty_background_ratio"),
        "7\n",
        "as the second apply found it"
    );
    tree.write("/proc/sys/vm/dirty_background_ratio", b"10\n");
    assert!(tree.snapshot() == before);
}

#[test]
fn a_crash_between_saving_and_the_end_loses_nothing() {
    let tree = Tree::named("cloud-vm");
    let before = tree.snapshot();
    let files = planned(&tree).len();
    for written in (0..=files).step_by(4) {
        apply_to(&tree);
        let saved = fs::read(tree.path.join(&SAVED_FILE[1..])).expect("it is saved");
        let planned_paths: Vec<String> = {
            revert_in(&tree);
            planned(&tree).into_iter().map(|planned| planned.change.path).collect()
        };
        assert!(tree.snapshot() == before);
        // The same again, but only so many of the files are written before the end.
        let changes = planned(&tree);
        tree.write(SAVED_FILE, &saved);
        for (path, planned) in planned_paths.iter().zip(&changes).take(written) {
            tree.write(path, format!("{}\n", planned.change.value).as_bytes());
        }
        revert_in(&tree);
        assert!(tree.snapshot() == before, "after {written} of {files} files");
    }
}

#[test]
fn a_write_that_fails_is_told_and_the_rest_goes_on() {
    let tree = Tree::named("bare-metal");
    // A link out of the tree is not followed, neither to read nor to write.
    let outside = Tree::empty();
    outside.write("/victim", b"60\n");
    let plans = planned(&tree);
    let swappiness = tree.path.join("proc/sys/vm/swappiness");
    fs::remove_file(&swappiness).expect("it was there");
    tree.link("/proc/sys/vm/swappiness", outside.path.join("victim").to_str().expect("text"));
    let applied = apply(&tree.root(), plans).expect("what was there is saved");
    let failed: Vec<&Applied> =
        applied.iter().filter(|applied| applied.outcome != Outcome::Done).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].planned.knob, "swappiness");
    assert_eq!(outside.read("/victim"), "60\n");
    assert!(applied.len() > 10, "the rest went on");
    let reverted = revert(&tree.root()).expect("what was saved is there");
    assert_eq!(reverted.iter().filter(|file| file.failed.is_some()).count(), 1);
    // What could not be put back is still saved, and is put back once it can be.
    fs::remove_file(&swappiness).expect("the link");
    tree.write("/proc/sys/vm/swappiness", b"1\n");
    assert_eq!(revert_in(&tree), 1);
    assert_eq!(tree.read("/proc/sys/vm/swappiness"), "60\n");
    assert!(!tree.path.join(&SAVED_FILE[1..]).exists());
}

#[test]
fn nothing_is_changed_when_nothing_can_be_saved() {
    let tree = Tree::named("bare-metal");
    tree.write("/var/lib/ringlane/tune.json", b"{ this is not what we wrote");
    let before = tree.snapshot();
    let error = apply(&tree.root(), planned(&tree)).expect_err("what is saved cannot be read");
    assert!(error.to_string().contains("cannot be understood"), "{error}");
    assert!(revert(&tree.root()).is_err());
    assert!(tree.snapshot() == before);
}

#[test]
fn nothing_is_changed_before_it_is_saved() {
    let tree = Tree::named("cloud-vm");
    tree.write("/var/lib/ringlane", b"a file where the directory should be");
    let before = tree.snapshot();
    assert!(apply(&tree.root(), planned(&tree)).is_err());
    assert!(tree.snapshot() == before);
}

#[test]
fn a_drop_in_of_somebody_is_put_back() {
    let tree = Tree::named("bare-metal");
    let file = "/etc/systemd/system/ringlane.service.d/60-tune-restart.conf";
    tree.write(file, b"[Service]\nRestart=no\n# mine");
    let before = tree.snapshot();
    apply_to(&tree);
    assert_eq!(tree.read(file), "[Service]\nRestart=on-failure\n");
    revert_in(&tree);
    assert!(tree.snapshot() == before);
}

/// Files that knobs read, as they are on the machines.
fn knob_files() -> Vec<String> {
    let tree = Tree::named("cloud-vm");
    planned(&tree).into_iter().map(|planned| planned.change.path).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_files_hold_is_put_back(
        contents in proptest::collection::vec((any::<prop::sample::Index>(), odd_content()), 1..12),
        twice in any::<bool>(),
    ) {
        let tree = Tree::named("cloud-vm");
        let files = knob_files();
        for (at, content) in &contents {
            tree.write(&files[at.index(files.len())], content);
        }
        let before = tree.snapshot();
        apply_to(&tree);
        if twice {
            apply_to(&tree);
        }
        revert_in(&tree);
        prop_assert!(tree.snapshot() == before);
    }
}

fn odd_content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[a-z\\[\\] ]{0,20}\n?".prop_map(String::into_bytes),
        "-?[0-9]{1,25}\n".prop_map(String::into_bytes),
        Just(b"a [b] c\n".to_vec()),
    ]
}
