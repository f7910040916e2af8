//! A file system without space: produces are refused with what a client retries, reads go on, nothing acknowledged is lost,
//! and with space all goes on, without a restart.

use std::fs;
use std::thread;

use rdkafka::producer::BaseRecord;

use crate::clients::{TestProducer, create_topic, delete_topic};
use crate::image::{Image, Kind};
use crate::records::Records;
use crate::{JOURNAL, Running, launch, start, start_with, wait_until};

const FREE_BYTES: u64 = 6 << 20;

fn goes_on_when_there_is_space_again(kind: Kind) {
    let Some(image) = Image::mounted(kind) else { return };
    let mut broker = start(&image);
    let mut records = Records::new(&broker.address);
    records.produce(&broker.address, 100);

    let ballast = image.add_ballast(FREE_BYTES);
    records.produce_until_refused(&broker.address);
    records.check(&broker.address);
    // Again, with nothing but crumbs left.
    records.produce_until_refused(&broker.address);
    broker.check();
    // Whoever asks the controller meanwhile does not stop it.
    let address = broker.address.clone();
    let creating = thread::spawn(move || {
        let late = (0..200).map(|n| format!("late-{n}"));
        // Some may be told that there is no space.
        late.filter(|topic| create_topic(&address, topic, 1, &[]).is_ok()).collect::<Vec<_>>()
    });
    wait_until("the controller waits for space", || {
        (creating.is_finished() || broker.launch.log().contains("waits for space")).then_some(())
    });
    fs::remove_file(&ballast).expect("removed");
    let late = creating.join().expect("no panic");
    check_served(&broker, &late);
    create_topic(&broker.address, "later", 1, &[]).expect("created");
    // More than the journals hold: checkpoints go on, too.
    records.produce(&broker.address, 800);
    records.check(&broker.address);
    broker.check();

    // What the file system has of it after kill -9, still without space.
    let ballast = image.add_ballast(FREE_BYTES);
    records.produce_until_refused(&broker.address);
    drop(broker);
    let mut second = launch(&image, &JOURNAL);
    let address = wait_until("it is ready, or says why not", || match second.status() {
        Some(_) => Some(None),
        None => second.ready_line().map(Some),
    });
    match address {
        Some(address) => records.check(&address),
        None => assert!(second.log().contains("No space left on device"), "{}", second.log()),
    }
    drop(second);
    fs::remove_file(&ballast).expect("removed");
    let mut broker = start(&image);
    records.check(&broker.address);
    records.produce(&broker.address, 100);
    records.check(&broker.address);
    broker.check();
}

/// Topics that were created on a full device, whose logs found no space, take records now, without a restart.
fn check_served(broker: &Running, late: &[String]) {
    let log = broker.launch.log();
    assert!(log.contains("offline until there is space"), "{log}");
    let producer = TestProducer::new(&broker.address, &[("acks", "all")]);
    for topic in late {
        producer.learn(topic);
        producer.send(BaseRecord::to(topic).partition(0).key(&b"late"[..]).payload(&b"late"[..]));
    }
    let offsets = producer.finish().into_iter().map(|report| report.expect("acknowledged").offset);
    assert_eq!(offsets.collect::<Vec<_>>(), vec![0; late.len()]);
}

#[test]
fn ext4_goes_on_when_there_is_space_again() {
    goes_on_when_there_is_space_again(Kind::Ext4);
}

#[test]
fn xfs_goes_on_when_there_is_space_again() {
    goes_on_when_there_is_space_again(Kind::Xfs);
}

/// A round of checkpoints writes a file beside the one that it replaces. Where none can be made, rounds go on all the same:
/// nothing else frees the journal.
#[test]
fn the_journal_is_freed_where_no_file_can_be_made() {
    let Some(image) = Image::of_few_files(2048) else { return };
    let mut broker = start(&image);
    create_topic(&broker.address, "gone", 2, &[]).expect("created");
    let mut records = Records::new(&broker.address);
    records.produce(&broker.address, 100);

    let ballast = image.add_file_ballast();
    // A segment that is complete needs the files of the next.
    records.produce_until_refused(&broker.address);
    records.check(&broker.address);
    delete_topic(&broker.address, "gone");
    fs::remove_dir_all(&ballast).expect("removed");
    records.produce(&broker.address, 100);
    broker.end();

    let mut broker = start_with(&image, &["log.segment.bytes=100000000"]);
    image.add_file_ballast();
    // More than the journals hold.
    records.produce(&broker.address, 800);
    records.check(&broker.address);
    broker.end();
    fs::remove_dir_all(&ballast).expect("removed");
    let mut broker = start(&image);
    records.check(&broker.address);
    records.produce(&broker.address, 100);
    records.check(&broker.address);
    broker.check();
}

fn a_journal_that_finds_no_space_says_so(kind: Kind) {
    let Some(image) = Image::mounted(kind) else { return };
    let ballast = image.add_ballast(20 << 20);
    let large = ["ringlane.journal.file.bytes=50000000", "ringlane.journal.files=2"];
    let (status, log) = launch(&image, &large).ended();
    assert!(!status.success(), "{log}");
    for part in ["no space for", "ringlane.journal.file.bytes", "ringlane.journal.files"] {
        assert!(log.contains(part), "{log}");
    }
    // Nothing of the attempt is in the way of the next.
    fs::remove_file(ballast).expect("removed");
    let mut broker = start(&image);
    let mut records = Records::new(&broker.address);
    records.produce(&broker.address, 100);
    records.check(&broker.address);
    broker.check();
}

#[test]
fn a_journal_that_finds_no_space_on_ext4_says_so() {
    a_journal_that_finds_no_space_says_so(Kind::Ext4);
}

#[test]
fn a_journal_that_finds_no_space_on_xfs_says_so() {
    a_journal_that_finds_no_space_says_so(Kind::Xfs);
}
