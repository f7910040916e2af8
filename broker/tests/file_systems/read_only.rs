//! A file system that takes no more writes, as after an error of the device: the broker ends with a sentence, as it does with its
//! only log directory, and mounted anew that holds all that was acknowledged.

use crate::image::{Image, Kind};
use crate::records::Records;
use crate::{JOURNAL, Running, launch, start};

fn keeps_what_was_acknowledged(kind: Kind) {
    let Some(image) = Image::mounted(kind) else { return };
    let broker = start(&image);
    let mut records = Records::new(&broker.address);
    records.produce(&broker.address, 400);
    let Running { launch: mut running, address } = broker;
    let ended = || running.status().is_some();
    if !records.produce_until_ended(&address, || image.break_down(), ended) {
        return eprintln!("not tested: no way to break {kind:?} down");
    }
    let (status, log) = running.ended();
    assert!(!status.success() && !log.contains("panicked"), "{log}");
    assert!(log.contains("the broker ends"), "{log}");
    let causes = ["Read-only file system", "Input/output error", "Structure needs cleaning"];
    assert!(causes.iter().any(|cause| log.contains(cause)), "{log}");

    // Its own journal is played back first.
    image.mount_again("rw");
    image.mount_again("ro");
    let (status, log) = launch(&image, &JOURNAL).ended();
    assert!(!status.success(), "{log}");
    assert!(log.contains("is not writable (Read-only file system"), "{log}");

    image.mount_again("rw");
    let mut broker = start(&image);
    records.check(&broker.address);
    records.produce(&broker.address, 400);
    records.check(&broker.address);
    broker.check();
}

#[test]
fn ext4_keeps_what_was_acknowledged_when_it_becomes_read_only() {
    keeps_what_was_acknowledged(Kind::Ext4);
}

#[test]
fn xfs_keeps_what_was_acknowledged_when_it_shuts_down() {
    keeps_what_was_acknowledged(Kind::Xfs);
}
