//! The CPU frequency governor.

use crate::change::Change;
use crate::cpu_set::CpuSet;
use crate::group;
use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "cpu_governor",
    title: "CPU frequency governor",
    wanted: "`performance`",
    why: "other governors raise the frequency only after a while of load: a shard that sleeps between requests serves most of them on a slow core",
    source: "kernel: admin-guide/pm/cpufreq, Generic Scaling Governors",
    read,
};

const WANTED: &str = "performance";

fn file(cpu: usize, file: &str) -> String {
    format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/{file}")
}

fn read(machine: &Machine) -> Vec<Row> {
    let root = &machine.root;
    let governor = |cpu| (cpu, root.setting(&file(cpu, "scaling_governor")));
    let (governors, unread) = group::cpus(machine.host.online.iter().map(governor));
    if governors.is_empty() && unread.is_empty() {
        return vec![Row::not_here("cpufreq")];
    }
    let row = |(governor, cpus): (String, CpuSet)| {
        let of = format!("CPU {cpus}");
        if governor == WANTED {
            return Row::well(of, governor);
        }
        let offered =
            cpus.first().map(|cpu| root.setting(&file(cpu, "scaling_available_governors")));
        if let Some(Ok(offered)) = offered
            && !offered.split_whitespace().any(|offer| offer == WANTED)
        {
            return Row::person(
                of,
                governor,
                WANTED,
                "the kernel has no such governor: build it in, or boot with cpufreq.default_governor=performance",
            );
        }
        let changes = cpus.iter().map(|cpu| Change::write(file(cpu, "scaling_governor"), WANTED));
        Row::mend(of, governor, WANTED, changes.collect())
    };
    let unread = unread.into_iter().map(|(why, cpus)| Row::unknown(format!("CPU {cpus}"), why));
    governors.into_iter().map(row).chain(unread).collect()
}
