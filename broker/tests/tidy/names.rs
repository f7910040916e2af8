//! Names that production code outside the reactor must not use: the ways to the outside, unordered maps that would keep
//! the simulation from replaying, switches for the simulation's sake, and unfinished work. Escape hatches give a reason.

use crate::source::{Source, after_matching, line_of, words};
use crate::{assert_none, tree};

/// Where the outside is allowed, as path prefixes: the reactor; the host tuner; the load generator's runners of brokers, of
/// which the second holds the clients of other protocols, which come with a runtime of their own.
const OUTSIDE_IS_ALLOWED: &[&str] =
    &["net/reactor/", "tuning/", "bench-harness/src/brokers/", "bench-harness/src/paper/systems/"];
/// The one folder that knows which executor and which ring are underneath.
const RING: &str = "net/reactor/src/uring";

/// Names of the outside, each a word or path as rustfmt writes it.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::os::unix::net",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "Instant::now",
    "SystemTime",
    "rand::",
    "libc::",
    "unsafe",
    "HashMap",
    "HashSet",
    "RandomState",
    "tokio::",
];
/// Modules of `std` that a grouped import (`use std::{fs, ...}`) must not bring in either.
const OUTSIDE_MODULES: &[&str] = &["fs", "thread"];
const RING_ONLY: &[&str] = &["glommio", "io_uring"];
const NOWHERE: &[&str] = &["todo!", "unimplemented!", "cfg(sim", "cfg(not(sim", "cfg_attr(sim"];
const NOT_EVEN_IN_TESTS: &[&str] = &["#[ignore"];

fn problems(source: &Source) -> Vec<String> {
    let inside = |prefixes: &[&str]| prefixes.iter().any(|prefix| source.path.starts_with(prefix));
    let mut found = Vec::new();
    if !inside(OUTSIDE_IS_ALLOWED) {
        find(source, &source.production, OUTSIDE, "use the reactor's facade", &mut found);
        find_grouped_imports(source, &mut found);
    }
    if !inside(&[RING]) {
        find(
            source,
            &source.production,
            RING_ONLY,
            "only net/reactor/src/uring knows it",
            &mut found,
        );
    }
    find(source, &source.production, NOWHERE, "not in production code", &mut found);
    find(source, &source.code, NOT_EVEN_IN_TESTS, "a test that never runs is none", &mut found);
    find_silent_hatches(source, &mut found);
    found
}

fn find(source: &Source, code: &str, names: &[&str], why: &str, found: &mut Vec<String>) {
    for name in names {
        for at in words(code, name) {
            found.push(format!("{}:{}: `{name}`: {why}", source.path, line_of(code, at)));
        }
    }
}

fn find_grouped_imports(source: &Source, found: &mut Vec<String>) {
    let code = &source.production;
    let group = "use std::{";
    for at in words(code, group) {
        let end = after_matching(code, at + group.len() - 1);
        for module in OUTSIDE_MODULES {
            if words(&code[at..end], module).next().is_some() {
                let line = line_of(code, at);
                found.push(format!(
                    "{}:{line}: `std::{module}`: use the reactor's facade",
                    source.path
                ));
            }
        }
    }
}

/// `#[allow]` and `#[expect]` say why, so that a reader can judge whether the reason still holds.
fn find_silent_hatches(source: &Source, found: &mut Vec<String>) {
    let code = &source.code;
    for hatch in ["[allow(", "[expect("] {
        for (at, _) in code.match_indices(hatch) {
            let attribute = &code[at..after_matching(code, at)];
            if words(attribute, "reason").next().is_none() {
                let line = line_of(code, at);
                found.push(format!("{}:{line}: `#{hatch}...)]` without a reason", source.path));
            }
        }
    }
}

#[test]
fn production_code_uses_the_facade() {
    assert_none(tree::sources().iter().flat_map(problems).collect());
}

#[test]
fn forbidden_names_are_found_where_they_count() {
    let count = |path: &str, text: &str| problems(&Source::new(path.into(), text.into())).len();
    let storage = |text: &str| count("storage/src/log.rs", text);
    assert_eq!(storage("use std::fs::File;"), 1);
    assert_eq!(storage("use std::{collections::BTreeMap, fs};"), 1);
    assert_eq!(storage("// std::fs\nlet x = \"std::fs\";"), 0);
    assert_eq!(storage("#[cfg(test)]\nmod tests { use std::fs; }"), 0);
    assert_eq!(storage("let x = Instant::now();"), 1);
    assert_eq!(storage("unsafe { f() }"), 1);
    assert_eq!(storage("#![forbid(unsafe_code)]"), 0);
    assert_eq!(storage("let m: HashMap<u8, u8> = todo!();"), 2);
    assert_eq!(storage("#[cfg(sim)]\nfn f() {}"), 1);
    assert_eq!(count("broker/tests/x.rs", "#[test]\n#[ignore]\nfn f() {}"), 1);
    assert_eq!(storage("#[allow(dead_code)]\nfn f() {}"), 1);
    assert_eq!(storage("#[expect(dead_code, reason = \"why\")]\nfn f() {}"), 0);
    assert_eq!(count("net/reactor/src/file.rs", "use std::fs;"), 0);
    assert_eq!(count("net/reactor/src/file.rs", "use glommio::Task;"), 1);
    assert_eq!(count("net/reactor/src/uring/ring.rs", "use io_uring::IoUring;"), 0);
}
