//! The block devices that matter: every NVMe device, and what holds the data directory (kernel:
//! Documentation/ABI/stable/sysfs-block).

use std::collections::BTreeSet;

use crate::knob::Row;
use crate::machine::Machine;
use crate::root::Root;

/// A block device.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct BlockDevice {
    pub(crate) name: String,
    /// It has a head that moves.
    pub(crate) is_rotational: bool,
}

impl BlockDevice {
    /// A file of its queue.
    pub(crate) fn queue_file(&self, file: &str) -> String {
        format!("/sys/block/{}/queue/{file}", self.name)
    }
}

/// What has no device of its own beneath: memory, files, other block devices, and discs.
const NOT_DEVICES: [&str; 9] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "mtd"];

/// How many layers (partition, volume, crypt, RAID) are followed.
const LAYERS_MAX: usize = 8;

/// The devices that matter, in order. All there are where it cannot be told which hold the data.
pub(crate) fn read(machine: &Machine) -> Vec<BlockDevice> {
    let all = all(&machine.root);
    let held = holding_data(machine);
    let matters = |device: &BlockDevice| {
        held.is_empty() || device.name.starts_with("nvme") || held.contains(device)
    };
    all.into_iter().filter(matters).collect()
}

/// A row for each of the devices that matter, or that there is none.
pub(crate) fn rows(machine: &Machine, row: fn(&Machine, &BlockDevice) -> Row) -> Vec<Row> {
    let devices = read(machine);
    if devices.is_empty() {
        return vec![Row::not_here("block device")];
    }
    devices.iter().map(|device| row(machine, device)).collect()
}

/// The devices that hold the data directory; none where that cannot be told.
pub(crate) fn holding_data(machine: &Machine) -> Vec<BlockDevice> {
    let root = &machine.root;
    let held = machine.data_mount().map(|mount| below(root, &mount.device)).unwrap_or_default();
    all(root).into_iter().filter(|device| held.contains(&device.name)).collect()
}

fn all(root: &Root) -> Vec<BlockDevice> {
    let device = |name: String| {
        let rotational = root.setting(&format!("/sys/block/{name}/queue/rotational"));
        // A virtual disk says that it is rotational where nobody told it otherwise.
        let is_rotational = rotational.as_deref() == Ok("1") && !is_virtual(&name);
        BlockDevice { name, is_rotational }
    };
    let names = root.names("/sys/block").into_iter().filter(|name| is_device(name));
    names.map(device).collect()
}

fn is_device(name: &str) -> bool {
    let is_path = name.starts_with("nvme") && name.trim_start_matches("nvme").contains('c');
    !is_path && !NOT_DEVICES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_virtual(name: &str) -> bool {
    name.starts_with("vd") || name.starts_with("xvd")
}

/// The names of the devices under what is mounted, as in `/dev/mapper/data` or `/dev/nvme0n1p2`.
fn below(root: &Root, mounted: &str) -> BTreeSet<String> {
    let name = mounted.rsplit('/').next().unwrap_or(mounted);
    let blocks = root.names("/sys/block");
    let is_mapped = |block: &&String| {
        root.setting(&format!("/sys/block/{block}/dm/name")).as_deref() == Ok(name)
    };
    let mapped = blocks.iter().find(is_mapped);
    let mut layer = vec![mapped.cloned().unwrap_or_else(|| whole(&blocks, name))];
    let mut found = BTreeSet::new();
    for _ in 0..LAYERS_MAX {
        let slaves = layer.iter().flat_map(|name| root.names(&format!("/sys/block/{name}/slaves")));
        let next: Vec<String> = slaves.map(|slave| whole(&blocks, &slave)).collect();
        found.extend(std::mem::replace(&mut layer, next));
    }
    found
}

/// The device that a partition is of: the longest name that its own begins with.
fn whole(blocks: &[String], partition: &str) -> String {
    let of_it = blocks.iter().filter(|block| partition.starts_with(block.as_str()));
    of_it.max_by_key(|block| block.len()).cloned().unwrap_or_else(|| partition.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_of_devices() {
        let blocks = ["nvme0n1", "nvme0n10", "sda", "dm-0"].map(str::to_owned);
        assert_eq!(whole(&blocks, "nvme0n1p2"), "nvme0n1");
        assert_eq!(whole(&blocks, "nvme0n10p2"), "nvme0n10");
        assert_eq!(whole(&blocks, "sdb1"), "sdb1");
        assert!(is_device("nvme0n1") && !is_device("nvme0c1n1") && !is_device("zram0"));
    }
}
