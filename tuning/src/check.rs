//! What is well with a machine and what is not: every knob read, as a table for people and as JSON for programs.

use std::fmt;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::knob::{Knob, Remedy, Row, Verdict};
use crate::machine::Machine;

/// A knob and what was read of it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The knob.
    pub knob: &'static Knob,
    /// Its readings; one at least.
    pub rows: Vec<Row>,
}

impl Checked {
    /// The verdict on the whole: the worst of its readings, of which "not here" counts only where there is nothing else.
    pub fn verdict(&self) -> Verdict {
        let known = self.rows.iter().map(|row| row.verdict).filter(|v| *v != Verdict::NotHere);
        known.max().unwrap_or(Verdict::NotHere)
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Every knob that was asked for, in the order of the list.
    pub knobs: Vec<Checked>,
}

/// Reads the knobs that `wanted` wants.
pub fn check(machine: &Machine, wanted: impl Fn(&Knob) -> bool) -> Report {
    let read = |knob: &'static Knob| {
        let rows = (knob.read)(machine);
        assert!(!rows.is_empty(), "{} says something of every machine", knob.name);
        Checked { knob, rows }
    };
    Report { knobs: crate::KNOBS.iter().filter(|knob| wanted(knob)).map(read).collect() }
}

impl Report {
    /// Every reading with its knob.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Knob, &Row)> {
        self.knobs.iter().flat_map(|checked| checked.rows.iter().map(|row| (checked.knob, row)))
    }

    /// Those that are to be mended.
    pub fn to_mend(&self) -> impl Iterator<Item = (&'static Knob, &Row)> {
        self.rows().filter(|(_, row)| row.verdict == Verdict::Mend)
    }

    /// Those that only a person can mend, with what to do.
    pub fn left_to_people(&self) -> impl Iterator<Item = (&'static Knob, &Row, &str)> {
        self.to_mend().filter_map(|(knob, row)| match &row.remedy {
            Remedy::Person(sentence) => Some((knob, row, sentence.as_str())),
            _ => None,
        })
    }

    /// Whether nothing is to be mended.
    pub fn is_well(&self) -> bool {
        self.to_mend().next().is_none()
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let knobs = self.knobs.iter().map(|checked| {
            json!({
                "name": checked.knob.name, "title": checked.knob.title,
                "verdict": checked.verdict().word(), "recommended": checked.knob.wanted,
                "why": checked.knob.why, "source": checked.knob.source,
                "readings": checked.rows.iter().map(row_json).collect::<Vec<_>>(),
            })
        });
        let (to_mend, people) = (self.to_mend().count(), self.left_to_people().count());
        json!({
            "well": self.is_well(), "to_mend": to_mend, "left_to_people": people,
            "knobs": knobs.collect::<Vec<_>>(),
        })
    }
}

fn row_json(row: &Row) -> Value {
    let mut value = json!({ "of": row.of, "is": row.is, "verdict": row.verdict.word() });
    if row.verdict == Verdict::Mend {
        value["wanted"] = row.wanted.clone().into();
    }
    match &row.remedy {
        Remedy::None => {}
        Remedy::Apply(changes) => {
            let change =
                |change: &crate::Change| json!({"path": change.path, "value": change.value});
            value["changes"] = changes.iter().map(change).collect();
        }
        Remedy::Person(sentence) => value["left_to_you"] = sentence.clone().into(),
    }
    value
}

/// The table, then why, then what is to be done.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table())?;
        let (to_mend, people) = (self.to_mend().count(), self.left_to_people().count());
        if to_mend == 0 {
            return writeln!(f, "\nall is well");
        }
        writeln!(f, "\nto mend: {to_mend}")?;
        for checked in self.knobs.iter().filter(|checked| checked.verdict() == Verdict::Mend) {
            writeln!(f, "  {}: {}", checked.knob.name, checked.knob.why)?;
        }
        if to_mend > people {
            let count = to_mend - people;
            writeln!(f, "\n`ringlane tune apply --dry-run` shows what would mend {count} of them")?;
        }
        if people > 0 {
            writeln!(f, "\nleft to you:")?;
        }
        for (knob, row, sentence) in self.left_to_people() {
            writeln!(f, "  {} ({}): {sentence}", knob.name, row.of)?;
        }
        Ok(())
    }
}

impl Report {
    fn table(&self) -> String {
        let mut lines = vec![["KNOB", "OF", "IS", "SHOULD BE", ""].map(str::to_owned)];
        for (knob, row) in self.rows() {
            let verdict = row.verdict.word();
            let cells = [knob.name, &row.of, &row.is, &row.wanted, verdict];
            lines.push(cells.map(str::to_owned));
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..lines[0].len()).filter_map(width).collect();
        let mut text = String::new();
        for line in &lines {
            let mut row = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                let _ = write!(row, "{cell:width$}  ");
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}
