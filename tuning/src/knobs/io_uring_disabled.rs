//! Whether processes may use io_uring.

use ringlane_reactor::requirements;

use crate::change::Change;
use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "io_uring_disabled",
    title: "who may use io_uring",
    wanted: "`kernel.io_uring_disabled` 0",
    why: "all of the broker's I/O goes through io_uring: with 2 it does not start, with 1 it must be privileged or in the group `kernel.io_uring_group`",
    source: "kernel: admin-guide/sysctl/kernel, io_uring_disabled",
    read,
};

const NAME: &str = "kernel.io_uring_disabled";

fn read(machine: &Machine) -> Vec<Row> {
    let group = sysctl::number(machine, "kernel.io_uring_group").unwrap_or(-1);
    let row = match sysctl::number(machine, NAME) {
        Err(unread) => Row::unread(NAME, &unread),
        Ok(0) => Row::well(NAME, "0"),
        // Somebody chose who may: that is not undone.
        Ok(1) if group >= 0 => Row::well(NAME, format!("1, allowed to group {group}")),
        Ok(value) => {
            let wanted = requirements::IO_URING_DISABLED_WANTED.to_string();
            let change = Change::write(sysctl::path(NAME), wanted.clone());
            Row::mend(NAME, value.to_string(), wanted, vec![change])
        }
    };
    vec![row]
}
