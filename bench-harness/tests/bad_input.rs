//! What is asked wrongly, or cannot be had on this host, ends with a sentence that names the remedy, and soon.
#![expect(clippy::disallowed_methods, reason = "runs the program itself, outside any reactor")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of this test's own, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn out(&self) -> String {
        self.0.join("out").display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ringlane-bench"))
}

/// Asserts that it ended with `code` and said `parts`.
fn assert_says(output: &Output, code: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "not {part:?}: {said}");
    }
}

#[test]
fn a_host_without_java_is_told_before_anything_is_built() {
    let scratch = Scratch::new("no-java");
    let mut compare = bench();
    compare.args(["compare", "--quick", "--out", &scratch.out()]);
    let output = compare.env("PATH", &scratch.0).output().expect("the program");
    assert_says(&output, 1, &["there is no Java on this host", "apt-get install openjdk-17"]);
    assert!(!scratch.0.join("out").exists(), "nothing was begun");
}

#[test]
fn java_that_is_too_old_is_named() {
    let scratch = Scratch::new("old-java");
    let java = scratch.file("java", "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n");
    fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).expect("a program");
    let mut compare = bench();
    compare.args(["compare", "--quick", "--out", &scratch.out()]);
    let output = compare.env("PATH", &scratch.0).output().expect("the program");
    assert_says(&output, 1, &["Java 11 is too old", "Java 17 or newer"]);
}

#[test]
fn a_broker_without_transactions_is_not_compared_in_them() {
    let scratch = Scratch::new("transactions");
    for targets in
        [&[][..], &["--target", "ringlane"], &["--target", "kafka", "--target", "ringlane"]]
    {
        let mut compare = bench();
        compare.args(["compare", "--transaction-duration", "100ms", "--out", &scratch.out()]);
        let output = compare.args(targets).output().expect("the program");
        assert_says(&output, 1, &["ringlane does not offer transactions", "--target kafka"]);
        assert!(!scratch.0.join("out").exists(), "nothing was begun");
    }
}

#[test]
fn targets_that_are_none_are_told() {
    let scratch = Scratch::new("targets");
    let cases: [(&str, &[&str]); 3] = [
        ("127.0.0.1:1", &["no broker can be reached at 127.0.0.1:1", "--target HOST:PORT"]),
        ("127.0.0.1", &["is not HOST:PORT"]),
        ("127.0.0.1:99999", &["is not HOST:PORT"]),
    ];
    for (target, parts) in cases {
        let output = bench().args(["run", "--target", target, "--out", &scratch.out()]).output();
        assert_says(&output.expect("the program"), 1, parts);
    }
}

#[test]
fn what_nobody_can_send_or_read_is_refused() {
    let scratch = Scratch::new("asked-wrongly");
    let typo = scratch.file("typo.toml", "raet = 1000\n");
    let cases: [(&[&str], &str); 5] = [
        (&["--scenario", &typo], "there is no key \"raet\"; is \"rate\" meant?"),
        (&["--scenario", "no-such.toml"], "no-such.toml cannot be read"),
        (&["--rate", "1000000000"], "more than any host sends"),
        (&["--rate", "fast"], "write 1000, 20k or max"),
        (&["--cpus", "4095"], "may not run on CPU 4095"),
    ];
    for (flags, part) in cases {
        let mut run = bench();
        run.args(["run", "--target", "127.0.0.1:1", "--out", &scratch.out()]).args(flags);
        assert_says(&run.output().expect("the program"), 2, &[part]);
    }
}

#[test]
fn a_history_that_is_none_is_named_and_an_empty_one_says_how_to_begin() {
    let scratch = Scratch::new("history");
    let broken = scratch.file("history.jsonl", "{\"commit\": 1}\n");
    let output = bench().args(["history", "--file", &broken]).output().expect("the program");
    assert_says(&output, 2, &["history.jsonl: line 1 is no measured commit"]);
    let output = bench().args(["history", "--file", &scratch.out()]).output().expect("the program");
    assert_says(&output, 0, &[]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("history record"));
}
