//! The limits of a process and where a broker gets them from: the systemd unit where there is one, else whoever starts it.

use crate::change::Change;
use crate::knob::Row;
use crate::machine::Machine;
use crate::numbers;
use crate::systemd;

/// A resource limit: what it is called in /proc/self/limits and in a unit, and what is wanted.
pub(crate) struct Limit {
    /// The line's beginning in /proc/self/limits.
    pub(crate) name: &'static str,
    /// The unit's setting.
    pub(crate) directive: &'static str,
    /// The least; `None` is "unlimited".
    pub(crate) at_least: u64,
    /// What the unit is given.
    pub(crate) unit_value: &'static str,
    /// What mends it where there is no systemd.
    pub(crate) remedy: &'static str,
    /// How the number is shown.
    pub(crate) show: fn(u64) -> String,
}

impl Limit {
    /// Reads and judges it.
    pub(crate) fn read(&self, machine: &Machine) -> Row {
        let shown = |value: u64| match value {
            u64::MAX => "unlimited".to_owned(),
            value => (self.show)(value),
        };
        let (of, value) = match self.of_unit(machine) {
            Some((of, Some(value))) => (of, value),
            Some((of, None)) => return Row::unknown(of, "a value that systemd does not know"),
            None => match machine.root.text("/proc/self/limits") {
                Err(unread) => return Row::unread("/proc/self/limits", &unread),
                Ok(text) => match hard_limit(&text, self.name) {
                    None => return Row::unknown("/proc/self/limits", "no such line"),
                    Some(value) => ("this process".to_owned(), value),
                },
            },
        };
        if value >= self.at_least {
            return Row::well(of, shown(value));
        }
        let wanted = format!("{} or more", shown(self.at_least));
        if systemd::is_here(&machine.root) {
            let content = format!("[Service]\n{}={}\n", self.directive, self.unit_value);
            let file = format!("60-tune-{}.conf", self.directive.to_ascii_lowercase());
            let change = Change::file(systemd::drop_in(&file), content);
            return Row::mend(of, shown(value), wanted, vec![change]);
        }
        Row::person(of, shown(value), wanted, self.remedy)
    }

    /// What the unit gives the broker, and which of its files says so; the value `None` where it cannot be understood.
    fn of_unit(&self, machine: &Machine) -> Option<(String, Option<u64>)> {
        let (file, value) = systemd::setting(&machine.root, self.directive)?;
        // soft:hard; the broker raises the soft limit itself.
        let hard = value.rsplit(':').next().unwrap_or(&value);
        Some((file, systemd_number(hard)))
    }
}

/// The hard limit of a line of /proc/self/limits (proc_pid_limits(5)).
fn hard_limit(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// A number of a unit, with its suffix K, M, G, T (systemd.exec(5)).
fn systemd_number(text: &str) -> Option<u64> {
    let text = text.trim();
    if text == "infinity" {
        return Some(u64::MAX);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A number without a unit.
pub(crate) fn plain(value: u64) -> String {
    value.to_string()
}

/// A number of bytes.
pub(crate) fn in_bytes(value: u64) -> String {
    numbers::bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_their_columns() {
        let text = "Limit Soft Hard Units\nMax open files            1024   1048576   files     \n\
            Max locked memory   8388608    unlimited    bytes\nMax core file size 0\n";
        assert_eq!(hard_limit(text, "Max open files"), Some(1 << 20));
        assert_eq!(hard_limit(text, "Max locked memory"), Some(u64::MAX));
        assert_eq!(hard_limit(text, "Max core file size"), None);
        assert_eq!(hard_limit("", "Max open files"), None);
    }

    #[test]
    fn numbers_of_units_have_suffixes() {
        assert_eq!(systemd_number("64M"), Some(64 << 20));
        assert_eq!(systemd_number(" infinity "), Some(u64::MAX));
        assert_eq!(systemd_number("1048576"), Some(1 << 20));
        assert_eq!((systemd_number("64X"), systemd_number("")), (None, None));
        assert_eq!(systemd_number("99999999T"), None);
    }
}
