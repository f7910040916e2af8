//! The standing scenarios: few and short, so that every commit that may matter is measured with all of them. Whoever changes
//! one gives it another name, for its older figures are of another load.

use crate::scenario::Scenario;
use crate::settings::Settings;

/// A standing scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The name that its figures go by.
    pub name: &'static str,
    /// What it is for: the first line of its file.
    pub why: &'static str,
    /// What is sent.
    pub scenario: Scenario,
}

/// The files, in the order in which they are measured.
const FILES: [(&str, &str); 4] = [
    ("steady-page-cache", include_str!("../../standing/steady-page-cache.toml")),
    ("steady-disk", include_str!("../../standing/steady-disk.toml")),
    ("many-partitions-disk", include_str!("../../standing/many-partitions-disk.toml")),
    ("flat-out-page-cache", include_str!("../../standing/flat-out-page-cache.toml")),
];

/// All of them.
pub fn standing() -> Vec<Standing> {
    let read = |(name, text): (&'static str, &'static str)| Standing {
        name,
        why: text.lines().next().unwrap_or_default().trim_start_matches("# "),
        scenario: Settings::read(text)
            .and_then(Scenario::new)
            .unwrap_or_else(|error| panic!("the standing scenario {name}: {error}")),
    };
    FILES.map(read).to_vec()
}
