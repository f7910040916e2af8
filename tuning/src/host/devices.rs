//! Network cards and NVMe controllers: queues, NUMA nodes, interrupts (kernel: Documentation/ABI/testing/sysfs-class-net,
//! sysfs-bus-pci).

use std::collections::{BTreeMap, BTreeSet};

use super::interrupts::Interrupt;
use crate::numbers;
use crate::root::Root;

/// A network card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nic {
    /// The interface's name.
    pub name: String,
    /// Whether it is up.
    pub is_up: bool,
    /// In Mbit/s, where it is known.
    pub speed_mbit: Option<u64>,
    /// Its NUMA node, where it is known.
    pub node: Option<usize>,
    /// How many queues receive.
    pub rx_queues: usize,
    /// How many queues send.
    pub tx_queues: usize,
    /// Its interrupts, those of its queues and others.
    pub interrupts: Vec<Interrupt>,
}

impl Nic {
    /// The interrupts of its queues.
    pub fn queue_interrupts(&self) -> impl Iterator<Item = &Interrupt> {
        self.interrupts.iter().filter(|interrupt| interrupt.is_of_queue())
    }
}

/// An NVMe controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nvme {
    /// Its name, as in `nvme0`.
    pub name: String,
    /// What its maker calls it.
    pub model: String,
    /// Its NUMA node, where it is known.
    pub node: Option<usize>,
    /// Its block devices.
    pub block_devices: Vec<String>,
    /// Its interrupts.
    pub interrupts: Vec<Interrupt>,
}

/// The folder of the device that a device is part of: what a virtio device lacks, the PCI device above it has.
fn above(root: &Root, folder: &str) -> String {
    let names = root.real_names(folder);
    let above = names.get(..names.len().saturating_sub(1)).unwrap_or_default();
    format!("/{}", above.join("/"))
}

/// The NUMA node of a device; the kernel says -1 where there is none.
fn node(root: &Root, folder: &str) -> Option<usize> {
    let read = |folder: &str| root.setting(&format!("{folder}/numa_node")).ok()?.parse().ok();
    read(folder).or_else(|| read(&above(root, folder)))
}

/// The numbers of a device's interrupts.
fn message_interrupts(root: &Root, folder: &str) -> Vec<u32> {
    let mut names = root.names(&format!("{folder}/msi_irqs"));
    if names.is_empty() {
        names = root.names(&format!("{}/msi_irqs", above(root, folder)));
    }
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// The interrupts of a device: those of its folder, and those that drivers gave its name.
fn of_device(
    root: &Root,
    folder: &str,
    name: &str,
    all: &BTreeMap<u32, Interrupt>,
) -> Vec<Interrupt> {
    let listed = message_interrupts(root, folder);
    let virtio = root.link_name(folder).filter(|name| name.starts_with("virtio"));
    let is_named = |interrupt: &Interrupt| {
        let is = |name: &str| {
            let mut words = interrupt.name.split(['-', '.', '@', ':', '_']);
            words.any(|word| word == name)
        };
        is(name) || virtio.as_deref().is_some_and(is) || is_queue_of(&interrupt.name, name)
    };
    let belongs =
        |interrupt: &&Interrupt| listed.contains(&interrupt.number) || is_named(interrupt);
    all.values().filter(belongs).cloned().collect()
}

/// `nvme0q12` is a queue of `nvme0`.
fn is_queue_of(interrupt: &str, name: &str) -> bool {
    let rest = interrupt.strip_prefix(name).and_then(|rest| rest.strip_prefix('q'));
    rest.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn nics(root: &Root, interrupts: &BTreeMap<u32, Interrupt>) -> Vec<Nic> {
    const CLASS: &str = "/sys/class/net";
    // What has neither a device nor an interrupt is virtual: lo, bridges, tunnels.
    let hardware = |nic: &Nic| {
        !nic.interrupts.is_empty() || root.exists(&format!("{CLASS}/{}/device", nic.name))
    };
    let nic = |name: String| {
        let folder = format!("{CLASS}/{name}");
        let state = root.setting(&format!("{folder}/operstate")).unwrap_or_default();
        let queues = root.names(&format!("{folder}/queues"));
        let count = |prefix: &str| queues.iter().filter(|q| q.starts_with(prefix)).count();
        let speed = root.setting(&format!("{folder}/speed")).ok();
        let device = format!("{folder}/device");
        Nic {
            is_up: state != "down",
            speed_mbit: speed.and_then(|speed| numbers::first(&speed)),
            node: node(root, &device),
            rx_queues: count("rx-"),
            tx_queues: count("tx-"),
            interrupts: of_device(root, &device, &name, interrupts),
            name,
        }
    };
    root.names(CLASS).into_iter().map(nic).filter(hardware).collect()
}

pub(super) fn nvmes(root: &Root, interrupts: &BTreeMap<u32, Interrupt>) -> Vec<Nvme> {
    const CLASS: &str = "/sys/class/nvme";
    let blocks = root.names("/sys/block");
    let nvme = |name: String| {
        let device = format!("{CLASS}/{name}/device");
        let of_it = |block: &&String| block.strip_prefix(&name).is_some_and(|n| n.starts_with('n'));
        Nvme {
            model: root.setting(&format!("{CLASS}/{name}/model")).unwrap_or_default(),
            node: node(root, &device),
            block_devices: blocks.iter().filter(of_it).cloned().collect(),
            interrupts: of_device(root, &device, &name, interrupts),
            name,
        }
    };
    // Where only the block devices are known, they name their controllers.
    let names = root.names(CLASS).into_iter();
    let names = names.chain(blocks.iter().filter_map(|block| controller(block)));
    names.collect::<BTreeSet<_>>().into_iter().map(nvme).collect()
}

/// `nvme0` of `nvme0n1`.
fn controller(block: &str) -> Option<String> {
    let number = block.strip_prefix("nvme")?.split_once('n')?.0;
    number.parse::<u32>().ok().map(|number| format!("nvme{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_of_the_device_with_its_whole_name() {
        assert!(is_queue_of("nvme1q12", "nvme1"));
        assert!(!is_queue_of("nvme12q1", "nvme1") && !is_queue_of("nvme1q", "nvme1"));
        assert_eq!(controller("nvme10n2").as_deref(), Some("nvme10"));
        assert_eq!((controller("nvme0c1n1"), controller("sda")), (None, None));
    }
}
