//! Connections that may wait to be accepted.

use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "listen_backlog",
    title: "connections that wait to be accepted",
    wanted: "`net.core.somaxconn` 4096 or more, `net.ipv4.tcp_max_syn_backlog` 4096 or more",
    why: "after a restart every client connects at once; what the backlog does not hold is dropped and tried again a second later. somaxconn bounds `socket.listen.backlog.size`",
    source: "listen(2); kernel: networking/ip-sysctl, somaxconn and tcp_max_syn_backlog",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let names = ["net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"];
    names.map(|name| sysctl::at_least(machine, name, 4096)).to_vec()
}
