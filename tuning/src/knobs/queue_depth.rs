//! How many requests may wait in a block device's queue.

use crate::block_devices::{self, BlockDevice};
use crate::change::Change;
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "queue_depth",
    title: "queue depth of block devices",
    wanted: "`nr_requests` 128 or more",
    why: "write-back of segments fills the queue; a journal write that finds no room in it waits before it is even submitted",
    source: "kernel: Documentation/ABI/stable/sysfs-block, nr_requests",
    read,
};

const REQUESTS_MIN: u64 = 128;

fn read(machine: &Machine) -> Vec<Row> {
    block_devices::rows(machine, row)
}

fn row(machine: &Machine, device: &BlockDevice) -> Row {
    let file = device.queue_file("nr_requests");
    match machine.root.setting(&file).map(|text| (text.parse::<u64>(), text)) {
        Err(unread) => Row::unread(&device.name, &unread),
        Ok((Err(_), text)) => Row::unknown(&device.name, format!("not a number: {text}")),
        Ok((Ok(requests), text)) if requests >= REQUESTS_MIN => Row::well(&device.name, text),
        Ok((Ok(requests), text)) => too_few(machine, device, (requests, text), file),
    }
}

/// Without a scheduler the hardware's own depth is all there is: nvme0n1 with 31 tags has 31.
fn too_few(machine: &Machine, device: &BlockDevice, is: (u64, String), file: String) -> Row {
    let hardware = machine.root.setting(&format!("/sys/block/{}/mq/0/nr_tags", device.name));
    let hardware = hardware.ok().and_then(|tags| tags.parse::<u64>().ok());
    match hardware {
        Some(tags) if tags <= is.0 => {
            Row::well(&device.name, format!("{}, all that the device has", is.1))
        }
        _ => {
            let wanted = hardware.map_or(REQUESTS_MIN, |tags| tags.min(REQUESTS_MIN)).to_string();
            let change = Change::write(file, wanted.clone());
            Row::mend(&device.name, is.1, format!("{wanted} or more"), vec![change])
        }
    }
}
