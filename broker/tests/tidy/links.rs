//! Every relative link in the documentation leads to a file that exists, and every `#anchor` to a heading.

use std::fs;
use std::path::Path;

use crate::{assert_none, tree};

/// The targets of the links in a Markdown text, with their line; code is left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second part between backticks is code.
        let prose: Vec<&str> = line.split('`').step_by(2).collect();
        for part in prose.join("`").split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or("");
            found.push((number + 1, target.to_string()));
        }
    }
    found
}

/// The anchors of a Markdown text: its headings in lower case, blanks as dashes, punctuation gone.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

fn problem(folder: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    if !folder.join(file).exists() {
        return Some(format!("{target}: no such file"));
    }
    let other = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let headings = anchors(if file.is_empty() { text } else { &other });
    let known = anchor.is_empty() || !(file.is_empty() || file.ends_with(".md"));
    (!known && !headings.contains(&anchor.to_string()))
        .then(|| format!("{target}: no such heading"))
}

#[test]
fn links_lead_somewhere() {
    let mut problems = Vec::new();
    for (path, text) in tree::texts().iter().filter(|(path, _)| path.ends_with(".md")) {
        let file = tree::root().join(path);
        let folder = file.parent().expect("a file lies in a folder");
        for (line, target) in links(text) {
            problems.extend(
                problem(folder, text, &target).map(|what| format!("{path}:{line}: {what}")),
            );
        }
    }
    assert_none(problems);
}

#[test]
fn broken_links_are_found() {
    let text = "# One Thing, `two`\n[a](Cargo.toml) [b](gone.md) `[c](code)`\n```\n[d](code)\n```\n[e](#one-thing-two)";
    let targets: Vec<String> = links(text).into_iter().map(|(_, target)| target).collect();
    assert_eq!(targets, ["Cargo.toml", "gone.md", "#one-thing-two"]);
    let check = |target: &str| problem(&tree::root(), text, target).is_some();
    assert!(!check("Cargo.toml") && !check("#one-thing-two") && !check("https://example.org/x"));
    assert!(check("gone.md") && check("#another-thing"));
}
