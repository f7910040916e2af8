//! On which CPU a block device's request completes.

use crate::block_devices::{self, BlockDevice};
use crate::change::Change;
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "io_completion",
    title: "where block requests complete",
    wanted: "`rq_affinity` 2",
    why: "a shard's write then completes on the shard's own core, where its ring and its buffers are in the cache; with 1 it may be any core that shares the last cache level",
    source: "kernel: Documentation/ABI/stable/sysfs-block, rq_affinity",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    block_devices::rows(machine, row)
}

fn row(machine: &Machine, device: &BlockDevice) -> Row {
    let file = device.queue_file("rq_affinity");
    match machine.root.setting(&file).as_deref() {
        Err(unread) => Row::unread(&device.name, unread),
        Ok("2") => Row::well(&device.name, "2"),
        Ok(is @ ("0" | "1")) => Row::mend(&device.name, is, "2", vec![Change::write(file, "2")]),
        Ok(other) => Row::unknown(&device.name, format!("neither 0, 1 nor 2: {other}")),
    }
}
