//! The topology for people: cores, nodes and devices in a few lines, then the placement.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;

use super::{Host, Interrupt, Placement};
use crate::cpu_set::CpuSet;
use crate::numbers;

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packages = self.cores.iter().map(|core| core.package);
        let packages = packages.collect::<std::collections::BTreeSet<_>>().len();
        let smt = if self.has_smt() { "SMT on" } else { "no SMT" };
        writeln!(
            f,
            "{} on {}, {} ({smt}); this process may use CPU {}",
            counted(self.cores.len(), "core", "cores"),
            counted(packages, "socket", "sockets"),
            counted(self.online.len(), "CPU", "CPUs"),
            self.allowed
        )?;
        for node in &self.nodes {
            let memory = node.memory_bytes.map(|memory| format!(", {}", numbers::bytes(memory)));
            writeln!(
                f,
                "NUMA node {}: CPU {}{}",
                node.number,
                node.cpus,
                memory.unwrap_or_default()
            )?;
        }
        self.show_devices(f)?;
        show_placement(f, &self.placement())
    }
}

impl Host {
    fn show_devices(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for nic in &self.nics {
            write!(f, "network card {}", nic.name)?;
            if !nic.is_up {
                f.write_str(", down")?;
            }
            if let Some(speed) = nic.speed_mbit {
                write!(f, ", {speed} Mbit/s")?;
            }
            show_node(f, nic.node)?;
            write!(f, ", {} receive and {} send queues", nic.rx_queues, nic.tx_queues)?;
            writeln!(f, "{}", interrupts(nic.queue_interrupts()))?;
        }
        for nvme in &self.nvmes {
            write!(f, "NVMe {} {} ({})", nvme.name, nvme.model, nvme.block_devices.join(", "))?;
            show_node(f, nvme.node)?;
            writeln!(f, "{}", interrupts(nvme.interrupts.iter().filter(|i| i.is_of_queue())))?;
        }
        Ok(())
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn show_node(f: &mut fmt::Formatter<'_>, node: Option<usize>) -> fmt::Result {
    node.map_or(Ok(()), |node| write!(f, ", on node {node}"))
}

fn interrupts<'a>(interrupts: impl Iterator<Item = &'a Interrupt>) -> String {
    let interrupts: Vec<&Interrupt> = interrupts.collect();
    if interrupts.is_empty() {
        return ", interrupts not known".into();
    }
    let numbers: CpuSet = interrupts.iter().map(|interrupt| interrupt.number as usize).collect();
    let mut text = format!(", interrupts {numbers}");
    let taken = interrupts.iter().filter_map(|interrupt| interrupt.affinity.as_ref());
    let taken: CpuSet = taken.flat_map(|set| set.iter().collect::<Vec<_>>()).collect();
    if !taken.is_empty() {
        let _ = write!(text, " on CPU {taken}");
    }
    text
}

fn show_placement(f: &mut fmt::Formatter<'_>, placement: &Placement) -> fmt::Result {
    let count = placement.shards.len();
    let cpus = placement.shard_cpus();
    writeln!(
        f,
        "\nplacement: {}",
        counted(count, "shard, on", "shards, one a core, on") + &format!(" CPU {cpus}")
    )?;
    let mut nodes = BTreeMap::<usize, Vec<usize>>::new();
    for place in &placement.shards {
        nodes.entry(place.node.unwrap_or(0)).or_default().push(place.shard);
    }
    if nodes.len() > 1 {
        for (node, shards) in nodes {
            let shards: CpuSet = shards.into_iter().collect();
            writeln!(f, "  shards {shards} on node {node}")?;
        }
    }
    writeln!(f, "  interrupts of network queues on CPU {}", placement.interrupt_cpus)?;
    for place in &placement.interrupts {
        let is = place.is.as_ref().map_or("?".into(), ToString::to_string);
        let is_there = place.is.as_ref().is_some_and(|is| is.len() == 1 && is.contains(place.cpu));
        let note = if is_there { "there" } else { "`ringlane tune apply` moves it" };
        writeln!(
            f,
            "  {} interrupt {} ({}): CPU {is} -> {}, {note}",
            place.nic, place.interrupt, place.name, place.cpu
        )?;
    }
    writeln!(f, "\nstart it there: taskset -c {cpus} ringlane start")
}
