//! Transparent huge pages.

use crate::change::{Change, chosen};
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "transparent_huge_pages",
    title: "transparent huge pages",
    wanted: "`enabled` madvise or never; `defrag` not always",
    why: "with always, the first touch of a buffer may have to wait until 2 MiB are free in one piece, and small allocations take 2 MiB each, against the broker's bounds",
    source: "kernel: admin-guide/mm/transhuge, Global THP controls",
    read,
};

const FOLDER: &str = "/sys/kernel/mm/transparent_hugepage";

fn read(machine: &Machine) -> Vec<Row> {
    let row = |name: &str| {
        let file = format!("{FOLDER}/{name}");
        match machine.root.setting(&file).as_deref().map(chosen) {
            Err(unread) => Row::unread(name, unread),
            Ok("always") => {
                Row::mend(name, "always", "madvise", vec![Change::write(file, "madvise")])
            }
            Ok(is @ ("madvise" | "never" | "defer" | "defer+madvise")) => Row::well(name, is),
            Ok(other) => Row::unknown(name, other),
        }
    };
    ["enabled", "defrag"].map(row).to_vec()
}
