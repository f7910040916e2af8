//! What the kernel reads the time from.

use crate::change::Change;
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "clock_source",
    title: "clock source",
    wanted: "`tsc`, or another that is read without a system call (`arch_sys_counter`, `kvm-clock`, `hyperv_clocksource_tsc_page`)",
    why: "a shard reads the clock in each turn of its loop and for each request: 20 to 50 ns from the TSC, a system call and up to microseconds from others",
    source: "vdso(7); kernel: timers/timekeeping; Amazon EC2 user guide, Set the time",
    read,
};

const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
const GOOD: [&str; 5] =
    ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page", "riscv_clocksource"];

fn read(machine: &Machine) -> Vec<Row> {
    let file = format!("{FOLDER}/current_clocksource");
    let current = match machine.root.setting(&file) {
        Err(unread) => return vec![Row::unread("clocksource0", &unread)],
        Ok(current) => current,
    };
    let offered = machine.root.setting(&format!("{FOLDER}/available_clocksource"));
    let offered = offered.unwrap_or_default();
    let better = GOOD.iter().find(|good| offered.split_whitespace().any(|offer| offer == **good));
    let row = match better {
        _ if GOOD.contains(&current.as_str()) => Row::well("clocksource0", current),
        Some(better) => {
            Row::mend("clocksource0", current, *better, vec![Change::write(file, *better)])
        }
        None => Row::person(
            "clocksource0",
            current,
            "tsc",
            "the kernel does not trust the TSC of this machine: `dmesg | grep -i tsc` says why; on a virtual machine choose a type whose host offers it",
        ),
    };
    vec![row]
}
