//! Where logs go, alone.

use ringlane_batch::{PartitionIndex, TopicId};
use ringlane_controller::{BrokerRegistration, Command, NewTopic, apply};

use super::*;

const BROKER: BrokerId = BrokerId(1);

fn dirs(count: usize) -> LogDirs {
    let paths: Vec<PathBuf> = (0..count).map(|n| PathBuf::from(format!("/d{n}"))).collect();
    LogDirs::new(paths, Path::new("/d0"))
}

/// An image with topics of one partition each.
fn image(topics: u8) -> ClusterImage {
    let registration = BrokerRegistration {
        broker: BROKER,
        core_count: 1,
        endpoints: Vec::new(),
        core_endpoints: Vec::new(),
        rack: None,
    };
    let (mut image, _) = apply(ClusterImage::default(), 1, &Command::RegisterBroker(registration));
    for n in 1..=topics {
        let topic = NewTopic {
            id: TopicId([n; 16]),
            name: format!("topic-{n}"),
            partition_count: 1,
            replication_factor: 1,
            assignments: Vec::new(),
            configs: BTreeMap::new(),
        };
        (image, _) = apply(image, 1 + u64::from(n), &Command::CreateTopics(vec![topic]));
    }
    assert_eq!(image.topics().count(), usize::from(topics));
    image
}

fn key(n: u8) -> PartitionKey {
    (TopicId([n; 16]), PartitionIndex(0))
}

#[test]
fn one_directory_keeps_no_account() {
    let mut dirs = dirs(1);
    assert_eq!(dirs.found(key(1), 0), None);
    assert_eq!(dirs.assign(BROKER, &ClusterImage::default(), &image(3)), Places::Only);
    assert!(dirs.places.is_empty());
}

#[test]
fn a_new_log_goes_where_the_fewest_are_and_a_found_one_stays() {
    let mut dirs = dirs(3);
    assert_eq!(dirs.found(key(1), 1), None);
    assert_eq!(dirs.found(key(1), 2), Some(1), "it is in two directories");
    let places = dirs.assign(BROKER, &ClusterImage::default(), &image(4));
    let of: Vec<_> = (1..=4).map(|n| places.of(key(n))).collect();
    assert_eq!(of, [1, 0, 2, 0].map(|index| Some(Place::In(index))));
    dirs.take_offline(2, "gone");
    let places = dirs.assign(BROKER, &image(4), &image(6));
    let of: Vec<_> = (5..=6).map(|n| places.of(key(n))).collect();
    assert_eq!(of, [1, 0].map(|index| Some(Place::In(index))));
}

#[test]
fn a_deleted_log_is_not_counted_any_more() {
    let mut dirs = dirs(2);
    let before = image(2);
    dirs.assign(BROKER, &ClusterImage::default(), &before);
    assert_eq!(dirs.all.iter().map(|dir| dir.logs).collect::<Vec<_>>(), [1, 1]);
    dirs.assign(BROKER, &before, &image(0));
    assert_eq!(dirs.all.iter().map(|dir| dir.logs).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn what_may_be_in_a_missing_directory_is_not_created_anew() {
    let mut failed = self::dirs(2);
    failed.take_offline(1, "EIO");
    let places = failed.assign(BROKER, &ClusterImage::default(), &image(1));
    assert_eq!(places.of(key(1)), Some(Place::Missing));
    let mut dirs = dirs(1);
    dirs.note_missing();
    dirs.found(key(1), 0);
    let before = image(2);
    let places = dirs.assign(BROKER, &ClusterImage::default(), &before);
    assert_eq!(places.of(key(1)), Some(Place::In(0)));
    assert_eq!(places.of(key(2)), Some(Place::Missing));
    let places = dirs.assign(BROKER, &before, &image(3));
    assert_eq!(places.of(key(3)), Some(Place::In(0)), "a topic of today was never elsewhere");
}

#[test]
fn the_broker_ends_with_its_last_directory_or_the_controllers() {
    let mut one = dirs(1);
    one.take_offline(0, "EIO");
    assert_eq!(one.fatal().as_deref(), Some("EIO"));
    let mut two = dirs(2);
    assert!(two.take_offline(1, "EIO") && !two.take_offline(1, "again"));
    assert_eq!(two.fatal(), None);
    two.take_offline(0, "ENOENT");
    assert!(two.fatal().expect("nothing is left").contains("controller's data"));
    let mut apart = LogDirs::new(vec!["/a".into(), "/b".into()], Path::new("/m"));
    apart.take_offline(0, "EIO");
    assert_eq!(apart.fatal(), None);
    apart.take_offline(1, "ENOENT");
    assert!(apart.fatal().expect("nothing is left").ends_with("EIO; ENOENT"));
}
