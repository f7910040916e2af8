//! Whether blocking reads and polls spin on the network card.

use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "busy_poll",
    title: "busy polling of sockets",
    wanted: "`net.core.busy_poll` and `net.core.busy_read` 0",
    why: "they make poll(2) and blocking reads of all processes spin. The broker's receives do neither: io_uring waits by itself, and `ringlane.spin.us` is its own setting for the same trade of CPU for latency",
    source: "kernel: admin-guide/sysctl/net, busy_poll and busy_read; io_uring_register_napi(3)",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let names = ["net.core.busy_poll", "net.core.busy_read"];
    names.map(|name| sysctl::bounded(machine, name, 0, |value| value == 0, "")).to_vec()
}
