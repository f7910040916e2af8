//! Odd machines: files that are missing, empty, garbage, very long, directories, not to be read, or numbers that no
//! kernel would give. Nothing panics, what is not understood is not touched, and what is not there is not bad.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use ringlane_tuning::{Host, Machine, Verdict, apply, check, plan};

use crate::tree::{NAMES, Tree};

fn look_at(machine: &Machine) {
    let report = check(machine, |_| true);
    let _ = (report.to_string(), report.json().to_string(), machine.host.to_string());
    let _ = machine.host.json().to_string();
}

#[test]
fn on_an_empty_machine_nothing_is_here_and_nothing_is_bad() {
    let tree = Tree::empty();
    let report = check(&tree.machine(), |_| true);
    assert!(report.is_well(), "{report}");
    let well = report.knobs.iter().filter(|knob| knob.verdict() != Verdict::NotHere);
    assert_eq!(well.count(), 0, "{report}");
    look_at(&tree.machine());
    assert_eq!(
        Host::read(&tree.root()).placement().shards.len(),
        1,
        "somebody asks: one CPU there is"
    );
}

/// Every file of the machine, one after the other, is made odd.
fn each_file(name: &str, step: usize, make_odd: impl Fn(&Tree, &str)) {
    let tree = Tree::named(name);
    let all = tree.snapshot();
    let files = all.iter().filter(|(path, _)| path.is_file() && !path.is_symlink());
    for (path, content) in files.step_by(step) {
        let inside = format!("/{}", path.strip_prefix(&tree.path).expect("inside").display());
        make_odd(&tree, &inside);
        look_at(&tree.machine());
        if path.is_dir() {
            fs::remove_dir(path).expect("the directory");
        }
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o644));
        fs::write(path, content).expect("as it was");
    }
}

#[test]
fn odd_files_do_not_panic() {
    for name in ["cloud-vm", "tuned"] {
        each_file(name, 2, |tree, path| tree.write(path, b""));
        each_file(name, 1, |tree, path| {
            tree.write(path, b"\xff\xfe\x00garbage [ ] - , 99999999999999999999")
        });
        each_file(name, 2, |tree, path| tree.write(path, b"-9223372036854775808\n"));
        each_file(name, 3, |tree, path| tree.write(path, "9".repeat(200_000).as_bytes()));
        each_file(name, 2, |tree, path| {
            let place = tree.path.join(&path[1..]);
            fs::remove_file(&place).expect("it was there");
            fs::create_dir(&place).expect("a directory in its place");
        });
    }
    each_file("bare-metal", 97, |tree, path| tree.write(path, b"\n"));
}

#[test]
fn what_may_not_be_read_is_unknown_and_not_touched() {
    let tree = Tree::named("bare-metal");
    let file = "/proc/sys/vm/swappiness";
    let place = tree.path.join(&file[1..]);
    fs::set_permissions(&place, fs::Permissions::from_mode(0o000)).expect("permissions");
    // Root reads it all the same: then a directory stands for what cannot be read.
    if fs::read(&place).is_ok() {
        fs::remove_file(&place).expect("it was there");
        fs::create_dir(&place).expect("a directory");
    }
    let report = check(&tree.machine(), |knob| knob.name == "swappiness");
    assert_eq!(report.knobs[0].verdict(), Verdict::Unknown, "{report}");
    assert!(report.is_well());
}

#[test]
fn links_in_circles_and_out_of_the_tree_are_not_followed() {
    let tree = Tree::named("tuned");
    tree.link("/sys/class/net/eth1", "eth2");
    tree.link("/sys/class/net/eth2", "eth1");
    tree.link("/sys/block/sdb", "/dev");
    tree.link("/proc/sys/kernel/numa_balancing", "/proc/sys/kernel/osrelease");
    look_at(&tree.machine());
    assert!(tree.root().text("/proc/sys/kernel/numa_balancing").is_err(), "not the machine's own");
}

#[test]
fn what_is_planned_and_gone_is_told() {
    let tree = Tree::named("bare-metal");
    let planned = plan(&tree.root(), &check(&tree.machine(), |knob| knob.name == "swappiness"));
    fs::remove_file(tree.path.join("proc/sys/vm/swappiness")).expect("it was there");
    let applied = apply(&tree.root(), planned).expect("what was there is saved");
    assert_eq!(applied.len(), 1);
    assert_ne!(applied[0].outcome, ringlane_tuning::Outcome::Done);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn a_machine_with_pieces_missing_or_exchanged_is_looked_at(
        name in prop::sample::select(&NAMES[1..]),
        gone in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        exchanged in proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..20),
    ) {
        let tree = Tree::named(name);
        let all = tree.snapshot();
        let files: Vec<_> = all.iter().filter(|(path, _)| path.is_file() && !path.is_symlink()).collect();
        for (to, from) in exchanged {
            let content = files[from.index(files.len())].1;
            fs::write(files[to.index(files.len())].0, content).expect("a file");
        }
        for at in gone {
            let _ = fs::remove_file(files[at.index(files.len())].0);
        }
        look_at(&tree.machine());
    }
}
