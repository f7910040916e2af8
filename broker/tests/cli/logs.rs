//! `ringlane log` on what a broker left behind, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::broker::{Broker, Directory, wait_until};
use crate::command::{Ended, command, end, run, run_with};

/// The data directory of a broker that was stopped after it took 1,200 records in 12 batches: `t-0` has four segments,
/// `u-0` one.
pub(crate) fn stopped() -> (Directory, PathBuf) {
    let settings = ["log.segment.bytes=4000", "log.index.interval.bytes=1000"];
    let broker = Broker::start(&settings);
    for topic in ["t", "u"] {
        run(&broker, &["topic", "create", topic, "--partitions", "1"]);
    }
    let lines: String = (0..100).map(|number| format!("k{number}:v{number}\n")).collect();
    for _ in 0..11 {
        run_with(&broker, &["produce", "t", "-K", ":", "--header", "h=1"], lines.as_bytes());
    }
    run_with(&broker, &["produce", "u", "-K", ":", "--compression", "zstd"], lines.as_bytes());
    let data = broker.data_directory();
    let id = broker.process_id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    let marker = data.join(".kafka_cleanshutdown");
    wait_until("it stops cleanly", || marker.exists().then_some(()));
    let directory = Directory::new();
    let copied = Command::new("cp").arg("-r").arg(&data).arg(directory.path("data")).status();
    assert!(copied.expect("cp").success());
    let data = directory.path("data");
    (directory, data)
}

pub(crate) fn log(arguments: &[&str], path: &Path) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringlane"));
    command.arg("log").args(arguments).arg(path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end(command, b"")
}

/// The objects that a command printed, which ended with `code`.
pub(crate) fn objects(arguments: &[&str], path: &Path, code: i32) -> Vec<Value> {
    let ended = log(arguments, path);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    let text = String::from_utf8(ended.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn of_type<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["type"] == kind).collect()
}

/// The segments of `t-0`, in order.
pub(crate) fn segments(data: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(data.join("t-0")).expect("a directory");
    let paths = names.map(|entry| entry.expect("an entry").path());
    let mut logs: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "log")).collect();
    logs.sort();
    assert!(logs.len() >= 3, "{logs:?}");
    logs
}

fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[position] ^= 0x10;
    fs::write(path, bytes).expect("a file");
}

pub(crate) fn cut(path: &Path, bytes: usize) {
    let content = fs::read(path).expect("a file");
    fs::write(path, &content[..content.len() - bytes]).expect("a file");
}

/// Of `verify`, the problems of `t-0`: file name, remedy.
pub(crate) fn problems(data: &Path) -> Vec<(String, String)> {
    let logs = objects(&["verify", "--json"], data, 1);
    let found = logs.iter().find(|log| log["topic"] == "t").expect("t-0");
    let problems = found["problems"].as_array().expect("an array");
    assert_eq!(found["problem_count"], json!(problems.len()));
    let text = |value: &Value| value.as_str().expect("text").to_string();
    let name = |file: String| file.rsplit('/').next().expect("a name").to_string();
    problems.iter().map(|p| (name(text(&p["file"])), text(&p["remedy"]))).collect()
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn what_a_broker_left_is_whole() {
    let (_directory, data) = stopped();
    let ended = log(&["verify"], &data);
    let table = String::from_utf8(ended.stdout).expect("text");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{table}");
    assert!(table.contains("t-0") && table.contains("0..1100"), "{table}");

    let batches = objects(&["dump", "--json", "--topic", "t"], &data, 0);
    assert_eq!((batches.len(), of_type(&batches, "batch").len()), (11, 11));
    assert_eq!(
        (&batches[10]["base_offset"], &batches[10]["last_offset"]),
        (&json!(1000), &json!(1099))
    );
    assert_eq!((&batches[0]["crc_is_valid"], &batches[0]["position"]), (&json!(true), &json!(0)));

    let all = objects(&["dump", "--json", "--records", "--all"], &data.join("u-0"), 0);
    let records = of_type(&all, "record");
    assert_eq!(
        (records.len(), &records[99]["key"], &records[99]["value"]),
        (100, &json!("k99"), &json!("v99"))
    );
    assert_eq!(of_type(&all, "batch")[0]["codec"], "zstd");

    let ended = log(&["dump", "--records"], &segments(&data)[0]);
    let text = String::from_utf8(ended.stdout).expect("text");
    assert!(
        text.contains("offset 7 ") && text.contains(r#"key "k7" value "v7" header "h" "1""#),
        "{text}"
    );
    assert_eq!(log(&["index"], &data).code, Some(0));
}

#[test]
fn a_flipped_bit_is_named_and_the_rest_shown() {
    let (_directory, data) = stopped();
    let first = &segments(&data)[0];
    flip(first, 100);
    let found = objects(&["dump", "--json"], first, 1);
    let damage = of_type(&found, "damage");
    assert_eq!(
        (damage.len(), &damage[0]["position"], &damage[0]["first_offset"]),
        (1, &json!(0), &json!(0))
    );
    assert_eq!(
        (&damage[0]["next_offset"], &damage[0]["what"]),
        (&json!(100), &json!("the checksum does not match"))
    );
    assert!(!of_type(&found, "batch").is_empty(), "the batches behind it");
    assert_eq!(problems(&data), [(name(first), "restore".to_string())]);
    let ended = log(&["verify"], &data.join("t-0"));
    let text = String::from_utf8(ended.stdout).expect("text");
    assert!(
        text.contains("at byte 0: the checksum does not match") && text.contains("backup"),
        "{text}"
    );
    assert!(ended.stderr.contains("1 problem"), "{}", ended.stderr);
}

#[test]
fn a_segment_that_is_empty_or_gone_is_a_problem() {
    let (_directory, data) = stopped();
    let segments = segments(&data);
    cut(&segments[0], fs::read(&segments[0]).expect("a file").len());
    let found = problems(&data);
    assert!(found.contains(&(name(&segments[0]), "restore".to_string())), "{found:?}");

    for suffix in ["log", "index", "timeindex"] {
        fs::remove_file(segments[1].with_extension(suffix)).expect("a file");
    }
    let found = problems(&data);
    assert!(found.contains(&(name(&segments[2]), "restore".to_string())), "{found:?}");
}

#[test]
fn indexes_are_rebuilt_where_they_are_wrong() {
    let (_directory, data) = stopped();
    let segments = segments(&data);
    let indexes = [
        segments[0].with_extension("index"),
        segments[1].with_extension("timeindex"),
        segments[2].with_extension("index"),
    ];
    let right: Vec<Vec<u8>> = indexes.iter().map(|path| fs::read(path).expect("a file")).collect();
    assert!(right.iter().all(|bytes| bytes.len() >= 8), "{right:?}");
    cut(&indexes[0], 3);
    fs::remove_file(&indexes[1]).expect("a file");
    flip(&indexes[2], 7);
    // A start builds those anew whose length tells it.
    let remedies = ["start", "start", "rebuild-index"].map(String::from);
    let damaged = indexes.iter().map(|path| name(path)).zip(remedies);
    assert_eq!(problems(&data), damaged.collect::<Vec<_>>());

    let ended = log(&["index"], &data);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("--rebuild"), "{}", ended.stderr);
    assert!(!indexes[1].exists(), "nothing is changed without --rebuild");

    let ended = log(&["index", "--rebuild", "--interval-bytes", "1000"], &data);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).expect("text");
    assert_eq!(text.matches(": rebuilt with").count(), 3, "{text}");
    let rebuilt: Vec<Vec<u8>> =
        indexes.iter().map(|path| fs::read(path).expect("a file")).collect();
    assert_eq!((&rebuilt[0], &rebuilt[2]), (&right[0], &right[2]));
    // A checkpoint in the middle of a segment leaves an entry more.
    assert!(right[1].ends_with(&rebuilt[1]) && rebuilt[1].len() >= 12, "{rebuilt:?} {right:?}");
    assert_eq!(log(&["verify"], &data).code, Some(0));
}

#[test]
fn while_a_broker_runs_nothing_is_rebuilt() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    let data = broker.data_directory();
    for path in [data.clone(), data.join("t-0")] {
        let ended = log(&["index", "--rebuild"], &path);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("stop it"), "{}", ended.stderr);
        let ended = log(&["verify"], &path);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("a broker runs on"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_no_log_is_refused() {
    let directory = Directory::new();
    let file = directory.path("notes.txt");
    fs::write(&file, "notes").expect("a file");
    let here = file.parent().expect("a directory").to_path_buf();
    for (arguments, path, code) in [
        (&["dump"][..], &file, 1),
        (&["verify"], &here, 1),
        (&["verify"], &here.join("missing"), 1),
        (&["dump", "--topic", "t"], &here.join("missing"), 1),
        (&["index", "--all"], &here, 2),
        (&["recovery"], &here, 1),
    ] {
        let ended = log(arguments, path);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{arguments:?}");
    }
}

/// What `recovery --json` says of the logs in `data`, by topic and partition.
fn recovery(data: &Path) -> Vec<Value> {
    let ended = log(&["recovery", "--json"], data);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let logs: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    logs.as_array().expect("an array").clone()
}

#[test]
fn after_a_clean_stop_a_start_has_nothing_to_do() {
    let (_directory, data) = stopped();
    let logs = recovery(&data);
    let last = segments(&data).pop().expect("segments");
    let bytes = fs::metadata(&last).expect("a file").len();
    let said = json!({
        "topic": "t", "partition": 0, "file": last.display().to_string(), "position": bytes,
        "recovery_point": 1100, "log_end_offset": 1100, "journal_bytes": 0, "lost_log_start_offset": null, "problem": null,
        "stray": false,
    });
    assert_eq!((logs.len(), &logs[0]), (2, &said));
    let ended = log(&["recovery"], &data);
    let table = String::from_utf8(ended.stdout).expect("text");
    assert!(table.contains("t-0") && table.contains("JOURNAL BYTES"), "{table}");

    // Records that were on disk and are gone: the start refuses the log.
    cut(&last, 3);
    let ended = log(&["recovery", "--json"], &data);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let logs: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert!(logs[0]["problem"].as_str().expect("text").contains("were on disk"), "{logs}");
    assert!(logs[1]["problem"].is_null(), "{logs}");
}

#[test]
fn after_a_kill_the_journal_tells_where_logs_end() {
    let broker = Broker::start(&["log.segment.bytes=4000"]);
    for topic in ["t", "u"] {
        run(&broker, &["topic", "create", topic, "--partitions", "1"]);
    }
    let lines: String = (0..100).map(|number| format!("k{number}:v{number}\n")).collect();
    for _ in 0..11 {
        run_with(&broker, &["produce", "t", "-K", ":"], lines.as_bytes());
    }
    let data = broker.data_directory();
    let directory = broker.kill();
    assert_eq!(recovery(&data)[0]["log_end_offset"], 1100);
    // Not a byte behind the synced ones is there: the journal alone holds them.
    for told in recovery(&data) {
        let file = PathBuf::from(told["file"].as_str().expect("text"));
        let position = told["position"].as_u64().expect("a number") as usize;
        let bytes = fs::read(&file).expect("a file");
        fs::write(&file, &bytes[..position]).expect("a file");
    }
    for later in &segments(&data)[1..] {
        fs::write(later, "no batch").expect("a file");
    }
    let before = contents(&data);
    let logs = recovery(&data);
    assert_eq!(contents(&data), before, "nothing is written");
    let told = |log: &Value| {
        let number = |name: &str| log[name].as_u64().expect("a number");
        (number("recovery_point"), number("log_end_offset"), number("journal_bytes"))
    };
    assert_eq!(logs.len(), 2);
    let (point, end, journal_bytes) = told(&logs[0]);
    assert!(point < 1100 && end == 1100 && journal_bytes > 4000, "{logs:?}");
    assert_eq!(told(&logs[1]), (0, 0, 0), "{logs:?}");
    let found = problems(&data);
    assert!(!found.is_empty() && found.iter().all(|(_, remedy)| remedy == "start"), "{found:?}");
    drop(directory);
}

#[test]
fn recovery_says_of_a_directory_that_it_is_in_use_or_not_ours() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    run_with(&broker, &["produce", "t"], b"one\ntwo\n");
    let ended = log(&["recovery", "--json"], &broker.data_directory());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("a broker runs on"), "{}", ended.stderr);
    let logs: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let told: Vec<_> = logs.as_array().expect("an array").iter().collect();
    assert_eq!((told.len(), &told[0]["log_end_offset"]), (1, &json!(2)));

    for (meta, sentence) in [
        ("version=1\ncluster.id=c\nnode.id=1\n", "written by Apache Kafka"),
        ("version=1\nringlane.format=99\ncluster.id=c\nnode.id=1\n", "newer version"),
    ] {
        let directory = Directory::new();
        fs::write(directory.path("meta.properties"), meta).expect("a file");
        let ended = log(&["recovery", "--json"], &directory.path(""));
        assert_eq!((ended.code, ended.stdout.len()), (Some(1), 0), "{}", ended.stderr);
        assert!(ended.stderr.contains(sentence), "{}", ended.stderr);
    }
}

#[test]
fn a_start_does_what_recovery_said() {
    let (directory, data) = stopped();
    // Of t-0 records that were on disk are gone: it stays offline. Behind the end of u-0 is what was never acknowledged.
    cut(&segments(&data).pop().expect("segments"), 3);
    let tail = data.join("u-0/00000000000000000000.log");
    let bytes = fs::read(&tail).expect("a file");
    fs::write(&tail, [&bytes[..], b"torn"].concat()).expect("a file");
    // Nobody knows the topic of v-0.
    let id = "AAAAAAAAAAAAAAAAAAAABw";
    fs::create_dir(data.join("v-0")).expect("a directory");
    fs::write(data.join("v-0/00000000000000000000.log"), &bytes).expect("a file");
    let metadata = format!("version: 0\ntopic_id: {id}");
    fs::write(data.join("v-0/partition.metadata"), metadata).expect("a file");
    let logs: Value =
        serde_json::from_slice(&log(&["recovery", "--json"], &data).stdout).expect("JSON");
    assert!(logs[0]["problem"].is_string(), "{logs}");
    assert_eq!((&logs[1]["problem"], &logs[1]["log_end_offset"]), (&Value::Null, &json!(100)));
    assert_eq!(logs[1]["position"], json!(bytes.len()), "{logs}");
    let strays = ["t", "u", "v"].map(|topic| topic == "v");
    let told = logs.as_array().expect("an array").iter().map(|log| log["stray"].clone());
    assert_eq!(told.collect::<Vec<_>>(), strays.map(Value::from), "{logs}");

    let broker = Broker::start_in(directory, Vec::new());
    let said = broker.log();
    assert!(said.contains("the partition stays offline") && said.contains("t-0"), "{said}");
    let consume = |topic| ["consume", topic, "--until-end", "--timeout", "2"];
    let ended = end(command(&broker, &consume("t")), b"");
    assert_ne!(ended.code, Some(0), "an offline log is not served");
    assert_eq!(run(&broker, &consume("u")).lines().count(), 100);
    assert_eq!(fs::read(&tail).expect("a file"), bytes, "cut where it was said");
    assert!(data.join(format!("v-0.{id}-stray")).exists() && !data.join("v-0").exists());
}

/// What a start would take for an empty segment, or write past the log directory's file system.
#[test]
fn a_segment_that_is_a_symbolic_link_is_refused_as_recovery_said() {
    let (directory, data) = stopped();
    let segment = segments(&data)[1].clone();
    let elsewhere = directory.path("elsewhere.log");
    fs::rename(&segment, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &segment).expect("a link");
    let ended = log(&["recovery", "--json"], &data);
    let logs: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let problem = logs[0]["problem"].as_str().expect("text");
    assert!(problem.contains("is a symbolic link"), "{problem}");
    assert_eq!(logs[1]["problem"], Value::Null);

    let broker = Broker::start_in(directory, Vec::new());
    assert!(broker.log().contains(problem), "{}", broker.log());
    let consume = |topic| ["consume", topic, "--until-end", "--timeout", "2"];
    let ended = end(command(&broker, &consume("t")), b"");
    assert_ne!(ended.code, Some(0), "an offline log is not served");
    assert_eq!(run(&broker, &consume("u")).lines().count(), 100);
}

#[test]
fn recovery_knows_strays_by_the_controllers_data_alone() {
    let (_directory, data) = stopped();
    let aside = Directory::new();
    fs::rename(data.join("__cluster_metadata-0"), aside.path("__cluster_metadata-0"))
        .expect("moved");
    assert_eq!(recovery(&data)[0]["stray"], Value::Null);
    let metadata = format!("--metadata={}", aside.path("").display());
    let ended = log(&["recovery", "--json", &metadata], &data);
    let logs: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(logs[0]["stray"], json!(false), "{}", ended.stderr);
    let ended = log(&["recovery", &format!("--metadata={}", data.display())], &data);
    assert!(ended.stderr.contains("no controller's data"), "{}", ended.stderr);
}

/// What is told of each directory: its name, where its log ends, whether it has a problem, and whether it is set aside.
fn told(data: &Path) -> Vec<(String, u64, bool, Value)> {
    let logs: Value =
        serde_json::from_slice(&log(&["recovery", "--json"], data).stdout).expect("JSON");
    let told = logs.as_array().expect("an array").iter().map(|log| {
        let end = log["log_end_offset"].as_u64().expect("a number");
        let topic = log["topic"].as_str().expect("text").to_owned();
        (topic, end, !log["problem"].is_null(), log["stray"].clone())
    });
    told.collect()
}

/// The journal alone has the records: which of the directories that say they are the log gets them?
#[test]
fn recovery_gives_the_journals_records_to_the_log_and_not_to_its_copies() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    run_with(&broker, &["produce", "t"], b"one\ntwo\n");
    let data = broker.data_directory();
    let _directory = broker.kill();
    fs::write(data.join("t-0/00000000000000000000.log"), "").expect("a file");
    for copied in ["a-0", "t.bak-0"] {
        fs::create_dir(data.join(copied)).expect("a directory");
        for (path, bytes) in contents(&data.join("t-0")) {
            let name = path.file_name().expect("a name");
            fs::write(data.join(copied).join(name), bytes).expect("a file");
        }
    }
    let of = |topic: &str, end, problem, stray| (String::from(topic), end, problem, stray);
    let aside = |topic| of(topic, 0, false, json!(true));
    assert_eq!(told(&data), [aside("a"), of("t", 2, false, json!(false)), aside("t.bak")]);
    let table = log(&["recovery"], &data);
    let table = String::from_utf8(table.stdout).expect("text");
    assert!(table.contains("t.bak-0: says that it is t-0: a start sets it aside"), "{table}");

    // Without the one that is called as it should, it may be any of the others.
    fs::rename(data.join("t-0"), data.join("away")).expect("renamed");
    let offline = |topic| of(topic, 0, true, json!(false));
    assert_eq!(told(&data), ["a", "t.bak"].map(offline));
    // And nothing tells which of them without the controller's data.
    fs::rename(data.join("__cluster_metadata-0"), data.join("controller")).expect("renamed");
    assert_eq!(told(&data), ["a", "t.bak"].map(|topic| of(topic, 2, true, Value::Null)));
}

/// Every file below `path`, by name, with what is in it.
pub(crate) fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![path.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => directories.push(path),
                false => files.push((path.clone(), fs::read(&path).expect("a file"))),
            }
        }
    }
    files.sort();
    files
}

/// Bit rot under a running broker: what it hit is refused, what lies behind it is served.
#[test]
fn a_running_broker_serves_no_damaged_record() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    run_with(&broker, &["produce", "t"], b"first\n");
    run_with(&broker, &["produce", "t"], b"second\n");
    flip(&broker.data_directory().join("t-0/00000000000000000000.log"), 65);
    let consume = ["consume", "t", "--until-end", "--timeout", "2"];
    let ended = end(command(&broker, &consume), b"");
    assert_eq!((ended.code, ended.stdout.as_slice()), (Some(1), &b""[..]), "{}", ended.stderr);
    assert!(ended.stderr.contains("KAFKA_STORAGE_ERROR"), "{}", ended.stderr);
    assert_eq!(run(&broker, &[&consume[..], &["--from", "1"]].concat()), "second\n");
    let said = broker.log().matches("damaged records are refused").count();
    assert_eq!(said, 1, "{}", broker.log());
}
