//! A file system that takes no more writes, as after an error of the device: a clear error, no panic, reads go on, and
//! mounted anew it holds all that was acknowledged.

use crate::image::{Image, Kind};
use crate::records::Records;
use crate::{JOURNAL, launch, start};

fn keeps_what_was_acknowledged(kind: Kind) {
    let Some(image) = Image::mounted(kind) else { return };
    let mut broker = start(&image);
    let mut records = Records::new(&broker.address);
    records.produce(&broker.address, 400);
    if !image.break_down() {
        return eprintln!("not tested: no way to break {kind:?} down");
    }
    records.produce_until_refused(&broker.address);
    // Of an XFS that is shut down nothing can be read.
    if kind == Kind::Ext4 {
        records.check(&broker.address);
    }
    // What clients are refused stays refused: nothing is retried into silence.
    records.produce_until_refused(&broker.address);
    broker.check();
    let log = broker.launch.log();
    let causes = ["Read-only file system", "Input/output error", "Structure needs cleaning"];
    assert!(causes.iter().any(|cause| log.contains(cause)), "{log}");
    drop(broker);

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
