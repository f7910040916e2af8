//! DescribeLogDirs: what is asked for, and where it lies.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ringlane_wire::ErrorCode;
use ringlane_wire::messages as m;
use ringlane_wire::messages::describe_log_dirs::DescribableLogDirTopic;

use crate::broker::Directory;
use crate::raw::{Raw, ask};
use crate::topic_partitions::broker_with_topics;

type Partitions = BTreeSet<(String, i32)>;

/// A directory of the answer.
struct Described {
    error_code: ErrorCode,
    log_dir: String,
    partitions: Partitions,
    total_bytes: i64,
    usable_bytes: i64,
}

fn describe(
    connection: &mut Raw,
    version: i16,
    topics: Option<&[(&str, &[i32])]>,
) -> Vec<Described> {
    let topics = topics.map(|topics| {
        let topics = topics.iter();
        topics
            .map(|&(topic, partitions)| DescribableLogDirTopic {
                topic,
                partitions: partitions.to_vec(),
            })
            .collect()
    });
    let request = m::DescribeLogDirsRequest { topics };
    ask(connection, version, &request, |answer| {
        assert_eq!(answer.error_code, ErrorCode::NONE);
        let described = answer.results.iter().map(|result| {
            let partitions = result.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    assert_eq!((partition.offset_lag, partition.is_future_key), (0, false));
                    (topic.name.to_owned(), partition.partition_index)
                })
            });
            Described {
                error_code: result.error_code,
                log_dir: result.log_dir.to_owned(),
                partitions: partitions.collect(),
                total_bytes: result.total_bytes,
                usable_bytes: result.usable_bytes,
            }
        });
        described.collect()
    })
}

/// The partitions whose logs are in a directory.
fn within(directory: &Path) -> Partitions {
    let names = fs::read_dir(directory).expect("it is there");
    let names = names.filter_map(|entry| entry.expect("a name").file_name().into_string().ok());
    let partition = |name: String| {
        let (topic, index) = name.rsplit_once('-')?;
        let is_ours = ["a", "b"].contains(&topic);
        is_ours.then_some((topic.to_owned(), index.parse().ok()?))
    };
    names.filter_map(partition).collect()
}

#[test]
fn directories_are_described_with_the_logs_that_were_asked_for() {
    let disks = Directory::new();
    let paths = ["one", "two"].map(|name| disks.path(name));
    let log_dirs = format!("log.dirs={},{}", paths[0].display(), paths[1].display());
    let settings = [&*log_dirs, "ringlane.shards=2"];
    let (_broker, mut connection) = broker_with_topics(&settings, &[("a", 3), ("b", 3)]);

    let all = describe(&mut connection, 5, None);
    for (path, described) in paths.iter().zip(&all) {
        assert_eq!(
            (described.error_code, Path::new(&described.log_dir)),
            (ErrorCode::NONE, &**path)
        );
        assert_eq!(described.partitions, within(path));
        assert_eq!(described.partitions.len(), 3);
        assert!(0 < described.usable_bytes && described.usable_bytes < described.total_bytes);
    }
    let asked = |connection: &mut Raw, topics| -> Partitions {
        describe(connection, 5, Some(topics)).into_iter().flat_map(|one| one.partitions).collect()
    };
    assert_eq!(asked(&mut connection, &[]), BTreeSet::new());
    let some = asked(&mut connection, &[("b", &[0, 2, 7]), ("c", &[0])]);
    assert_eq!(some, BTreeSet::from([("b".to_owned(), 0), ("b".to_owned(), 2)]));
    // KIP-827: older versions do not say how large the volume is.
    assert_eq!(describe(&mut connection, 3, None)[0].total_bytes, -1);
}
