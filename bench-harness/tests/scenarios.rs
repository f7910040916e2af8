//! Every scenario that comes with the load generator is one.
#![expect(clippy::disallowed_methods, reason = "reads the work tree itself, outside any reactor")]

use ringlane_bench::scenario::Scenario;
use ringlane_bench::settings::Settings;

#[test]
fn every_scenario_can_be_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        assert!(text.starts_with("# "), "{}: says what it is for", path.display());
        let scenario = Settings::read(&text).and_then(Scenario::new);
        scenario.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    assert!(count >= 10, "{count} scenarios");
}
