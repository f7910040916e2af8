//! Where shards and interrupts go on a host: a shard on each physical core, since two on SMT siblings share one core's
//! execution units and caches; the interrupts of network queues on the siblings, or spread over the shards' cores where
//! there are none. NVMe queues have an interrupt on each CPU already: the kernel manages those.

use super::{Host, Nic};
use crate::cpu_set::CpuSet;

/// Where one shard goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardPlace {
    /// The shard's number.
    pub shard: usize,
    /// The CPU that it is pinned to.
    pub cpu: usize,
    /// The package of that CPU.
    pub package: usize,
    /// Its NUMA node, where it is known.
    pub node: Option<usize>,
}

/// Where one interrupt goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterruptPlace {
    /// The network card.
    pub nic: String,
    /// The interrupt's number.
    pub interrupt: u32,
    /// What its driver calls it.
    pub name: String,
    /// The CPUs that may take it now, where that is known.
    pub is: Option<CpuSet>,
    /// The CPU that should.
    pub cpu: usize,
}

/// Where shards and interrupts go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The shards, in order.
    pub shards: Vec<ShardPlace>,
    /// The CPUs for interrupts.
    pub interrupt_cpus: CpuSet,
    /// The interrupts of network queues.
    pub interrupts: Vec<InterruptPlace>,
}

impl Placement {
    pub(super) fn of(host: &Host) -> Self {
        let mut shards = Vec::new();
        let mut siblings = Vec::new();
        for core in &host.cores {
            let allowed = core.cpus.and(&host.allowed);
            let Some(cpu) = allowed.first() else { continue };
            let (package, node) = (core.package, core.node);
            shards.push(ShardPlace { shard: 0, cpu, package, node });
            siblings.extend(core.cpus.iter().filter(|&sibling| sibling != cpu));
        }
        // As `taskset` deals them: in order of the CPUs.
        shards.sort_by_key(|place| place.cpu);
        for (shard, place) in shards.iter_mut().enumerate() {
            place.shard = shard;
        }
        let interrupt_cpus: CpuSet = if siblings.is_empty() {
            shards.iter().map(|place| place.cpu).collect()
        } else {
            siblings.into_iter().collect()
        };
        assert!(!host.allowed.is_empty(), "a process runs somewhere");
        let interrupts = host.nics.iter().filter(|nic| nic.is_up);
        let interrupts = interrupts.flat_map(|nic| places(host, nic, &interrupt_cpus)).collect();
        Self { shards, interrupt_cpus, interrupts }
    }

    /// The CPUs of the shards.
    pub fn shard_cpus(&self) -> CpuSet {
        self.shards.iter().map(|place| place.cpu).collect()
    }
}

/// The interrupts of a card's queues, in turn on the CPUs for interrupts, on the card's own node where that has some.
/// Both interrupts of a queue that has two (sending, receiving) go to one CPU.
fn places(host: &Host, nic: &Nic, interrupt_cpus: &CpuSet) -> Vec<InterruptPlace> {
    let near = interrupt_cpus.and(&host.near(nic.node));
    let cpus = if near.is_empty() { interrupt_cpus } else { &near };
    let cpus: Vec<usize> = cpus.iter().collect();
    let place = |(position, interrupt): (usize, &super::Interrupt)| {
        let queue = interrupt.queue().unwrap_or(position);
        Some(InterruptPlace {
            nic: nic.name.clone(),
            interrupt: interrupt.number,
            name: interrupt.name.clone(),
            is: interrupt.affinity.clone(),
            cpu: *cpus.get(queue % cpus.len().max(1))?,
        })
    };
    nic.queue_interrupts().enumerate().filter_map(place).collect()
}
