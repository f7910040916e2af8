//! The topology for programs.

use serde_json::{Value, json};

use super::{Host, Interrupt};

fn interrupts(interrupts: &[Interrupt]) -> Vec<Value> {
    let one = |interrupt: &Interrupt| {
        json!({
            "number": interrupt.number, "name": interrupt.name,
            "cpus": interrupt.affinity.as_ref().map(ToString::to_string),
        })
    };
    interrupts.iter().map(one).collect()
}

impl Host {
    /// Cores, nodes, devices and the placement that follows. Lists of CPUs are the kernel's, as in `0-3,8`.
    pub fn json(&self) -> Value {
        let placement = self.placement();
        let cores = self.cores.iter().map(|core| {
            json!({
                "package": core.package, "core": core.number, "node": core.node,
                "cpus": core.cpus.iter().collect::<Vec<_>>(),
            })
        });
        let nodes = self.nodes.iter().map(|node| {
            json!({
                "node": node.number, "cpus": node.cpus.to_string(),
                "memory_bytes": node.memory_bytes,
            })
        });
        let nics = self.nics.iter().map(|nic| {
            json!({
                "name": nic.name, "up": nic.is_up, "speed_mbit": nic.speed_mbit, "node": nic.node,
                "rx_queues": nic.rx_queues, "tx_queues": nic.tx_queues,
                "interrupts": interrupts(&nic.interrupts),
            })
        });
        let nvmes = self.nvmes.iter().map(|nvme| {
            json!({
                "name": nvme.name, "model": nvme.model, "node": nvme.node,
                "block_devices": nvme.block_devices, "interrupts": interrupts(&nvme.interrupts),
            })
        });
        let shards = placement.shards.iter().map(|place| {
            json!({
                "shard": place.shard, "cpu": place.cpu, "package": place.package,
                "node": place.node,
            })
        });
        let moved = placement.interrupts.iter().map(|place| {
            json!({
                "nic": place.nic, "interrupt": place.interrupt, "name": place.name,
                "cpus_now": place.is.as_ref().map(ToString::to_string), "cpu": place.cpu,
            })
        });
        json!({
            "online": self.online.to_string(), "allowed": self.allowed.to_string(),
            "smt": self.has_smt(), "memory_bytes": self.memory_bytes,
            "cores": cores.collect::<Vec<_>>(), "nodes": nodes.collect::<Vec<_>>(),
            "nics": nics.collect::<Vec<_>>(), "nvmes": nvmes.collect::<Vec<_>>(),
            "placement": {
                "shards": shards.collect::<Vec<_>>(),
                "interrupt_cpus": placement.interrupt_cpus.to_string(),
                "interrupts": moved.collect::<Vec<_>>(),
            },
        })
    }
}
