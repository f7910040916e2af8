//! What is said of each recorded machine, word for word, beside its tree.

use std::fs;

use ringlane_tuning::{CpuSet, KNOBS, Verdict, check};

use crate::tree::{NAMES, Tree, file};

fn compare(name: &str, extension: &str, said: &str) {
    let path = file(name, extension);
    if std::env::var_os("RINGLANE_UPDATE").is_some() {
        fs::write(&path, said).expect("the golden text is written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(said == golden, "{name}.{extension} is not what is said now:\n{said}");
}

#[test]
fn a_check_says_what_it_said() {
    for name in NAMES {
        compare(name, "check", &check(&Tree::named(name).machine(), |_| true).to_string());
    }
}

#[test]
fn a_topology_is_what_it_was() {
    for name in NAMES {
        compare(name, "host", &Tree::named(name).machine().host.to_string());
    }
}

#[test]
fn only_the_tuned_machine_is_well() {
    for name in NAMES {
        let report = check(&Tree::named(name).machine(), |_| true);
        assert_eq!(report.is_well(), name == "tuned", "{name}:\n{report}");
        assert_eq!(report.knobs.len(), KNOBS.len());
        let json = report.json();
        assert_eq!(json["well"], report.is_well());
        assert_eq!(json["to_mend"], report.to_mend().count());
        let knobs = json["knobs"].as_array().expect("a list");
        assert!(
            knobs.iter().all(|knob| knob["why"].is_string() && knob["readings"][0].is_object())
        );
    }
}

#[test]
fn every_knob_is_known_by_some_machine_and_mended_on_some() {
    let mut well = CpuSet::default();
    let mut mend = CpuSet::default();
    for name in NAMES {
        let report = check(&Tree::named(name).machine(), |_| true);
        let of = |verdict| {
            let knobs = report.knobs.iter().enumerate();
            knobs.filter(move |(_, k)| k.verdict() == verdict).map(|(at, _)| at).collect::<Vec<_>>()
        };
        well = well.iter().chain(of(Verdict::Well)).collect();
        mend = mend.iter().chain(of(Verdict::Mend)).collect();
    }
    let all: CpuSet = (0..KNOBS.len()).collect();
    assert_eq!((&well, &mend), (&all, &all), "knobs by their place in the list");
}

#[test]
fn shards_are_on_cores_and_interrupts_beside_them() {
    let host = Tree::named("bare-metal").machine().host;
    let placement = host.placement();
    assert_eq!(placement.shard_cpus().to_string(), "0-31", "one on each of 32 cores");
    assert_eq!(placement.interrupt_cpus.to_string(), "32-63", "their siblings");
    // The card is on node 0, whose siblings are 32 to 47: each takes two of 32 queues.
    let cpus: Vec<usize> = placement.interrupts.iter().map(|place| place.cpu).collect();
    assert_eq!(cpus.iter().copied().collect::<CpuSet>().to_string(), "32-47");
    assert!((32..48).all(|cpu| cpus.iter().filter(|c| **c == cpu).count() == 2));
    let container = Tree::named("container").machine().host;
    assert_eq!(container.placement().shard_cpus().to_string(), "4,9", "no more than it may use");
}
