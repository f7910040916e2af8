//! What a power cut could do to segments, and `kill -9` does not: bytes that were never synced are garbage or gone. What is
//! synced, `ringlane log recovery` says.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::load::CACHED;
use crate::random::Random;

/// How unsynced bytes end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Garbage,
    Cut,
}

/// What `ringlane log recovery` says of one log.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) file: PathBuf,
    pub(crate) position: u64,
    pub(crate) log_end_offset: i64,
    pub(crate) journal_bytes: u64,
}

impl Told {
    fn new(log: &Value) -> Self {
        let text = |name: &str| log[name].as_str().expect("text").to_string();
        let number = |name: &str| log[name].as_u64().expect("a number");
        Self {
            topic: text("topic"),
            partition: i32::try_from(number("partition")).expect("a partition"),
            file: PathBuf::from(text("file")),
            position: number("position"),
            log_end_offset: i64::try_from(number("log_end_offset")).expect("an offset"),
            journal_bytes: number("journal_bytes"),
        }
    }
}

/// Asks the binary.
pub(crate) fn recovery(data: &Path) -> Vec<Told> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringlane"));
    let output = command.args(["log", "recovery", "--json"]).arg(data).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "log recovery: {said}{text}");
    let logs: Value = serde_json::from_str(&text).expect("JSON");
    logs.as_array().expect("an array").iter().map(Told::new).collect()
}

/// Damages every log that is durable behind what is synced.
pub(crate) fn damage(logs: &[Told], mode: Mode, random: &mut Random) {
    for log in logs.iter().filter(|log| !log.topic.starts_with(CACHED)) {
        damage_tail(&log.file, log.position, mode, random);
        for suffix in ["index", "timeindex"] {
            let index = log.file.with_extension(suffix);
            if let Ok(metadata) = fs::metadata(&index)
                && random.one_in(2)
            {
                damage_tail(&index, metadata.len(), Mode::Garbage, random);
            }
        }
        for later in later_segments(&log.file) {
            let goes = mode == Mode::Cut && random.one_in(3);
            for path in ["log", "index", "timeindex"].map(|suffix| later.with_extension(suffix)) {
                match goes {
                    true => drop(fs::remove_file(&path)),
                    false if path.exists() => damage_tail(&path, 0, mode, random),
                    false => {}
                }
            }
        }
    }
}

/// The segments behind that of `file`: names sort as their offsets do.
fn later_segments(file: &Path) -> Vec<PathBuf> {
    let directory = file.parent().expect("a directory");
    let names = fs::read_dir(directory).expect("a directory");
    let paths = names.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|s| s == "log") && **path > *file).collect()
}

/// The bytes of the file from `position` on.
fn damage_tail(path: &Path, position: u64, mode: Mode, random: &mut Random) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let Ok(file) = file else { return };
    let len = file.metadata().expect("its length").len();
    if mode == Mode::Cut {
        assert!(len >= position, "{} ends before what is synced", path.display());
        file.set_len(position).expect("cut");
        return;
    }
    let beyond = if random.one_in(2) { random.below(5000) } else { 0 };
    let wanted = usize::try_from(len - position + beyond).expect("a length");
    let garbage = match random.below(3) {
        0 => vec![0; wanted],
        // Old batches in the place of new ones.
        1 => {
            let mut old = vec![0; wanted];
            let _ = file.read_at(&mut old, 0).expect("read");
            old
        }
        _ => random.bytes(wanted),
    };
    file.write_all_at(&garbage, position).expect("written");
}
