//! RPS and XPS: which CPUs process what a network card's queues receive and send.

use crate::change::Change;
use crate::cpu_set::CpuSet;
use crate::host::Nic;
use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::root::Unread;

pub(super) const KNOB: Knob = Knob {
    name: "packet_steering",
    title: "RPS and XPS",
    wanted: "receive queues fewer than CPUs: `rps_cpus` all CPUs of the card's node, else none; send queues more than one: `xps_cpus` one queue for each CPU in turn",
    why: "with few queues one core would process every packet; with as many as cores the hardware has spread them already, and steering them again only adds a wake-up",
    source: "kernel: networking/scaling, RPS Configuration and XPS Configuration",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    let mut rows = Vec::new();
    for nic in machine.host.nics.iter().filter(|nic| nic.is_up) {
        rows.push(receiving(machine, nic));
        if nic.tx_queues > 1 {
            rows.push(sending(machine, nic));
        }
    }
    if rows.is_empty() {
        rows.push(Row::not_here("network card"));
    }
    rows
}

/// The queues whose mask is not the wanted one.
struct Wrong {
    changes: Vec<Change>,
    is: CpuSet,
    wanted: CpuSet,
}

fn receiving(machine: &Machine, nic: &Nic) -> Row {
    let near = machine.host.near(nic.node);
    let steered = nic.rx_queues < near.len();
    let wanted = if steered { near } else { CpuSet::default() };
    let masks = masks(machine, nic, ("rx", nic.rx_queues, "rps_cpus"), |_| wanted.clone());
    row(format!("{} receiving", nic.name), masks)
}

fn sending(machine: &Machine, nic: &Nic) -> Row {
    let online: Vec<usize> = machine.host.online.iter().collect();
    let of_queue = |queue: usize| {
        // With more queues than CPUs, CPUs have several.
        let cpus = online.iter().enumerate();
        let count = nic.tx_queues;
        let own = cpus.filter(|(turn, _)| turn % count == queue % online.len().min(count));
        own.map(|(_, &cpu)| cpu).collect()
    };
    let masks = masks(machine, nic, ("tx", nic.tx_queues, "xps_cpus"), of_queue);
    row(format!("{} sending", nic.name), masks)
}

/// Compares the mask of each queue (kind, count, file) with what it should be.
fn masks(
    machine: &Machine,
    nic: &Nic,
    (kind, count, file): (&str, usize, &str),
    wanted: impl Fn(usize) -> CpuSet,
) -> Result<Wrong, Unread> {
    let mut wrong = Wrong { changes: Vec::new(), is: CpuSet::default(), wanted: wanted(0) };
    for queue in 0..count {
        let path = format!("/sys/class/net/{}/queues/{kind}-{queue}/{file}", nic.name);
        let mask = machine.root.setting(&path)?;
        let unclear = || Unread::Unreadable(format!("not a mask: {mask}"));
        let is = CpuSet::parse_mask(&mask).ok_or_else(unclear)?;
        let wanted = wanted(queue);
        // Shown is the first queue that is wrong, or the first of all.
        if queue == 0 || (wrong.changes.is_empty() && is != wanted) {
            (wrong.is, wrong.wanted) = (is.clone(), wanted.clone());
        }
        if is != wanted {
            wrong.changes.push(Change::write(path, wanted.mask(&mask)));
        }
    }
    Ok(wrong)
}

fn row(of: String, masks: Result<Wrong, Unread>) -> Row {
    let shown = |set: &CpuSet| match set.is_empty() {
        true => "not steered".to_owned(),
        false => format!("CPU {set}"),
    };
    match masks {
        Err(unread) => Row::unread(of, &unread),
        Ok(masks) if masks.changes.is_empty() && masks.is.is_empty() => {
            Row::well(of, "not steered")
        }
        Ok(masks) if masks.changes.is_empty() => Row::well(of, "as recommended"),
        Ok(masks) => Row::mend(of, shown(&masks.is), shown(&masks.wanted), masks.changes),
    }
}
