//! Every file opens with what it is for, and stays short enough to be one thing.

use crate::source::Source;
use crate::{assert_none, tree};

/// No file may be longer.
const LINES_MAX: usize = 800;
/// A longer file must be on the list below.
const LINES_WANTED: usize = 500;
/// Half of the files with production code are no longer than this.
const LINES_MEDIAN_MAX: usize = 250;

/// Files over `LINES_WANTED` lines with the length they have. Entries are lowered and removed, never raised or added.
const RATCHET: &[(&str, usize)] = &[];

fn header_problem(source: &Source) -> Option<String> {
    let says_something =
        source.text.strip_prefix("//! ").is_some_and(|rest| !rest.starts_with('\n'));
    (!says_something)
        .then(|| format!("{}: opens without a `//!` line saying what it is for", source.path))
}

fn length_problem(source: &Source, ratchet: &[(&str, usize)]) -> Option<String> {
    let path = &source.path;
    let lines = source.text.lines().count();
    let listed = ratchet.iter().find(|(name, _)| name == path).map(|&(_, lines)| lines);
    match listed {
        _ if lines > LINES_MAX => {
            Some(format!("{path}: {lines} lines, never more than {LINES_MAX}"))
        }
        Some(_) if lines <= LINES_WANTED => {
            Some(format!("{path}: {lines} lines, take it off the ratchet"))
        }
        Some(allowed) if lines < allowed => Some(format!("{path}: lower its ratchet to {lines}")),
        Some(allowed) if lines > allowed => {
            Some(format!("{path}: grew from {allowed} to {lines} lines"))
        }
        None if lines > LINES_WANTED => {
            Some(format!("{path}: {lines} lines, split it (at most {LINES_WANTED})"))
        }
        _ => None,
    }
}

#[test]
fn every_file_opens_with_its_purpose() {
    assert_none(tree::sources().iter().filter_map(header_problem).collect());
}

#[test]
fn files_stay_short() {
    let sources = tree::sources();
    let mut problems: Vec<String> =
        sources.iter().filter_map(|source| length_problem(source, RATCHET)).collect();
    for (path, _) in RATCHET {
        if !sources.iter().any(|source| source.path == *path) {
            problems.push(format!("{path}: gone, take it off the ratchet"));
        }
    }
    let mut lengths: Vec<usize> = sources
        .iter()
        .filter(|source| !source.production.trim().is_empty())
        .map(|source| source.text.lines().count())
        .collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    if median > LINES_MEDIAN_MAX {
        problems.push(format!("the median file has {median} lines, more than {LINES_MEDIAN_MAX}"));
    }
    assert_none(problems);
}

#[test]
fn the_rules_find_what_they_must() {
    let file = |text: &str| Source::new("a.rs".to_string(), text.to_string());
    assert!(header_problem(&file("//! What it is.\n")).is_none());
    assert!(header_problem(&file("// What it is.\n")).is_some());
    assert!(header_problem(&file("//!\n")).is_some());
    let lines = |count: usize| file(&"x\n".repeat(count));
    assert!(length_problem(&lines(500), &[]).is_none());
    assert!(length_problem(&lines(501), &[]).is_some());
    assert!(length_problem(&lines(600), &[("a.rs", 600)]).is_none());
    assert!(length_problem(&lines(601), &[("a.rs", 600)]).is_some());
    assert!(length_problem(&lines(599), &[("a.rs", 600)]).is_some());
    assert!(length_problem(&lines(499), &[("a.rs", 600)]).is_some());
    assert!(length_problem(&lines(801), &[("a.rs", 801)]).is_some());
}
