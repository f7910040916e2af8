//! The files of the work tree, without what `.gitignore` names and what git and cargo keep for themselves.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Source;

/// The root of the work tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("broker/ lies in the root").to_path_buf()
}

/// The names that `.gitignore` keeps out at the top level (`/target` and the like), and `.git`.
fn ignored() -> Vec<String> {
    let text = fs::read_to_string(root().join(".gitignore")).unwrap_or_default();
    let names = text.lines().map(|line| line.trim().trim_matches('/').to_string());
    names.filter(|name| !name.is_empty()).chain([".git".to_string()]).collect()
}

/// The names at the top level, ignored ones left out.
pub(crate) fn top_level() -> Vec<String> {
    let ignored = ignored();
    let mut names: Vec<String> = fs::read_dir(root())
        .expect("the root can be listed")
        .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !ignored.contains(name))
        .collect();
    names.sort();
    names
}

/// Every file as (path from the root, text), in order; files that are not UTF-8 are left out.
pub(crate) fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in top_level() {
        visit(&root().join(name), &mut found);
    }
    found.sort();
    assert!(found.len() > 20, "the walk found {} files only: it is broken", found.len());
    found
}

fn visit(path: &Path, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder can be listed") {
            let path = entry.expect("a readable entry").path();
            if !path.ends_with("target") && !path.ends_with("__pycache__") {
                visit(&path, found);
            }
        }
    } else if let Ok(text) = fs::read_to_string(path) {
        let relative = path.strip_prefix(root()).expect("inside the root");
        found.push((relative.to_string_lossy().into_owned(), text));
    }
}

/// Every Rust file, with the files that a `#[cfg(test)] mod name;` elsewhere pulls in marked as tests.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = texts()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| Source::new(path, text))
        .collect();
    let test_modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let inside = |module: &String| {
            source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/"))
        };
        if test_modules.iter().any(inside) {
            source.mark_as_test();
        }
    }
    sources
}
