//! Whether the kernel swaps out what the broker has in memory.

use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "swappiness",
    title: "swapping",
    wanted: "`vm.swappiness` 10 or less (1 is written), or no swap",
    why: "at 60 the kernel takes the broker's own memory to keep more pages of old segments; each page that comes back stops a shard for a disk read",
    source: "kernel: admin-guide/sysctl/vm, swappiness; Confluent: Running Kafka in production",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    // A line for each device or file of swap under the head; zram is memory, and swaps all the same.
    let swaps = machine.root.text("/proc/swaps");
    if swaps.is_ok_and(|text| text.starts_with("Filename") && text.lines().count() == 1) {
        return vec![Row::well("vm.swappiness", "no swap")];
    }
    let is_well = |value| (0..=10).contains(&value);
    let row = sysctl::bounded(machine, "vm.swappiness", 1, is_well, "");
    vec![row]
}
