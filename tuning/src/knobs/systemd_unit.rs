//! What the systemd unit of the broker says besides its limits.

use crate::change::Change;
use crate::knob::{Knob, Row};
use crate::machine::Machine;
use crate::systemd;

pub(super) const KNOB: Knob = Knob {
    name: "systemd_unit",
    title: "systemd unit",
    wanted: "`Restart=` on-failure or always, `TimeoutStopSec=` 120 s or more, `OOMScoreAdjust=` -500 or less, with SMT `CPUAffinity=` a CPU of each core",
    why: "a broker that panics ends and must be started again; a stop syncs every log before it ends; the kernel's out-of-memory killer should take others first; two shards on one core share it",
    source: "systemd.service(5); systemd.exec(5)",
    read,
};

fn read(machine: &Machine) -> Vec<Row> {
    if systemd::unit_file(&machine.root).is_none() {
        return vec![Row::not_here(systemd::UNIT)];
    }
    let mut wanted = vec![
        Wanted { key: "Restart", value: "on-failure".into(), is_well: restarts },
        Wanted { key: "TimeoutStopSec", value: "120".into(), is_well: waits },
        Wanted { key: "OOMScoreAdjust", value: "-500".into(), is_well: is_spared },
    ];
    if machine.host.has_smt() {
        let value = machine.host.placement().shard_cpus().to_string();
        wanted.push(Wanted { key: "CPUAffinity", value, is_well: |_| true });
    }
    wanted.iter().map(|wanted| wanted.row(machine)).collect()
}

/// A setting of the unit, and what it should be.
struct Wanted {
    key: &'static str,
    value: String,
    is_well: fn(&str) -> bool,
}

impl Wanted {
    fn row(&self, machine: &Machine) -> Row {
        let found = systemd::setting(&machine.root, self.key);
        let is = match &found {
            Some((_, value)) if (self.is_well)(value) => return Row::well(self.key, value),
            Some((file, value)) => format!("{value} ({file})"),
            None => "not set".into(),
        };
        // A file for each: together they would have to be written, and put back, as one.
        let file = format!("60-tune-{}.conf", self.key.to_ascii_lowercase());
        let content = format!("[Service]\n{}={}\n", self.key, self.value);
        let change = Change::file(systemd::drop_in(&file), content);
        Row::mend(self.key, is, &self.value, vec![change])
    }
}

fn restarts(value: &str) -> bool {
    ["on-failure", "always", "on-abnormal"].contains(&value)
}

/// Seconds, or a span such as `2min`, `5min 20s`; systemd.time(7).
fn waits(value: &str) -> bool {
    value == "infinity" || seconds(value).is_some_and(|seconds| seconds >= 120.0)
}

fn seconds(span: &str) -> Option<f64> {
    let mut rest = span.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(unit_at);
        let after = after.trim_start();
        let next_at = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(next_at);
        let factor = match unit {
            "us" | "usec" => 1e-6,
            "ms" | "msec" => 1e-3,
            "" | "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after.trim_start();
    }
    Some(seconds)
}

fn is_spared(value: &str) -> bool {
    value.parse::<i32>().is_ok_and(|value| value <= -500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read() {
        for enough in ["120", "2min", "120s", "1min 60s", "infinity", "1h", "3min30s"] {
            assert!(waits(enough), "{enough}");
        }
        for short in
            ["90", "90s", "1min", "1min 59s", "", "long", "1.5min", "500ms", "2 fortnights", "é"]
        {
            assert!(!waits(short), "{short}");
        }
    }
}
