//! Which CPUs take the interrupts of the network cards' queues.

use std::collections::BTreeMap;

use crate::change::Change;
use crate::host::{InterruptPlace, Nic};
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "interrupt_affinity",
    title: "interrupts of network cards",
    wanted: "the queues' interrupts evenly on the SMT siblings of the shards' cores, on the card's NUMA node; on the shards' own cores without SMT; irqbalance off",
    why: "packets are processed where their interrupt arrives: spread, no core becomes the bottleneck, and a shard's core is not stopped by all of them. NVMe queues have an interrupt on each CPU, which the kernel manages itself",
    source: "kernel: networking/scaling, RSS IRQ Configuration; core-api/irq/irq-affinity",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let placement = machine.host.placement();
    let mut rows = Vec::new();
    for nic in machine.host.nics.iter().filter(|nic| nic.is_up) {
        let places = placement.interrupts.iter().filter(|place| place.nic == nic.name);
        let places: Vec<&InterruptPlace> = places.filter(|place| place.is.is_some()).collect();
        if places.is_empty() {
            rows.push(Row::not_here(&nic.name));
        } else {
            rows.push(row(nic, &places));
        }
    }
    if rows.is_empty() {
        rows.push(Row::not_here("network card"));
    }
    rows.extend(balancer(machine));
    rows
}

fn row(nic: &Nic, places: &[&InterruptPlace]) -> Row {
    let mut is = BTreeMap::<String, usize>::new();
    for place in places {
        *is.entry(place.is.as_ref().map_or(String::new(), ToString::to_string)).or_default() += 1;
    }
    let count = places.len();
    let is = match is.len() {
        1 => format!("{count} on CPU {}", is.keys().next().map_or("", String::as_str)),
        sets => format!("{count} on {sets} CPUs or sets of CPUs"),
    };
    if is_spread(places) {
        return Row::well(&nic.name, is);
    }
    let change = |place: &&InterruptPlace| {
        let file = format!("/proc/irq/{}/smp_affinity_list", place.interrupt);
        Change::write(file, place.cpu.to_string())
    };
    let moved = places.iter().filter(|place| !is_there(place));
    let cpus: crate::CpuSet = places.iter().map(|place| place.cpu).collect();
    Row::mend(&nic.name, is, format!("each on one of CPU {cpus}"), moved.map(change).collect())
}

fn is_there(place: &InterruptPlace) -> bool {
    place.is.as_ref().is_some_and(|is| is.len() == 1 && is.contains(place.cpu))
}

/// Whether each interrupt has one CPU, of those that are meant for them, and none has more than in the placement.
fn is_spread(places: &[&InterruptPlace]) -> bool {
    let mut planned = BTreeMap::<usize, usize>::new();
    let mut has = BTreeMap::<usize, usize>::new();
    for place in places {
        *planned.entry(place.cpu).or_default() += 1;
        match &place.is {
            Some(is) if is.len() == 1 => *has.entry(is.first().unwrap_or(0)).or_default() += 1,
            _ => return false,
        }
    }
    let most = planned.values().max().copied().unwrap_or(0);
    has.iter().all(|(cpu, &count)| planned.contains_key(cpu) && count <= most)
}

/// irqbalance(1) moves interrupts away again.
fn balancer(machine: &Machine) -> Option<Row> {
    const ENABLED: &str = "/etc/systemd/system/multi-user.target.wants/irqbalance.service";
    let runs = machine.root.exists("/run/irqbalance") || machine.root.exists("/run/irqbalance.pid");
    let enabled = !machine.root.names("/etc/systemd/system/multi-user.target.wants").is_empty()
        && machine.root.link_name(ENABLED).is_some() | machine.root.exists(ENABLED);
    (runs || enabled).then(|| {
        Row::person(
            "irqbalance",
            if runs { "running" } else { "enabled" },
            "off",
            "it moves interrupts away again: run `systemctl disable --now irqbalance`",
        )
    })
}
