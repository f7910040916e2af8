//! Dependencies between the crates point one way, and what reaches the outside is a dependency of the reactor alone.

use std::collections::BTreeMap;

use crate::{assert_none, tree};

/// What each crate may depend on. docs/architecture.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("base2histogram", &[]),
    ("ringlane-batch", &[]),
    ("ringlane-reactor", &[]),
    ("ringlane-wire", &[]),
    ("ringlane-storage", &["batch", "reactor"]),
    ("ringlane-tuning", &["reactor"]),
    ("ringlane-client", &["wire", "batch", "reactor"]),
    ("ringlane-controller", &["storage", "batch", "reactor"]),
    ("ringlane", &["controller", "storage", "batch", "reactor", "client", "wire", "tuning"]),
    ("ringlane-bench", &["client", "wire", "batch", "reactor", "tuning"]),
    ("ringlane-sim", &["", "controller", "storage", "batch", "reactor", "client", "wire"]),
];

/// Crates that reach the operating system or a runtime: the reactor's business.
const OUTSIDE: &[&str] = &[
    "glommio",
    "io-uring",
    "libc",
    "core_affinity",
    "rand",
    "tokio",
    "mio",
    "nix",
    "rustix",
    "socket2",
];

/// A runtime that a crate may have where it is optional: the load generator measures brokers of other protocols with their own
/// clients, which need it, in a build that asks for them (`--features paper`).
const OPTIONAL_RUNTIMES: &[(&str, &str)] = &[("ringlane-bench", "tokio")];

/// Crates that only tests may use.
const TESTS_ONLY: &[&str] = &["kafka-protocol", "proptest", "rdkafka", "tempfile"];

/// One line of a manifest's dependency tables.
struct Dependency {
    name: String,
    for_tests: bool,
    is_optional: bool,
}

/// The package name and the dependencies of a manifest; none when it declares no package.
fn manifest(text: &str) -> Option<(String, Vec<Dependency>)> {
    let mut package = None;
    let mut dependencies = Vec::new();
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_string();
            if let Some((table, name)) = section.rsplit_once("dependencies.") {
                dependencies.push(Dependency {
                    name: unquoted(name),
                    for_tests: table.contains("dev-"),
                    is_optional: false,
                });
            }
        } else if let Some((key, value)) = line.split_once('=') {
            if section == "package" && key.trim() == "name" {
                package = Some(unquoted(value));
            } else if section.ends_with("dependencies") {
                let name = unquoted(key.split('.').next().unwrap_or(key));
                let is_optional = value.contains("optional = true");
                let for_tests = section.contains("dev-");
                dependencies.push(Dependency { name, for_tests, is_optional });
            }
        }
    }
    package.map(|name| (name, dependencies))
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_string()
}

fn problems(package: &str, dependencies: &[Dependency]) -> Vec<String> {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let Some(allowed) = arrows.get(package) else {
        return vec![format!("{package}: not in the table of arrows")];
    };
    let ours = |name: &str| name == "ringlane" || name.starts_with("ringlane-");
    let short =
        |name: &str| name.trim_start_matches("ringlane").trim_start_matches('-').to_string();
    let mut problems = Vec::new();
    for Dependency { name, for_tests, is_optional } in dependencies {
        if ours(name) && !allowed.contains(&short(name).as_str()) {
            problems.push(format!("{package} must not depend on {name}"));
        }
        let is_granted = *is_optional && OPTIONAL_RUNTIMES.contains(&(package, name.as_str()));
        if OUTSIDE.contains(&name.as_str()) && package != "ringlane-reactor" && !is_granted {
            problems.push(format!(
                "{package} must not depend on {name}: the reactor is the way outside"
            ));
        }
        if TESTS_ONLY.contains(&name.as_str()) && !for_tests {
            problems.push(format!("{package}: {name} is for tests, hence a dev-dependency"));
        }
    }
    problems
}

#[test]
fn crates_depend_one_way() {
    let manifests: Vec<_> = tree::texts()
        .into_iter()
        .filter(|(path, _)| path.ends_with("Cargo.toml"))
        .filter_map(|(_, text)| manifest(&text))
        .collect();
    assert!(manifests.len() >= 8, "found {} manifests only", manifests.len());
    assert_none(manifests.iter().flat_map(|(package, list)| problems(package, list)).collect());
}

#[test]
fn a_forbidden_arrow_is_found() {
    let check = |text: &str| {
        let (package, dependencies) = manifest(text).expect("a package");
        problems(&package, &dependencies).len()
    };
    let storage = "[package]\nname = \"ringlane-storage\"\n";
    assert_eq!(check(&format!("{storage}[dependencies]\nringlane-batch.workspace = true\n")), 0);
    assert_eq!(check(&format!("{storage}[dependencies]\nringlane-wire.workspace = true\n")), 1);
    assert_eq!(check(&format!("{storage}[dev-dependencies]\nringlane = {{ path = \"..\" }}\n")), 1);
    assert_eq!(check(&format!("{storage}[dependencies.glommio]\nversion = \"1\"\n")), 1);
    assert_eq!(check(&format!("{storage}[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n")), 1);
    assert_eq!(check(&format!("{storage}[dependencies]\nproptest.workspace = true\n")), 1);
    assert_eq!(check(&format!("{storage}[dev-dependencies]\nproptest.workspace = true\n")), 0);
    assert_eq!(check("[package]\nname = \"ringlane-new\"\n"), 1);
    let tokio = |of: &str, how: &str| {
        check(&format!("[package]\nname = \"{of}\"\n[dependencies]\ntokio = {{ {how} }}\n"))
    };
    assert_eq!(tokio("ringlane-bench", "workspace = true, optional = true"), 0);
    assert_eq!(tokio("ringlane-bench", "workspace = true"), 1);
    assert_eq!(tokio("ringlane-storage", "workspace = true, optional = true"), 1);
}
