//! `ringlane log` on a data directory of which a file cannot be read: that is told, and what lies beside it is looked at.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::logs::{cut, log, name, objects, segments, stopped};

/// Puts a link in the file's place that leads to itself: nobody can open it, whoever they are.
fn make_unreadable(path: &Path) {
    fs::remove_file(path).expect("a file");
    symlink(path, path).expect("a link");
}

#[test]
fn verify_goes_on_behind_a_file_that_cannot_be_read() {
    let (_directory, data) = stopped();
    let segments = segments(&data);
    make_unreadable(&segments[1]);
    make_unreadable(&segments[2].with_extension("index"));
    make_unreadable(&data.join("u-0/partition.metadata"));
    let logs = objects(&["verify", "--json"], &data, 1);
    assert_eq!((logs.len(), &logs[0]["topic"], &logs[1]["topic"]), (2, &json!("t"), &json!("u")));
    let told = |log: &Value| -> Vec<(String, Value)> {
        let problems = log["problems"].as_array().expect("an array").iter();
        let file = |problem: &Value| problem["file"].as_str().expect("text").to_owned();
        problems.map(|p| (name(file(p).as_ref()), p["remedy"].clone())).collect()
    };
    let index = name(&segments[2].with_extension("index"));
    let expected = [
        // Of a link, that is; a start leaves the log offline for it.
        ("t-0".into(), json!("offline")),
        (name(&segments[1]), json!("look-again")),
        (index, json!("rebuild-index")),
    ];
    assert_eq!(told(&logs[0]), expected);
    assert_eq!((&logs[0]["first_offset"], &logs[0]["end_offset"]), (&json!(0), &json!(1100)));
    assert_eq!(told(&logs[1]), [("partition.metadata".into(), json!("look-again"))]);
    assert_eq!(logs[1]["records"], json!(100), "its records are checked all the same");

    let ended = log(&["verify"], &data);
    let text = String::from_utf8(ended.stdout).expect("text");
    assert!(text.contains("cannot read it: ") && text.contains("; what it holds is not"), "{text}");
    assert!(ended.stderr.contains("4 problems"), "{}", ended.stderr);
}

#[test]
fn recovery_tells_of_the_other_logs_too() {
    let (_directory, data) = stopped();
    let recovery = || {
        let ended = log(&["recovery", "--json"], &data);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("1 of 2 logs would stay offline"), "{}", ended.stderr);
        let logs: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
        logs.as_array().expect("an array").clone()
    };
    let unknown = |topic: &str, log: &Value, because: &str| {
        let problem = log["problem"].as_str().expect("text").to_owned();
        assert!(problem.contains(because), "{problem}");
        let mut expected = json!({"topic": topic, "partition": 0, "problem": problem});
        let fields = ["file", "position", "recovery_point", "log_end_offset", "journal_bytes"];
        for field in fields.into_iter().chain(["lost_log_start_offset"]) {
            expected[field] = Value::Null;
        }
        expected["stray"] = log["stray"].clone();
        assert_eq!(*log, expected);
    };
    let metadata = data.join("t-0/partition.metadata");
    let whose = fs::read(&metadata).expect("a file");
    fs::write(&metadata, "version: 0\ntopic_id: nobody's\n").expect("a file");
    let logs = recovery();
    unknown("t", &logs[0], "names no topic id");
    assert_eq!((&logs[1]["topic"], &logs[1]["log_end_offset"]), (&json!("u"), &json!(100)));
    let table = String::from_utf8(log(&["recovery"], &data).stdout).expect("text");
    assert!(table.contains("unknown") && table.contains("its partition offline"), "{table}");

    fs::remove_file(&metadata).expect("a file");
    unknown("t", &recovery()[0], "is missing, and without it nobody knows");

    fs::write(&metadata, whose).expect("a file");
    make_unreadable(&segments(&data).pop().expect("segments"));
    let logs = recovery();
    unknown("t", &logs[0], "; what it holds is not known");
    assert_eq!(logs[1]["log_end_offset"], json!(100));
}

#[test]
fn dump_shows_what_lies_around() {
    let (_directory, data) = stopped();
    let segments = segments(&data);
    let count = |path: &Path| objects(&["dump", "--json"], path, 0).len();
    let (all, lost) = (count(&data), count(&segments[1]));
    make_unreadable(&segments[1]);
    let shown = objects(&["dump", "--json"], &data, 1);
    let damage: Vec<_> = shown.iter().filter(|object| object["type"] == "damage").collect();
    assert_eq!((shown.len() - damage.len(), damage.len()), (all - lost, 1));
    assert_eq!(damage[0]["file"], json!(segments[1].display().to_string()));
    assert!(damage[0]["what"].as_str().is_some_and(|what| what.contains("cannot")), "{damage:?}");
}

#[test]
fn indexes_are_rebuilt_beside_a_segment_that_cannot_be_read() {
    let (_directory, data) = stopped();
    let segments = segments(&data);
    make_unreadable(&segments[0]);
    make_unreadable(&segments[1].with_extension("timeindex"));
    let index = data.join("u-0/00000000000000000000.timeindex");
    cut(&index, 3);
    let ended = log(&["index"], &data);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("1 could not be looked at or rebuilt"), "{}", ended.stderr);

    let ended = log(&["index", "--rebuild"], &data);
    let text = String::from_utf8(ended.stdout).expect("text");
    assert_eq!(ended.code, Some(1), "{text}");
    assert!(ended.stderr.contains("1 could not be looked at or rebuilt"), "{}", ended.stderr);
    assert_eq!(text.matches(": rebuilt with").count(), 2, "{text}");
    assert!(text.contains(&name(&segments[0])) && text.contains("; what it holds"), "{text}");
    let logs = objects(&["verify", "--json"], &data, 1);
    let problems: Vec<_> = logs.iter().map(|log| &log["problem_count"]).collect();
    // The file, and that a start leaves the log offline for a link.
    assert_eq!(problems, [&json!(2), &json!(0)], "{logs:?}");
}
