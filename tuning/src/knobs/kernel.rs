//! The kernel's release: what the reactor's ring needs came with Linux 6.1.

use ringlane_reactor::requirements;

use crate::knob::{Knob, Row};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "kernel",
    title: "release of the kernel",
    wanted: "Linux 6.1 or newer",
    why: "multishot receives, provided buffer rings and deferred task work of io_uring; the broker does not start without",
    source: "io_uring_setup(2), IORING_SETUP_DEFER_TASKRUN",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let row = match machine.root.setting("/proc/sys/kernel/osrelease") {
        Err(unread) => Row::unread("kernel.osrelease", &unread),
        Ok(release) if requirements::is_too_old(&release) => Row::person(
            "kernel.osrelease",
            release,
            "6.1 or newer",
            format!(
                "{}; where a distribution has brought io_uring up to date in an older one, the broker starts all the same",
                requirements::OLD_KERNEL_REMEDY
            ),
        ),
        Ok(release) if release.starts_with(|c: char| c.is_ascii_digit()) => {
            Row::well("kernel.osrelease", release)
        }
        Ok(release) => Row::unknown("kernel.osrelease", release),
    };
    vec![row]
}
