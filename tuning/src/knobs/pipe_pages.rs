//! Memory that the pipes of one user may take.

use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "pipe_pages",
    title: "memory of pipes",
    wanted: "`fs.pipe-user-pages-soft` 16384 or more, or 0 (no limit)",
    why: "above it every new pipe of the user holds two pages instead of sixteen, and splice from file to socket moves 8 KiB at a time",
    source: "pipe(7), /proc/sys/fs/pipe-user-pages-soft",
    read,
};

/// 64 MiB: the kernel's own default.
const PAGES: i64 = 16_384;

fn read(machine: &Machine) -> Vec<Row> {
    let name = "fs.pipe-user-pages-soft";
    let is_well = |pages| pages == 0 || pages >= PAGES;
    vec![sysctl::bounded(machine, name, PAGES, is_well, "or more")]
}
