//! The tables of docs/compatibility.md say what the code says: the APIs with their versions, and the settings of brokers and
//! topics. `RINGLANE_UPDATE=1 cargo test -p ringlane --test compatibility` writes them anew.
#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes the document, outside any reactor"
)]

use std::fmt::Write;
use std::fs;

use ringlane::apis::{Api, TABLE};
use ringlane::config::{BrokerConfig, Setting, TopicConfig, broker_synonym};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");

fn apis(table: &[Api]) -> String {
    let mut rows = String::from("| key | API | versions |\n|---|---|---|\n");
    for api in table {
        let versions = api.key.versions();
        let (code, name) = (api.key.code(), api.key.name());
        let _ = writeln!(rows, "| {code} | {name} | {}–{} |", versions.start(), versions.end());
    }
    rows
}

fn broker_settings() -> String {
    let defaults = BrokerConfig::defaults();
    let mut rows = String::from("| setting | default | changes | meaning |\n|---|---|---|---|\n");
    for setting in BrokerConfig::SETTINGS {
        let when = if setting.dynamic { "while running" } else { "at start" };
        let default = shown(defaults.show(setting.name));
        let _ = writeln!(rows, "| `{}` | {default} | {when} | {} |", setting.name, setting.doc);
    }
    rows
}

fn topic_settings() -> String {
    let mut rows = String::from("| setting | default: the broker's | meaning |\n|---|---|---|\n");
    for Setting { name, doc, .. } in TopicConfig::SETTINGS {
        let _ = writeln!(rows, "| `{name}` | `{}` | {doc} |", broker_synonym(name));
    }
    rows
}

fn shown(value: Option<String>) -> String {
    match value.as_deref() {
        None | Some("") => "–".into(),
        Some(value) => format!("`{value}`"),
    }
}

/// `document` with `table` in the place of the one between the marks of `name`; `None` where it has no such marks.
fn with_table(document: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{table}\n{end}{after}"))
}

fn check(name: &str, table: &str) {
    let document = fs::read_to_string(DOCUMENT).expect("docs/compatibility.md is there");
    let right = with_table(&document, name, table).expect("the table has its marks");
    assert!(
        right == document,
        "the table `{name}` of docs/compatibility.md is not what the code says. RINGLANE_UPDATE=1 writes this one:\n\n{table}"
    );
}

/// One test for the three, which are in one file.
#[test]
fn the_tables_say_what_the_code_says() {
    let tables = [
        ("apis", apis(TABLE)),
        ("broker settings", broker_settings()),
        ("topic settings", topic_settings()),
    ];
    if std::env::var_os("RINGLANE_UPDATE").is_some() {
        let mut document = fs::read_to_string(DOCUMENT).expect("docs/compatibility.md is there");
        for (name, table) in &tables {
            document = with_table(&document, name, table).expect("the table has its marks");
        }
        fs::write(DOCUMENT, document).expect("docs/compatibility.md is written");
    }
    for (name, table) in &tables {
        check(name, table);
    }
}

#[test]
fn every_api_is_in_the_table_once_in_order_of_its_key() {
    let keys: Vec<i16> = TABLE.iter().map(|api| api.key.code()).collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
}

#[test]
fn a_table_that_says_something_else_is_found() {
    let document = "a\n<!-- t: begin -->\n\n| 1 |\n\n<!-- t: end -->\nb\n";
    assert_eq!(with_table(document, "t", "| 1 |\n").as_deref(), Some(document));
    let other = with_table(document, "t", "| 2 |\n").expect("the marks are there");
    assert!(other != document && other.contains("| 2 |") && other.ends_with("\nb\n"));
    assert_eq!(with_table(document, "u", ""), None);
}
