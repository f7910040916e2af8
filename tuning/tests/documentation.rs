//! The table of docs/tuning.md says what the knobs say. `RINGLANE_UPDATE=1` writes it anew.

use std::fmt::Write;
use std::fs;

use ringlane_tuning::KNOBS;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tuning.md");
const BEGIN: &str = "<!-- knobs: begin -->\n";
const END: &str = "<!-- knobs: end -->";

fn table() -> String {
    let mut rows = String::from("| knob | recommended | why | source |\n|---|---|---|---|\n");
    for knob in KNOBS {
        let _ = writeln!(
            rows,
            "| `{}`: {} | {} | {} | {} |",
            knob.name, knob.title, knob.wanted, knob.why, knob.source
        );
    }
    rows
}

#[test]
fn the_table_says_what_the_knobs_say() {
    let document = fs::read_to_string(DOCUMENT).expect("docs/tuning.md is there");
    let (before, rest) = document.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("and an end");
    let right = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("RINGLANE_UPDATE").is_some() {
        fs::write(DOCUMENT, &right).expect("docs/tuning.md is written");
    } else {
        assert!(
            right == document,
            "docs/tuning.md is not what the knobs say: RINGLANE_UPDATE=1 writes it"
        );
    }
}

#[test]
fn every_knob_has_a_name_of_its_own_a_reason_and_a_source() {
    for (at, knob) in KNOBS.iter().enumerate() {
        assert!(!KNOBS[..at].iter().any(|other| other.name == knob.name), "{} twice", knob.name);
        let texts = [knob.title, knob.wanted, knob.why, knob.source];
        assert!(texts.iter().all(|text| text.len() > 3 && !text.contains('|')), "{}", knob.name);
        let file = format!("{}/src/knobs/{}.rs", env!("CARGO_MANIFEST_DIR"), knob.name);
        assert!(fs::exists(&file).unwrap_or(false), "{file} holds the knob");
    }
}
