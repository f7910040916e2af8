//! The I/O scheduler of block devices.

use crate::block_devices::{self, BlockDevice};
use crate::change::{Change, chosen};
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "io_scheduler",
    title: "I/O scheduler",
    wanted: "`none` for NVMe, SSD and virtual disks, `mq-deadline` for disks with heads",
    why: "a device that seeks nothing gains nothing from sorting: a scheduler adds CPU time and a lock to each write that an acknowledgement waits for. The host of a virtual disk sorts by itself",
    source: "kernel: block/switching-sched, block/deadline-iosched; Red Hat: Setting the disk scheduler",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    block_devices::rows(machine, row)
}

fn row(machine: &Machine, device: &BlockDevice) -> Row {
    let file = device.queue_file("scheduler");
    let text = match machine.root.setting(&file) {
        Err(unread) => return Row::unread(&device.name, &unread),
        Ok(text) => text,
    };
    let wanted = if device.is_rotational { "mq-deadline" } else { "none" };
    let is = chosen(&text).to_owned();
    // A disk with heads is as well off with bfq; what is not offered cannot be had.
    let as_good = device.is_rotational && is == "bfq";
    let mut offers = text.split(|c: char| c.is_whitespace() || "[]".contains(c));
    if is == wanted || as_good {
        return Row::well(&device.name, is);
    }
    if text.contains('[') && !offers.any(|offer| offer == wanted) {
        let remedy = format!("the kernel does not offer it for this device: `modprobe {wanted}`");
        return Row::person(&device.name, is, wanted, remedy);
    }
    Row::mend(&device.name, is, wanted, vec![Change::write(file, wanted)])
}
