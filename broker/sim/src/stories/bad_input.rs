//! What a broker makes of a data directory that somebody has been at: of each kind of bad input a row. It serves everything, or says
//! in one sentence why it does not start, or refuses the one log concerned; it never panics, and nothing is lost in silence.

use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};

use super::{code, create, put};
use crate::cluster::{Cluster, DATA};

/// How the broker ended before.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Stop,
    Kill,
}

/// What the next start makes of it.
enum Then {
    /// All records are there.
    Serves,
    /// The broker does not start, and says these words.
    Refuses(&'static [&'static str]),
    /// The log takes nothing and gives nothing; the other one does.
    LogOffline,
    /// Of the log what is left is served up to what is lost, and that is refused.
    Damaged,
}

type Row = (&'static str, End, fn(&mut Files), Then);

/// The disk of the broker that has ended.
struct Files<'a>(&'a mut Cluster);

impl Files<'_> {
    fn put(&mut self, path: &str, bytes: &[u8]) {
        let path = format!("{DATA}/{path}");
        self.0.simulation.write_file(self.0.broker, &path, bytes).expect("a file");
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let path = format!("{DATA}/{path}");
        self.0.simulation.read_file(self.0.broker, &path).expect("it is there")
    }

    fn remove(&mut self, path: &str) {
        let path = format!("{DATA}/{path}");
        self.0.simulation.remove_file(self.0.broker, &path).expect("it is there");
    }

    /// The names below the data directory that contain `part`, in order.
    fn named(&self, part: &str) -> Vec<String> {
        let all = self.0.simulation.files(self.0.broker);
        let below = all.iter().filter_map(|path| path.strip_prefix(&format!("{DATA}/")));
        below.filter(|name| name.contains(part)).map(str::to_owned).collect()
    }

    /// The segments of `orders`, the oldest first.
    fn segments(&self) -> Vec<String> {
        let mut segments = self.named("orders-0/0");
        segments.retain(|name| name.ends_with(".log"));
        segments
    }

    /// Of the file that holds the checkpoint of the shard of `orders`.
    fn flip(&mut self, path: &str, at: usize) {
        let mut bytes = self.get(path);
        bytes[at] ^= 4;
        self.put(path, &bytes);
    }

    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.get(path)).expect("text");
        assert!(text.contains(from), "{text}");
        self.put(path, text.replace(from, to).as_bytes());
    }
}

/// The journals and the checkpoints of another broker's directory.
fn others() -> Vec<(String, Vec<u8>)> {
    let mut other = Cluster::serving(77);
    create(&mut other, "theirs");
    create(&mut other, "theirs-too");
    for topic in ["theirs", "theirs-too", "theirs"] {
        put(&mut other, topic, "a record of another broker").expect("a good disk");
    }
    other.crash(CrashKind::Process);
    let files = Files(&mut other);
    let names = files.named("journal/");
    names.into_iter().map(|name| (name.clone(), files.get(&name))).collect()
}

const TABLE: &[Row] = &[
    (
        "foreign files and directories",
        End::Kill,
        |files| {
            for path in [
                "README",
                "lost+found/x",
                "orders/x",
                "-1/x",
                "orders-0/notes.txt",
                "orders-0/1.log",
                "orders-0/00000000000000000003.log.bak",
                "journal/shard-x-0.journal",
                "journal/x.kept",
                "journal/shard-99999-0.journal",
                "__cluster_metadata-0/x",
                "orders-1x/00000000000000000000.log",
            ] {
                files.put(path, b"not of this broker");
            }
        },
        Then::Serves,
    ),
    (
        "the controller's data is gone",
        End::Stop,
        |files| {
            for name in files.named("__cluster_metadata-0/") {
                files.remove(&name);
            }
        },
        Then::Refuses(&["has no __cluster_metadata-0", "is a log", "put the data back"]),
    ),
    (
        "meta.properties is gone",
        End::Kill,
        |files| files.remove("meta.properties"),
        Then::Refuses(&["no meta.properties", "put that back"]),
    ),
    (
        "a checkpoint with a wrong byte",
        End::Stop,
        |files| files.flip("journal/shard-0.checkpoint", 40),
        Then::Refuses(&["shard-0.checkpoint", "checksum", "restore it from a copy"]),
    ),
    (
        "a checkpoint that is cut short",
        End::Kill,
        |files| files.put("journal/shard-1.checkpoint", b"RLC"),
        Then::Refuses(&["shard-1.checkpoint", "too short"]),
    ),
    (
        "a checkpoint of another file's content",
        End::Stop,
        |files| {
            let other = files.get("journal/shard-1.checkpoint");
            files.put("journal/shard-0.checkpoint", &other);
        },
        Then::Refuses(&["shard-0.checkpoint", "another shard"]),
    ),
    (
        "checkpoints that are missing beside their journals",
        End::Kill,
        |files| files.named(".checkpoint").iter().for_each(|name| files.remove(name)),
        Then::Refuses(&[".checkpoint is missing", "create the empty file", "accept-journal-loss"]),
    ),
    (
        "journals that are gone after a kill, which somebody accepts",
        End::Kill,
        |files| {
            files.named(".journal").iter().for_each(|name| files.remove(name));
            files.put("accept-journal-loss", b"");
        },
        Then::Serves,
    ),
    (
        "journals and checkpoints moved away after a stop",
        End::Stop,
        |files| files.named("journal/").iter().for_each(|name| files.remove(name)),
        Then::Serves,
    ),
    (
        "missing indexes",
        End::Stop,
        |files| files.named("index").iter().for_each(|name| files.remove(name)),
        Then::Serves,
    ),
    (
        "indexes of garbage",
        End::Kill,
        |files| files.named("index").iter().for_each(|name| files.put(name, &[0xa5; 40])),
        Then::Serves,
    ),
    (
        "missing and damaged snapshots",
        End::Kill,
        |files| files.named(".snapshot").iter().for_each(|name| files.put(name, b"x")),
        Then::Serves,
    ),
    (
        "the active segment of length 0",
        End::Stop,
        |files| {
            let last = files.segments().pop().expect("there is one");
            files.put(&last, b"");
        },
        Then::LogOffline,
    ),
    (
        "a complete segment of length 0",
        End::Stop,
        |files| {
            let second = files.segments()[1].clone();
            files.put(&second, b"");
        },
        Then::Damaged,
    ),
    (
        "a gap between segments",
        End::Stop,
        |files| {
            let second = files.segments()[1].clone();
            files.remove(&second);
        },
        Then::Damaged,
    ),
    (
        "a leader epoch that never was, in a log whose journals were moved away",
        End::Stop,
        |files| {
            files.named("journal/").iter().for_each(|name| files.remove(name));
            let last = files.segments().pop().expect("there is one");
            // The checksum leaves the epoch out.
            files.flip(&last, 14);
        },
        Then::LogOffline,
    ),
    (
        "no segments at all",
        End::Stop,
        |files| files.named("orders-0/0").iter().for_each(|name| files.remove(name)),
        Then::LogOffline,
    ),
    (
        "a partition.metadata of garbage",
        End::Kill,
        |files| files.put("orders-0/partition.metadata", b"topic_id: ?"),
        Then::LogOffline,
    ),
    (
        "a partition.metadata that is missing beside records",
        End::Kill,
        |files| files.remove("orders-0/partition.metadata"),
        Then::LogOffline,
    ),
    (
        "a partition.metadata of another topic",
        End::Stop,
        |files| {
            let other = files.get("others-0/partition.metadata");
            files.put("orders-0/partition.metadata", &other);
        },
        Then::LogOffline,
    ),
    (
        "a copy of a log beside it",
        End::Kill,
        |files| {
            for name in files.named("orders-0/") {
                let bytes = files.get(&name);
                files.put(&name.replace("orders-0/", "orders.bak-0/"), &bytes);
            }
        },
        Then::Serves,
    ),
    (
        "a log under another name",
        End::Kill,
        |files| {
            for name in files.named("orders-0/") {
                let bytes = files.get(&name);
                files.put(&name.replace("orders-0/", "foo-0/"), &bytes);
                files.remove(&name);
            }
        },
        Then::LogOffline,
    ),
    (
        "the directory of another broker",
        End::Stop,
        |files| files.edit("meta.properties", "node.id=1", "node.id=2"),
        Then::Refuses(&["meta.properties", "node.id 2, not 1"]),
    ),
    (
        "the directory of another cluster",
        End::Stop,
        |files| {
            let text = String::from_utf8(files.get("meta.properties")).expect("text");
            let id = text.lines().find_map(|line| line.strip_prefix("cluster.id=")).expect("an id");
            files.edit("meta.properties", id, "AAAAAAAAAAAAAAAAAAAAAA");
        },
        Then::Refuses(&["belongs to the cluster", "put back the one that belongs here"]),
    ),
    (
        "the directory of Apache Kafka",
        End::Stop,
        |files| files.edit("meta.properties", "ringlane.format=1\n", ""),
        Then::Refuses(&["Apache Kafka", "empty directory"]),
    ),
    (
        "the directory of a newer version",
        End::Stop,
        |files| files.edit("meta.properties", "ringlane.format=1", "ringlane.format=2"),
        Then::Refuses(&["newer version"]),
    ),
    (
        "a meta.properties of garbage",
        End::Stop,
        |files| files.put("meta.properties", &[0xff; 20]),
        Then::Refuses(&["meta.properties", "not text"]),
    ),
    (
        "journals of another broker after a stop",
        End::Stop,
        |files| {
            for (name, bytes) in others().iter().filter(|(name, _)| name.ends_with(".journal")) {
                files.put(name, bytes);
            }
        },
        Then::Serves,
    ),
    (
        "journals of another broker after a kill",
        End::Kill,
        |files| {
            for (name, bytes) in others().iter().filter(|(name, _)| name.ends_with(".journal")) {
                files.put(name, bytes);
            }
        },
        Then::Refuses(&["from another broker", "put the right files back"]),
    ),
    (
        "journals and checkpoints of another broker after a stop",
        End::Stop,
        |files| others().iter().for_each(|(name, bytes)| files.put(name, bytes)),
        Then::Serves,
    ),
    (
        "a journal file that is cut and one that is missing, after a stop",
        End::Stop,
        |files| {
            files.put("journal/shard-0-0.journal", b"x");
            files.remove("journal/shard-1-0.journal");
        },
        Then::Serves,
    ),
];

/// So many that the log has complete segments.
const RECORDS: usize = 40;

/// A record that is long enough to roll segments.
fn record() -> &'static str {
    "a record of some length: ................................................................................\
     ....................................................................................................."
}

fn cluster(seed: u64) -> Cluster {
    let settings = ["log.segment.bytes=1024"];
    let mut cluster = Cluster::new(Options::seed(seed), 2, &settings);
    cluster.start();
    create(&mut cluster, "orders");
    create(&mut cluster, "others");
    for n in 0..RECORDS {
        assert_eq!(put(&mut cluster, "orders", record()).ok(), Some(n as i64));
    }
    put(&mut cluster, "others", "one").expect("a good disk");
    cluster.simulation.run_for(std::time::Duration::from_millis(20)); // The journal rests.
    cluster
}

/// How many of the records of `orders` are given before the refusal, if there is one.
fn served(cluster: &mut Cluster) -> (usize, Option<&'static str>) {
    cluster.client(|mut client| async move {
        let mut count = 0;
        loop {
            match client.fetch("orders", 0, count as i64, 0).await {
                Ok(fetched) if fetched.records.is_empty() => return (count, None),
                Ok(fetched) => {
                    for found in fetched.records {
                        assert_eq!(found.offset, count as i64, "nothing is left out in silence");
                        assert_eq!(found.value, record().as_bytes());
                        count += 1;
                    }
                }
                Err(failure) => return (count, failure.code().map(|code| code.name())),
            }
        }
    })
}

fn tell(seed: u64, (name, end, damage, then): &Row) {
    println!("{name}");
    let mut cluster = cluster(seed);
    match end {
        End::Stop => cluster.stop(),
        End::Kill => cluster.crash(CrashKind::Process),
    }
    damage(&mut Files(&mut cluster));
    cluster.boot();
    let serves = cluster.wait_until_ready();
    if let Then::Refuses(words) = then {
        let why = cluster.exit().expect("it has ended").expect_err("it says why");
        assert!(words.iter().all(|word| why.contains(word)), "{name}: {why}");
        assert!(!why.contains("panic"), "{name}: {why}");
        return;
    }
    assert!(serves, "{name}: {:?}", cluster.exit());
    assert_eq!(put(&mut cluster, "others", "two").ok(), Some(1), "{name}");
    match then {
        Then::Serves => {
            assert_eq!(served(&mut cluster), (RECORDS, None), "{name}");
            assert_eq!(put(&mut cluster, "orders", record()).ok(), Some(RECORDS as i64), "{name}");
        }
        Then::LogOffline => {
            assert_eq!(served(&mut cluster), (0, Some("KAFKA_STORAGE_ERROR")), "{name}");
            let refused = code(put(&mut cluster, "orders", record()));
            assert_eq!(refused.map(|code| code.name()), Some("KAFKA_STORAGE_ERROR"), "{name}");
        }
        _ => {
            let (count, refused) = served(&mut cluster);
            assert!((1..RECORDS).contains(&count), "{name}: {count}");
            assert_eq!(refused, Some("KAFKA_STORAGE_ERROR"), "{name}");
        }
    }
    // And once more: what was decided stays so.
    let before = served(&mut cluster);
    cluster.restart(CrashKind::Power);
    assert_eq!(served(&mut cluster), before, "{name}, at the start after");
}

#[test]
fn bad_input_is_told_or_repaired() {
    for (seed, row) in (0..).zip(TABLE) {
        tell(seed, row);
    }
}

/// Nobody knows any more whose records they are.
#[test]
fn records_without_their_metadata_outlive_a_topic_of_their_name() {
    let mut cluster = cluster(1);
    cluster.stop();
    Files(&mut cluster).remove("orders-0/partition.metadata");
    let before = Files(&mut cluster).segments();
    cluster.start();
    let deleted = cluster.client(|mut client| async move { client.delete_topic("orders").await });
    deleted.expect("the cluster has it");
    let files = Files(&mut cluster);
    assert_eq!(files.segments(), before);
    assert!(before.iter().any(|segment| !files.get(segment).is_empty()));
}

/// The journals of before are those of another number of shards, also when the host has one core or many.
#[test]
fn a_journal_of_another_shard_count_is_read() {
    for (seed, shards) in [(1, 1), (2, 3), (3, 7)] {
        let mut cluster = cluster(seed);
        cluster.crash(CrashKind::Power);
        cluster.set_shards(shards);
        cluster.start();
        assert_eq!(served(&mut cluster), (RECORDS, None), "{shards} shards");
    }
}

/// The broker is started with a clock that is off by an hour or by years, either way.
#[test]
fn a_clock_that_jumped_between_two_runs_loses_nothing() {
    const HOUR_MS: i64 = 3_600_000;
    const YEAR_MS: i64 = 365 * 24 * HOUR_MS;
    for (seed, by_ms) in [(1, -HOUR_MS), (2, HOUR_MS), (3, -30 * YEAR_MS), (4, 30 * YEAR_MS)] {
        for end in [End::Stop, End::Kill] {
            let mut cluster = cluster(seed);
            match end {
                End::Stop => cluster.stop(),
                End::Kill => cluster.crash(CrashKind::Power),
            }
            cluster.simulation.jump_wall_clock(cluster.broker, by_ms);
            cluster.start();
            assert_eq!(served(&mut cluster), (RECORDS, None), "by {by_ms} ms");
            assert_eq!(put(&mut cluster, "orders", record()).ok(), Some(RECORDS as i64));
            cluster.simulation.run_for(std::time::Duration::from_secs(600));
            cluster.simulation.jump_wall_clock(cluster.broker, -by_ms);
            cluster.restart(CrashKind::Process);
            assert_eq!(served(&mut cluster), (RECORDS + 1, None), "back by {by_ms} ms");
        }
    }
}

/// The space that is reserved for the journal would count for nothing.
#[test]
fn a_file_system_that_copies_on_write_is_refused() {
    let copies = DiskFaults { copies_on_write: true, ..DiskFaults::default() };
    let mut cluster = Cluster::new(Options { disk: copies, ..Options::seed(1) }, 2, &[]);
    cluster.boot();
    assert!(!cluster.wait_until_ready());
    let why = cluster.exit().expect("it has ended").expect_err("it says why");
    assert!(why.contains("copies on write") && why.contains("ext4 or XFS"), "{why}");
}
