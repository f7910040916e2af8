//! Interrupts: whose they are and which CPUs take them (proc(5), kernel: core-api/irq/irq-affinity).

use std::collections::BTreeMap;

use crate::cpu_set::CpuSet;
use crate::root::Root;

/// One interrupt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interrupt {
    /// Its number.
    pub number: u32,
    /// What its driver calls it.
    pub name: String,
    /// The CPUs that may take it, where that is known.
    pub affinity: Option<CpuSet>,
}

/// What drivers call interrupts that carry no data: the link's state, commands, errors.
const NO_QUEUES: [&str; 15] = [
    "config", "async", "mgmnt", "mgmt", "misc", "control", "event", "pages", "cmd", "fdir",
    "admin", "mbx", "ptp", "aeq", "oicr",
];

impl Interrupt {
    /// Whether a queue of packets or requests raises it.
    pub fn is_of_queue(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        !NO_QUEUES.iter().any(|word| name.contains(word)) && !name.ends_with("q0_admin")
    }

    /// The number of its queue, by the last number in its name (`eth0-TxRx-7`, `mlx5_comp7@pci:0000:3b:00.0`).
    pub fn queue(&self) -> Option<usize> {
        let name = self.name.split('@').next()?;
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        name[name.len() - digits..].parse().ok()
    }

    /// The file that says which CPUs take it.
    pub fn affinity_file(&self) -> String {
        format!("/proc/irq/{}/smp_affinity_list", self.number)
    }
}

/// Every numbered interrupt of /proc/interrupts.
pub(super) fn read(root: &Root) -> BTreeMap<u32, Interrupt> {
    let text = root.text("/proc/interrupts").unwrap_or_default();
    let mut lines = text.lines();
    let columns = lines.next().unwrap_or_default().split_whitespace().count();
    let mut interrupts = BTreeMap::new();
    for line in lines {
        let Some((number, rest)) = line.split_once(':') else { continue };
        let Ok(number) = number.trim().parse::<u32>() else { continue };
        // A count for each CPU, then the chip, the hardware's number, and the name, which may have blanks.
        let fields: Vec<&str> = rest.split_whitespace().skip(columns).collect();
        let Some(name) = fields.last().map(|name| (*name).to_owned()) else { continue };
        let mut interrupt = Interrupt { number, name, affinity: None };
        let list = root.setting(&interrupt.affinity_file()).ok();
        interrupt.affinity = list.and_then(|list| CpuSet::parse_list(&list));
        interrupts.insert(number, interrupt);
    }
    interrupts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_queues() {
        let named = |name: &str| Interrupt { number: 1, name: name.into(), affinity: None };
        assert_eq!(named("eth0-TxRx-17").queue(), Some(17));
        assert_eq!(named("mlx5_comp3@pci:0000:3b:00.0").queue(), Some(3));
        assert_eq!(named("virtio2-input.0").queue(), Some(0));
        assert_eq!(named("virtio2-config").queue(), None);
        assert!(named("nvme0q4").is_of_queue() && named("ens5-Tx-Rx-0").is_of_queue());
        assert!(!named("virtio2-config").is_of_queue() && !named("ena-mgmnt@pci:0").is_of_queue());
    }
}
