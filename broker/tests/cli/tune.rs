//! `ringlane tune` on a small recorded machine: exit codes, JSON, that apply asks and revert puts back; and the disk that
//! is measured for a broker's next start. Never the machine's own settings.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::broker::{Directory, Launch, set, wait_until};
use crate::command::{Ended, end};

/// A machine with four settings, one of which only a person can change, and two that are not as they should be.
fn machine() -> Directory {
    let directory = Directory::new();
    let files = [
        ("proc/sys/vm/swappiness", "60\n"),
        ("proc/sys/net/core/somaxconn", "4096\n"),
        ("proc/self/mounts", "/dev/vda1 / ext4 rw,noatime 0 0\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
    ];
    for (name, content) in files {
        let path = directory.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    directory
}

fn tune(arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringlane"));
    command.arg("tune").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end(command, input)
}

fn on(machine: &Directory, arguments: &[&str], input: &[u8]) -> Ended {
    let root = machine.path("");
    tune(&[arguments, &["--root", root.to_str().expect("text")]].concat(), input)
}

fn snapshot(path: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(path).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.insert(path.display().to_string(), Vec::new());
            snapshot(&path, found);
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
}

fn files(machine: &Directory) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    snapshot(&machine.path(""), &mut found);
    found
}

#[test]
fn check_apply_and_revert_end_as_scripts_rely_on() {
    let machine = machine();
    let before = files(&machine);
    let check = on(&machine, &["check"], b"");
    let text = String::from_utf8(check.stdout).expect("text");
    assert_eq!(check.code, Some(1), "{text}");
    assert!(text.contains("swappiness") && text.contains("not here"), "{text}");
    assert_eq!(check.stderr, "ringlane: 2 settings are to be mended\n");
    let json = on(&machine, &["check", "--json"], b"");
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&json["to_mend"], &json["well"]), (&2.into(), &false.into()));

    let dry = on(&machine, &["apply", "--dry-run"], b"");
    assert_eq!(dry.code, Some(0));
    assert!(String::from_utf8_lossy(&dry.stdout).contains("/proc/sys/vm/swappiness: 60 -> 1"));
    assert_eq!(on(&machine, &["apply"], b"n\n").code, Some(1), "asked, and told no");
    assert_eq!(on(&machine, &["apply"], b"").code, Some(2), "nobody there to ask");
    assert!(files(&machine) == before, "nothing was changed so far");

    for arguments in [&["apply", "--yes", "--only", "swappiness"][..], &["apply", "--yes"]] {
        let applied = on(&machine, arguments, b"");
        assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    }
    assert_eq!(on(&machine, &["check"], b"").code, Some(0), "all is well now");
    assert_eq!(on(&machine, &["revert"], b"").code, Some(0));
    assert!(files(&machine) == before, "byte for byte as it was");
    assert_eq!(on(&machine, &["revert"], b"").code, Some(0), "nothing to put back is fine");
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let machine = machine();
    let unknown = on(&machine, &["check", "--only", "swapiness"], b"");
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("swappiness"), "{}", unknown.stderr);
    assert_eq!(tune(&["check", "--root", "/no/such/folder"], b"").code, Some(1));
    let nothing = on(&machine, &["check", "--only", "kernel", "--except", "kernel"], b"");
    assert_eq!(nothing.code, Some(2));
    let one = on(&machine, &["check", "--only", "listen_backlog"], b"");
    assert_eq!(one.code, Some(0), "{}", one.stderr);
}

#[test]
fn the_topology_of_this_host_has_a_shard() {
    let host = tune(&["host", "--json"], b"");
    assert_eq!(host.code, Some(0), "{}", host.stderr);
    let json: serde_json::Value = serde_json::from_slice(&host.stdout).expect("JSON");
    assert!(json["placement"]["shards"][0]["cpu"].is_u64(), "{json}");
    assert_eq!(tune(&["host"], b"").code, Some(0));
    // This host's own settings are looked at, and only that.
    assert!(matches!(tune(&["check", "--json"], b"").code, Some(0 | 1)));
}

#[test]
fn a_measured_disk_gives_a_broker_its_journal_sizes() {
    let directory = Directory::new();
    let data = directory.path("data");
    let place = data.to_str().expect("text");
    let measured = tune(&["disk", place, "--seconds", "1", "--mib", "16", "--shards", "1"], b"");
    assert_eq!(measured.code, Some(0), "{}", measured.stderr);
    let text = String::from_utf8(measured.stdout).expect("text");
    assert!(text.contains("durable writes") && text.contains("journal of each"), "{text}");
    let left: Vec<_> = fs::read_dir(&data).expect("the data directory").flatten().collect();
    assert_eq!(left.len(), 1, "the profile, and nothing else: {left:?}");

    let profile = data.join("ringlane-disk.toml");
    fs::write(&profile, "version = 1\n[journal]\nfile_bytes = 1048576\nfiles = 3\n")
        .expect("a file");
    let log = started(&directory, place);
    assert!(log.contains("file_bytes=1048576 files=3"), "{log}");
    let journal = data.join("journal");
    let sizes: Vec<u64> = journal_files(&journal);
    assert_eq!(sizes, [1 << 20; 3], "the files are as the profile says");

    fs::write(&profile, "version = 1\n[journal]\nfile_bytes = 1\nfiles = 3\n").expect("a file");
    let log = started(&directory, place);
    assert!(log.contains("is not used") && log.contains("ringlane tune disk"), "{log}");
}

/// Starts a broker of one shard with this data directory until it is ready; what it logged.
fn started(directory: &Directory, data: &str) -> String {
    let settings = [format!("log.dirs={data}"), "ringlane.shards=1".into()];
    let settings: Vec<&str> =
        settings.iter().map(String::as_str).chain(["listeners=PLAINTEXT://127.0.0.1:0"]).collect();
    let mut launch = Launch::new(directory, &set(&settings));
    wait_until("the broker is ready", || launch.address());
    launch.log()
}

fn journal_files(journal: &Path) -> Vec<u64> {
    let entries = fs::read_dir(journal).expect("the journal's folder").flatten();
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "journal"));
    files.map(|entry| entry.metadata().expect("a file").len()).collect()
}
