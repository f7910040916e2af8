//! How much may be dirty in the page cache before it is written, and before writers wait.

use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "dirty_pages",
    title: "dirty pages",
    wanted: "`vm.dirty_background_ratio` 5 or less, `vm.dirty_ratio` 40 or more; limits in bytes are left as they are",
    why: "a segment is written through the page cache by the shard itself: at the upper limit its whole loop stands still. Writing begins early and waits late, so that the limit is not met",
    source: "kernel: admin-guide/sysctl/vm, dirty_background_ratio and dirty_ratio; Kafka: The Definitive Guide, Virtual Memory",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let in_bytes = |name: &str| {
        let bytes = sysctl::number(machine, name).ok().filter(|bytes| *bytes > 0)?;
        let shown = crate::numbers::bytes(bytes.unsigned_abs());
        Some(Row::well(name, format!("{shown}, chosen by somebody")))
    };
    // Of each pair the one that was written last counts, and the other reads as 0.
    let background = in_bytes("vm.dirty_background_bytes")
        .unwrap_or_else(|| sysctl::at_most(machine, "vm.dirty_background_ratio", 5));
    let limit = in_bytes("vm.dirty_bytes")
        .unwrap_or_else(|| sysctl::at_least(machine, "vm.dirty_ratio", 40));
    vec![background, limit]
}
