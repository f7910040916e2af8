//! How far the kernel lets the buffers of a connection grow.

use crate::change::Change;
use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::numbers;
use crate::sysctl;

pub(super) const KNOB: Knob = Knob {
    name: "socket_buffers",
    title: "socket buffers",
    wanted: "the last figure of `net.ipv4.tcp_rmem` and `tcp_wmem` 16 MiB or more, `net.core.rmem_max` and `wmem_max` too",
    why: "a connection moves at most one buffer in a round trip: 16 MiB are 10 Gbit/s at 13 ms. The kernel grows buffers by itself up to this; the broker sets no size, clients that do are bounded by the `net.core` figures",
    source: "kernel: networking/ip-sysctl, tcp_rmem; Apache Kafka documentation, Hardware and OS; ESnet, Linux host tuning",
    read,
};

const BYTES: i64 = 16 << 20;

fn read(machine: &Machine) -> Vec<Row> {
    let mut rows: Vec<Row> =
        ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"].map(|name| autotuned(machine, name)).to_vec();
    for name in ["net.core.rmem_max", "net.core.wmem_max"] {
        let row = sysctl::at_least(machine, name, BYTES);
        let is = row.is.parse().map_or(row.is.clone(), numbers::bytes);
        let wanted = if row.wanted.is_empty() { String::new() } else { "16 MiB or more".into() };
        rows.push(Row { is, wanted, ..row });
    }
    rows
}

/// Three figures: the least, the first, the most.
fn autotuned(machine: &Machine, name: &str) -> Row {
    let text = match machine.root.setting(&sysctl::path(name)) {
        Err(unread) => return Row::unread(name, &unread),
        Ok(text) => text,
    };
    let figures: Option<Vec<i64>> = text.split_whitespace().map(|part| part.parse().ok()).collect();
    let [least, first, most] = figures.as_deref().unwrap_or_default() else {
        return Row::unknown(name, format!("not three numbers: {text}"));
    };
    let is = numbers::bytes(most.unsigned_abs());
    if *most >= BYTES {
        return Row::well(name, is);
    }
    // Tabs, as the kernel writes them.
    let change = Change::write(sysctl::path(name), format!("{least}\t{first}\t{BYTES}"));
    Row::mend(name, is, "16 MiB or more", vec![change])
}
