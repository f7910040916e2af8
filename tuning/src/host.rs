//! What a host is made of: cores with their SMT siblings, NUMA nodes, network cards and NVMe devices with their
//! interrupts; and where shards and interrupts go on it.

mod cpus;
mod devices;
mod interrupts;
mod json;
mod placement;
mod text;

pub use cpus::{Core, Node};
pub use devices::{Nic, Nvme};
pub use interrupts::Interrupt;
pub use placement::{InterruptPlace, Placement, ShardPlace};

use crate::cpu_set::CpuSet;
use crate::root::Root;

/// The topology of a host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Host {
    /// CPUs that run.
    pub online: CpuSet,
    /// Those of them that this process may use (cgroup cpusets and taskset count).
    pub allowed: CpuSet,
    /// Physical cores by package and number, each with its running CPUs (SMT siblings).
    pub cores: Vec<Core>,
    /// NUMA nodes.
    pub nodes: Vec<Node>,
    /// Network cards; not what is virtual without hardware, as `lo` and bridges are.
    pub nics: Vec<Nic>,
    /// NVMe controllers.
    pub nvmes: Vec<Nvme>,
    /// Memory in bytes, where it is known.
    pub memory_bytes: Option<u64>,
}

impl Host {
    /// Reads it. What cannot be read is left out.
    pub fn read(root: &Root) -> Self {
        let online = cpus::online(root);
        let allowed = cpus::allowed(root, &online);
        let interrupts = interrupts::read(root);
        Self {
            cores: cpus::cores(root, &online),
            nodes: cpus::nodes(root, &online),
            nics: devices::nics(root, &interrupts),
            nvmes: devices::nvmes(root, &interrupts),
            memory_bytes: cpus::memory_bytes(root),
            online,
            allowed,
        }
    }

    /// Whether some core runs more than one CPU.
    pub fn has_smt(&self) -> bool {
        self.cores.iter().any(|core| core.cpus.len() > 1)
    }

    /// The CPUs of a NUMA node; all where the node is not known.
    pub fn near(&self, node: Option<usize>) -> CpuSet {
        let node = self.nodes.iter().find(|known| Some(known.number) == node);
        node.map(|node| node.cpus.and(&self.online))
            .filter(|near| !near.is_empty())
            .unwrap_or_else(|| self.online.clone())
    }

    /// Where shards and interrupts go.
    pub fn placement(&self) -> Placement {
        Placement::of(self)
    }
}
