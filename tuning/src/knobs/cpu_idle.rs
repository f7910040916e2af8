//! The idle states of the CPUs that take long to leave.

use std::collections::BTreeMap;

use crate::change::Change;
use crate::cpu_set::CpuSet;
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "cpu_idle",
    title: "CPU idle states",
    wanted: "states that take more than 20 µs to leave are disabled",
    why: "a shard sleeps whenever nothing is to be done; what its core takes to wake up is added to the next request. It costs power: leave it out with `--except cpu_idle` where that counts",
    source: "kernel: admin-guide/pm/cpuidle, Representation of Idle States",
    read,
};

/// A write to an NVMe device with a protected cache takes about as long.
const EXIT_LATENCY_US_MAX: u64 = 20;

/// No processor has so many states; a folder may.
const STATES_MAX: usize = 32;

/// An idle state of some CPUs: its name, what it takes to leave in µs, whether it is disabled.
type State = (String, u64, bool);

fn folder(cpu: usize, state: &str) -> String {
    format!("/sys/devices/system/cpu/cpu{cpu}/cpuidle/{state}")
}

fn read(machine: &Machine) -> Vec<Row> {
    let mut states = BTreeMap::<String, BTreeMap<State, Vec<usize>>>::new();
    for cpu in machine.host.online.iter() {
        let names = machine.root.names(&format!("/sys/devices/system/cpu/cpu{cpu}/cpuidle"));
        let names = names.into_iter().filter(|name| name.starts_with("state")).take(STATES_MAX);
        for name in names {
            if let Some(state) = state(machine, cpu, &name) {
                states.entry(name).or_default().entry(state).or_default().push(cpu);
            }
        }
    }
    let mut rows = Vec::new();
    for (folder_name, kinds) in states {
        for ((name, latency_us, is_disabled), cpus) in kinds {
            if latency_us > EXIT_LATENCY_US_MAX {
                rows.push(row(&folder_name, &name, latency_us, is_disabled, &cpus));
            }
        }
    }
    match (rows.is_empty(), has_states(machine)) {
        (true, true) => vec![Row::well("cpuidle", "every state is left quickly")],
        (true, false) => vec![Row::not_here("cpuidle")],
        _ => rows,
    }
}

fn has_states(machine: &Machine) -> bool {
    machine.host.online.iter().any(|cpu| machine.root.exists(&folder(cpu, "state0")))
}

fn state(machine: &Machine, cpu: usize, state: &str) -> Option<State> {
    let read = |file: &str| machine.root.setting(&format!("{}/{file}", folder(cpu, state))).ok();
    let latency_us = read("latency")?.parse().ok()?;
    let is_disabled = read("disable")? != "0";
    Some((read("name").unwrap_or_else(|| state.to_owned()), latency_us, is_disabled))
}

fn row(folder_name: &str, name: &str, latency_us: u64, is_disabled: bool, cpus: &[usize]) -> Row {
    let set: CpuSet = cpus.iter().copied().collect();
    let of = format!("CPU {set}, {name}");
    if is_disabled {
        return Row::well(of, format!("disabled ({latency_us} µs)"));
    }
    let change = |&cpu| Change::write(format!("{}/disable", folder(cpu, folder_name)), "1");
    Row::mend(
        of,
        format!("{latency_us} µs to leave"),
        "disabled",
        cpus.iter().map(change).collect(),
    )
}
