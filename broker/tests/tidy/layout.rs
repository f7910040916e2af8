//! What may stand at the top level, and that no file depends on where somebody's work tree lies.

use crate::source::is_word;
use crate::{assert_none, tree};

/// Beside these only names that start with a dot.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "bench-harness",
    "broker",
    "clippy.toml",
    "controller",
    "docs",
    "net",
    "rustfmt.toml",
    "storage",
    "tuning",
];

/// Folders of a build machine; split, so that this file passes its own check.
const MACHINE_FOLDERS: [&str; 3] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

fn top_level_problem(name: &str) -> Option<String> {
    let known = name.starts_with('.') || TOP_LEVEL.contains(&name);
    (!known).then(|| format!("{name}: does not belong at the top level"))
}

fn path_problems(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for folder in MACHINE_FOLDERS {
            let absolute = |at: usize| {
                // Part of a longer path or of a variable (`$dir/home/`): not a folder of the machine.
                let before = line.as_bytes()[..at].last().copied().unwrap_or(b' ');
                !is_word(before) && !b"./-}~*$".contains(&before)
            };
            if line.match_indices(folder).any(|(at, _)| absolute(at)) {
                problems.push(format!("{path}:{}: names {folder}", number + 1));
            }
        }
    }
    problems
}

#[test]
fn the_top_level_holds_what_is_agreed() {
    assert_none(tree::top_level().iter().filter_map(|name| top_level_problem(name)).collect());
}

#[test]
fn no_file_names_a_folder_of_the_machine() {
    assert_none(tree::texts().iter().flat_map(|(path, text)| path_problems(path, text)).collect());
}

#[test]
fn strangers_and_machine_folders_are_found() {
    assert!(top_level_problem("notes.txt").is_some() && top_level_problem(".github").is_none());
    let [work, root, _] = MACHINE_FOLDERS;
    assert_eq!(path_problems("a", &format!("see {work}main")).len(), 1);
    assert_eq!(path_problems("a", &format!("\"{root}x\"\n{root}y")).len(), 2);
    assert_eq!(path_problems("a", &format!("$dir{work}main and some{root}x")).len(), 0);
}
