//! RLIMIT_MEMLOCK: memory that rings and registered buffers lock.

use ringlane_reactor::requirements;

use crate::knob::{Knob, Row};
use crate::limits::{self, Limit};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "locked_memory",
    title: "RLIMIT_MEMLOCK",
    wanted: "512 KiB, and 8 MiB a core; best unlimited (`LimitMEMLOCK=infinity`)",
    why: "without 512 KiB no ring can be made; with less than 8 MiB a shard the journal's buffers stay unregistered, and each write maps its pages anew",
    source: "io_uring_register(2), IORING_REGISTER_BUFFERS; getrlimit(2)",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let shards = machine.host.allowed.len() as u64;
    let for_buffers = requirements::MEMLOCK_BYTES_PER_SHARD.saturating_mul(shards);
    let limit = Limit {
        name: "Max locked memory",
        directive: "LimitMEMLOCK",
        at_least: for_buffers.max(requirements::MEMLOCK_BYTES_MIN),
        unit_value: "infinity",
        remedy: requirements::MEMLOCK_REMEDY,
        show: limits::in_bytes,
    };
    vec![limit.read(machine)]
}
