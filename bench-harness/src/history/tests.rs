//! What is written is read again, on whatever host; what is no line is told.

use super::*;

/// A commit measured on a host with so many CPUs.
pub(crate) fn entry(commit: &str, cpus: usize, p99: f64) -> Entry {
    let produce = Percentiles { p50: 150.0, p99, max: 9_000.0, ..Percentiles::default() };
    let figures = |scenario: &str, asked_per_s| Figures {
        scenario: scenario.to_owned(),
        valid: true,
        invalid: Vec::new(),
        durability: "disk".into(),
        rounds: 2,
        records: 30_000,
        asked_per_s,
        acknowledged_per_s: 1_000.0,
        produce_latency_us: produce,
        end_to_end_latency_us: produce,
        produce_p99_us_by_round: vec![tenths(p99 * 0.9), tenths(p99 * 1.1)],
        cpu_us_per_record: Some(12.5),
        rss_mib: None,
    };
    Entry {
        commit: commit.to_owned(),
        subject: "Say why <this> is so".into(),
        date: "2026-11-21 19:40 UTC".into(),
        host: HostFacts { cpus, ..HostFacts::default() },
        scenarios: vec![figures("steady", Some(1_000.0)), figures("flat-out", None)],
    }
}

#[test]
fn what_is_appended_is_read_again() {
    let (first, second) = (entry("aaaaaaaaaa", 2, 800.0), entry("bbbbbbbbbb", 2, 900.0));
    let text = append("", &first);
    // A line that somebody's editor left without its end.
    let text = append(text.trim_end(), &second);
    assert_eq!(text.lines().count(), 2);
    assert_eq!(parse(&text), Ok(vec![first, second]));
    assert_eq!(parse("\n\n"), Ok(Vec::new()));
}

#[test]
fn a_line_that_is_none_is_named() {
    let text = append("", &entry("a", 2, 1.0)) + "\n{\"commit\":1}\n";
    let error = parse(&text).expect_err("the third line");
    assert!(error.starts_with("line 3 is no measured commit"), "{error}");
}

#[test]
fn hosts_and_scenarios_come_in_the_order_of_the_file() {
    let entries = [entry("a", 2, 1.0), entry("b", 64, 1.0), entry("c", 2, 1.0)];
    assert_eq!(kinds_of_host(&entries).len(), 2);
    assert_eq!(scenarios(&entries), ["steady", "flat-out"]);
    assert_eq!(entries[0].figures("flat-out").and_then(|f| f.asked_per_s), None);
    assert_eq!(
        (entry("abcdefghi", 2, 1.0).short(), entry("ab", 2, 1.0).short()),
        ("abcdefg", "ab")
    );
}

#[test]
fn the_table_has_a_block_for_each_scenario_and_host() {
    let mut entries = vec![entry("a", 2, 812.0), entry("b", 64, 950.0)];
    entries[1].scenarios[0].valid = false;
    let text = table(&entries, crate::report::Colors(false));
    assert!(text.contains("steady, 1,000 records/s"), "{text}");
    assert!(text.contains("flat-out, as many as it takes"), "{text}");
    assert!(text.contains("812 µs (731 µs-893 µs)"), "{text}");
    assert!(text.contains("64 CPUs") && text.contains("INVALID"), "{text}");
    assert!(table(&[], crate::report::Colors(false)).contains("nothing"), "{text}");
}

#[test]
fn the_standing_scenarios_are_ones() {
    let scenarios = standing();
    assert!(scenarios.len() >= 3, "{}", scenarios.len());
    for Standing { name, scenario, why } in scenarios {
        assert!(!why.is_empty(), "{name}: says what it is for");
        assert_ne!(scenario.durability, crate::workload::Durability::Target, "{name}");
    }
}
