//! What `ringlane log verify` says is to be done: by what a start would do with the log, where that can be known.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::logs::{contents, cut, log, name, objects, problems, segments, stopped};

/// Puts bytes behind the end of the file.
fn extend(path: &Path, bytes: &[u8]) {
    let content = fs::read(path).expect("a file");
    fs::write(path, [&content[..], bytes].concat()).expect("a file");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for (path, bytes) in contents(from) {
        fs::write(to.join(path.file_name().expect("a name")), bytes).expect("a file");
    }
}

/// The remedies of the only log in `path`.
fn remedies(path: &Path) -> Vec<Value> {
    let logs = objects(&["verify", "--json"], path, 1);
    assert_eq!(logs.len(), 1, "{logs:?}");
    let problems = logs[0]["problems"].as_array().expect("an array").iter();
    problems.map(|problem| problem["remedy"].clone()).collect()
}

#[test]
fn a_torn_tail_is_left_to_a_start_unless_it_was_synced() {
    let (_directory, data) = stopped();
    let last = segments(&data).pop().expect("segments");
    extend(&last, b"torn");
    assert_eq!(problems(&data), [(name(&last), "start".to_string())]);
    // After a clean stop everything was.
    cut(&last, 7);
    let found = problems(&data);
    assert_eq!(found[0], ("t-0".to_string(), "offline".to_string()), "{found:?}");
    assert!(found.contains(&(name(&last), "offline".to_string())), "{found:?}");
    let text = String::from_utf8(log(&["verify"], &data).stdout).expect("text");
    assert!(text.contains("were on disk") && text.contains("leaves the log offline"), "{text}");

    // The same of one partition, with the data directory around it, and without.
    assert!(remedies(&data.join("t-0")).contains(&json!("offline")));
    let copied = data.join("copies");
    fs::create_dir(&copied).expect("a directory");
    copy(&data.join("t-0"), &copied.join("t-0"));
    assert_eq!(remedies(&copied.join("t-0"))[0], json!("start"));
    let ended = log(&["verify"], &copied.join("t-0"));
    assert!(ended.stderr.contains("lies in no data directory"), "{}", ended.stderr);
}

/// Where somebody looks from changes nothing of what is said.
#[test]
fn a_partition_has_its_name_from_within_too() {
    let (_directory, data) = stopped();
    cut(&segments(&data).pop().expect("segments"), 3);
    let told = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringlane"));
        command.args(["log", "verify", "--json", path]).current_dir(data.join("t-0"));
        let output = command.output().expect("it runs");
        let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let remedies = log["problems"].as_array().expect("an array").iter();
        let remedies: Vec<Value> = remedies.map(|problem| problem["remedy"].clone()).collect();
        (log["topic"].clone(), log["partition"].clone(), remedies)
    };
    let expected = told("../t-0");
    assert_eq!((&expected.0, expected.2[0].as_str()), (&json!("t"), Some("offline")));
    assert_eq!([told("."), told("../t-0/../t-0/.")], [expected.clone(), expected]);
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_logs_are_checked() {
    let (_directory, data) = stopped();
    let checkpoint = data.join("journal/shard-0.checkpoint");
    extend(&checkpoint, b"more");
    let logs = objects(&["verify", "--json"], &data, 1);
    let counts: Vec<_> = logs.iter().map(|log| &log["problem_count"]).collect();
    assert_eq!(counts, [&json!(0), &json!(0)]);
    let said = log(&["verify"], &data).stderr;
    assert!(
        said.contains("shard-0.checkpoint: the checksum") && said.contains("1 problem"),
        "{said}"
    );
}

/// Neither is called as a partition's directory: a start passes both over without a word.
#[test]
fn logs_that_no_start_looks_at_are_named() {
    let (_directory, data) = stopped();
    let stray = "v-0.AAAAAAAAAAAAAAAAAAAABw-stray";
    let copies = data.join("copies");
    fs::create_dir(copies).expect("a directory");
    for copied in ["t-0.bak", stray] {
        copy(&data.join("t-0"), &data.join(copied));
    }
    for command in ["verify", "recovery"] {
        let ended = log(&[command], &data);
        let said: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!((ended.code, said.len()), (Some(0), 2), "{said:?}");
        assert!(said[0].contains("t-0.bak: holds a log and is not called"), "{said:?}");
        assert!(said[1].contains("-stray: was set aside by an earlier start"), "{said:?}");
    }
    assert_eq!(log(&["verify"], &data.join("t-0")).stderr, "");
}

/// Copies, and the directory of a topic that nobody knows.
#[test]
fn verify_names_what_a_start_sets_aside_or_leaves_offline() {
    let (_directory, data) = stopped();
    copy(&data.join("u-0"), &data.join("a-0"));
    copy(&data.join("u-0"), &data.join("v-0"));
    let id = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABw";
    fs::write(data.join("v-0/partition.metadata"), id).expect("a file");
    let ended = log(&["verify"], &data);
    let text = String::from_utf8(ended.stdout).expect("text");
    assert_eq!(ended.code, Some(0), "nothing is wrong in them: {text}");
    assert!(text.contains("a-0: says that it is u-0: a start sets it aside, unread"), "{text}");
    assert!(text.contains("v-0: belongs to a topic that the cluster does not have"), "{text}");
    let strays = objects(&["verify", "--json"], &data, 0);
    let strays: Vec<_> = strays.iter().map(|log| (&log["topic"], &log["stray"])).collect();
    let expected = [("a", true), ("t", false), ("u", false), ("v", true)];
    assert_eq!(strays, expected.map(|(a, b)| (json!(a), json!(b))).each_ref().map(|(a, b)| (a, b)));
    assert_eq!(objects(&["verify", "--json"], &data.join("a-0"), 0)[0]["stray"], json!(true));

    // Without its own directory the copy may be all that there is of the log.
    fs::rename(data.join("u-0"), data.join("away")).expect("renamed");
    for copied in [data.clone(), data.join("a-0")] {
        let ended = log(&["verify"], &copied);
        let text = String::from_utf8(ended.stdout).expect("text");
        assert_eq!(ended.code, Some(1), "{text}");
        assert!(text.contains("u-0, which is not in this log directory"), "{text}");
    }
    // Whose records are these?
    fs::remove_file(data.join("a-0/partition.metadata")).expect("a file");
    assert_eq!(remedies(&data.join("a-0")), [json!("offline")]);
}
