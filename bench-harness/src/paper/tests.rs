//! What the experiment's result says, in the terminal and on its page.

use std::time::Duration;

use super::systems::meter::Used;
use super::*;
use crate::report::Colors;

fn measured(batch: u64, seconds: u64) -> Row {
    let load =
        Load { place: "paper".into(), run: 1, messages: 4, batch, limit: Duration::from_secs(60) };
    let mut messages = load::Messages::new(&load);
    let mut tally = load::Tally::new(&load, 4);
    (0..4).for_each(|_| tally.see(messages.next()));
    let done = load::Done { messages: 1_000_000, elapsed: Duration::from_secs(seconds) };
    let used = Used { broker: Duration::from_secs(1), broker_cores: 0.5, client_cores: 0.99 };
    let mut row = Row::new(System::Kafka, Durability::PageCache, batch);
    row.produce = Some(Phase::new(done, used));
    row.consume = Some(Phase::new(done, used));
    row.disk_bytes_per_message = Some(209.0);
    row.overhead_bytes_per_message = Some(9.0);
    row.judge(4, &tally);
    row
}

fn report(rows: Vec<Row>) -> Report {
    Report {
        valid: rows.iter().all(|row| row.valid),
        messages: 1_000_000,
        message_bytes: MESSAGE_BYTES,
        window: WINDOW,
        limit_s: 60.0,
        started_ms: 0,
        placement: placement(&[0, 1]),
        host: HostFacts::default(),
        rows,
    }
}

#[test]
fn rates_and_costs_are_those_of_each_message() {
    let phase = measured(1, 4).produce.expect("a phase");
    assert_eq!((phase.messages_per_s, phase.mb_per_s), (250_000.0, 50.0));
    assert_eq!(phase.broker_cpu_us_per_message, 1.0);
}

#[test]
fn the_paper_stands_beside_what_was_measured() {
    let rows = vec![measured(1, 4), measured(50, 2)];
    let report = report(rows);
    let text = table(&report, Colors(false));
    for figure in ["250,000", "500,000", "50,000", "400,000", "22,000", "144"] {
        assert!(text.contains(figure), "{figure} in {text}");
    }
    let page = paper_page(&report);
    for figure in ["250,000", "500,000", "paper: Kafka of 2011, batch of 50", "not told"] {
        assert!(page.contains(figure), "{figure}");
    }
    assert!(!page.contains("http"), "it loads nothing");
    let markdown = table::markdown(&report);
    assert!(markdown.contains("| kafka | 50 | 1,000,000 | 500,000 | 1.00 µs |"), "{markdown}");
    let pictures = paper_pictures(&report);
    let names: Vec<&str> = pictures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["produced-page-cache.svg", "consumed-page-cache.svg", "overhead-page-cache.svg"]
    );
    assert!(names.iter().all(|name| markdown.contains(&format!("]({name})"))), "{markdown}");
    assert!(pictures.iter().all(|(_, svg)| svg.starts_with(b"<svg ")));
    assert!(!page.contains("invalid\""));
}

#[test]
fn what_is_missing_is_told_and_no_failure() {
    let mut missing = Row::new(System::Redis, Durability::Disk, 1);
    missing.missing = Some("not installed: apt-get install redis-server".into());
    let report = report(vec![measured(1, 4), missing]);
    assert!(report.valid && report.problems().is_empty());
    let text = table(&report, Colors(false));
    assert!(text.contains("durability disk"), "{text}");
    assert!(text.contains("not installed: apt-get install redis-server"), "{text}");
    assert!(paper_page(&report).contains("not installed: apt-get install redis-server"));
}

#[test]
fn what_is_wrong_is_told_everywhere() {
    let mut failed = Row::new(System::Nats, Durability::PageCache, 1);
    failed.fail("nats did not start: <port taken>".into());
    let mut lost = measured(1, 4);
    lost.judge(
        5,
        &load::Tally::new(
            &Load { place: String::new(), run: 1, messages: 5, batch: 1, limit: Duration::ZERO },
            5,
        ),
    );
    let report = report(vec![failed, lost]);
    assert!(!report.valid);
    let text = table(&report, Colors(true));
    assert!(text.contains("\x1b[31mINVALID: nats, page-cache, batch of 1: nats did not start"));
    assert!(text.contains("5 acknowledged messages did not come"), "{text}");
    assert!(paper_page(&report).contains("nats did not start: &lt;port taken&gt;"));
}

#[test]
fn pieces_make_one_page() {
    let mut first = report(vec![measured(1, 4), measured(50, 2)]);
    first.started_ms = 5;
    let json = serde_json::to_string(&first).expect("plain values");
    let earlier: Report = serde_json::from_str(&json).expect("as it was written");
    let mut disk = Row::new(System::Ringlane, Durability::Disk, 1);
    disk.fail("it did not start".into());
    let mut again = measured(50, 8);
    again.target = "kafka 4.3.1".into();

    let mut second = report(Vec::new());
    second.started_ms = 9;
    second.keep(earlier.clone()).expect("it was asked for the same");
    second.put(disk);
    assert!(!second.valid, "a row failed");
    second.put(Row::new(System::Ringlane, Durability::Disk, 1));
    second.put(again);
    second.put(Row::new(System::Ringlane, Durability::PageCache, 1));
    let rows: Vec<_> =
        second.rows.iter().map(|row| (&*row.target, &*row.durability, row.batch)).collect();
    let expected = [
        ("ringlane", "page-cache", 1),
        ("kafka", "page-cache", 1),
        ("kafka 4.3.1", "page-cache", 50),
        ("ringlane", "disk", 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!((second.valid, second.started_ms), (true, 5));
    assert_eq!(second.rows[2].produce.map(|phase| phase.seconds), Some(8.0), "the newer one");

    let mut other = Report { limit_s: 5.0, ..report(Vec::new()) };
    let sentence = other.keep(earlier).expect_err("it was asked for something else");
    assert!(sentence.contains("in at most 60 s") && sentence.contains("5 s"), "{sentence}");
}

#[test]
fn one_client_runs_beside_the_brokers() {
    assert_eq!(placement(&[0, 1, 2, 3]).generator, [2]);
    assert_eq!(placement(&[0, 1, 2, 3]).brokers, [0, 1]);
    assert!(placement(&[5]).sentence.contains("share"));
}
