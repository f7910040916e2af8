//! What several knobs do: numbers in files of /proc/sys (sysctl(8)) that should have a bound.

use crate::change::Change;
use crate::knob::Row;
use crate::machine::Machine;
use crate::root::Unread;

/// The file of a setting of sysctl(8), as in `net.core.somaxconn`.
pub(crate) fn path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

/// Its value, a number.
pub(crate) fn number(machine: &Machine, name: &str) -> Result<i64, Unread> {
    let text = machine.root.setting(&path(name))?;
    text.parse().map_err(|_| Unread::Unreadable(format!("not a number: {text}")))
}

/// A number that should be `least` or more.
pub(crate) fn at_least(machine: &Machine, name: &str, least: i64) -> Row {
    bounded(machine, name, least, |value| value >= least, "or more")
}

/// A number that should be `most` or less.
pub(crate) fn at_most(machine: &Machine, name: &str, most: i64) -> Row {
    bounded(machine, name, most, |value| (0..=most).contains(&value), "or less")
}

/// A number that should pass `is_well`, and is set to `wanted` where it does not.
pub(crate) fn bounded(
    machine: &Machine,
    name: &str,
    wanted: i64,
    is_well: impl Fn(i64) -> bool,
    bound: &str,
) -> Row {
    match number(machine, name) {
        Err(unread) => Row::unread(name, &unread),
        Ok(value) if is_well(value) => Row::well(name, value.to_string()),
        Ok(value) => {
            let change = Change::write(path(name), wanted.to_string());
            let wanted = format!("{wanted} {bound}");
            Row::mend(name, value.to_string(), wanted.trim_end(), vec![change])
        }
    }
}
