//! `ringlane produce` and `ringlane consume`.

use std::fs;

use crate::broker::{Broker, Directory};
use crate::command::{command, end, run, run_with};

#[test]
fn lines_with_keys_and_headers_come_back() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    let produce = ["produce", "t", "-K", ":", "--header", "from=here", "--compression", "lz4"];
    run_with(&broker, &produce, "k:v:w\nschl\u{fc}ssel:\nlast:no newline".as_bytes());
    let format = ["consume", "t", "--until-end", "--format", "%t/%p/%o %k=%v [%h]\\n"];
    assert_eq!(
        run(&broker, &format),
        "t/0/0 k=v:w [from=here]\nt/0/1 schl\u{fc}ssel= [from=here]\nt/0/2 last=no newline [from=here]\n"
    );
    let lines = run(&broker, &["consume", "t", "--until-end", "--json", "-n", "2"]);
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["key"], &lines[0]["value"]), (&"k".into(), &"v:w".into()));
    assert_eq!(lines[1]["headers"][0]["value"], "here");
}

#[test]
fn it_starts_where_it_is_told() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    run_with(&broker, &["produce", "t"], b"a\nb\n");
    run_with(&broker, &["produce", "t"], b"c\n");
    let from = |from: &str| run(&broker, &["consume", "t", "--until-end", "--from", from]);
    assert_eq!(from("earliest"), "a\nb\nc\n");
    assert_eq!(from("1"), "b\nc\n");
    assert_eq!(from("latest"), "");
    assert_eq!(from("2020-01-01T00:00:00Z"), "a\nb\nc\n");
    assert_eq!(from("2999-01-01T00:00:00Z"), "");
    let stamps = run(&broker, &["consume", "t", "--until-end", "--format", "%T\\n"]);
    let last = stamps.lines().last().expect("three records");
    assert!(from(&format!("@{last}")).ends_with("c\n"));
}

/// A tree of files through every codec: bytes of all kinds, empty files, files larger than a batch.
#[test]
fn files_come_back_byte_for_byte() {
    let broker = Broker::start(&[]);
    let directory = Directory::new();
    let tree = directory.path("tree");
    fs::create_dir_all(tree.join("a/b")).expect("directories");
    let every_byte: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    for (name, content) in
        [("empty", &b""[..]), ("a/text", b"line\nline\n"), ("a/b/bytes", &every_byte)]
    {
        fs::write(tree.join(name), content).expect("a file");
    }
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        run(&broker, &["topic", "create", codec, "--partitions", "2"]);
        let mut produce = command(
            &broker,
            &["produce", codec, "--compression", codec, "--key-is-path", "--file", "."],
        );
        produce.current_dir(&tree);
        let ended = end(produce, b"");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("produced 3 records"), "{}", ended.stderr);
        let copy = directory.path(codec);
        run(&broker, &["consume", codec, "--until-end", "--output", copy.to_str().expect("text")]);
        for name in ["empty", "a/text", "a/b/bytes"] {
            let read = |root: &std::path::Path| fs::read(root.join(name)).expect("a file");
            assert!(read(&tree) == read(&copy), "{name} with {codec}");
        }
    }
}

#[test]
fn a_key_that_leads_elsewhere_makes_no_file() {
    let broker = Broker::start(&[]);
    let directory = Directory::new();
    run_with(&broker, &["produce", "t", "-K", ":"], b"../outside:x\n");
    let inside = directory.path("inside");
    let output = ["consume", "t", "--until-end", "--output", inside.to_str().expect("text")];
    let ended = end(command(&broker, &output), b"");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("\"../outside\""), "{}", ended.stderr);
    assert!(!directory.path("outside").exists());
}
