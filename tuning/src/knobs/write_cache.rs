//! What the kernel believes of a device's write cache, which decides whether a durable write is durable.

use crate::block_devices::{self, BlockDevice};
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "write_cache",
    title: "write cache of block devices",
    wanted: "`queue/write_cache` as the device itself says: `write through` where power-loss protection or no cache makes it so, `write back` else",
    why: "with `write through` the kernel sends no flush: a durable write is cheap because the cache is protected, or because somebody said so of one that is not, and then it is a lie. Nothing is ever changed here; `ringlane tune disk` measures what a durable write costs",
    source: "kernel: block/writeback_cache_control; sysfs-block, write_cache; NVMe base specification, VWC",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    block_devices::rows(machine, row)
}

fn row(machine: &Machine, device: &BlockDevice) -> Row {
    let root = &machine.root;
    let cache = match root.setting(&device.queue_file("write_cache")) {
        Err(unread) => return Row::unread(&device.name, &unread),
        Ok(cache) => cache,
    };
    let fua = root.setting(&device.queue_file("fua")).is_ok_and(|fua| fua == "1");
    match (cache.as_str(), own_word(machine, device).as_deref()) {
        ("write through", Some(own)) if own.starts_with("write back") => Row::person(
            &device.name,
            format!("{cache}; the device says {own}"),
            "write back",
            format!(
                "the kernel was told not to flush a cache that the device has: a power cut loses what was acknowledged. Unless the cache is protected, run `echo 'write back' > {}`",
                device.queue_file("write_cache")
            ),
        ),
        ("write through", _) => Row::well(&device.name, "write through: protected, or none"),
        ("write back", _) if fua => Row::well(&device.name, "write back, durable writes by FUA"),
        ("write back", _) => Row::well(&device.name, "write back, flushed for durable writes"),
        _ => Row::unknown(&device.name, cache),
    }
}

/// What a SCSI or SATA device says of its cache itself; NVMe devices tell only the driver.
fn own_word(machine: &Machine, device: &BlockDevice) -> Option<String> {
    let folder = format!("/sys/block/{}/device/scsi_disk", device.name);
    let disk = machine.root.names(&folder).into_iter().next()?;
    machine.root.setting(&format!("{folder}/{disk}/cache_type")).ok()
}
