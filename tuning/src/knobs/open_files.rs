//! RLIMIT_NOFILE: files and connections that can be open at once.

use ringlane_reactor::requirements;

use crate::knob::{Knob, Row};
use crate::limits::{self, Limit};
use crate::machine::Machine;

pub(super) const KNOB: Knob = Knob {
    name: "open_files",
    title: "RLIMIT_NOFILE",
    wanted: "65536 or more (`LimitNOFILE=1048576`)",
    why: "each connection takes a descriptor, each segment that is written to takes three",
    source: "Apache Kafka documentation, Hardware and OS; getrlimit(2)",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let limit = Limit {
        name: "Max open files",
        directive: "LimitNOFILE",
        at_least: requirements::FILES_WANTED,
        unit_value: "1048576",
        remedy: requirements::FILES_REMEDY,
        show: limits::plain,
    };
    vec![limit.read(machine)]
}
