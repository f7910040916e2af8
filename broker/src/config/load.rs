//! From `--config FILE` and `--set key=value` to a broker's settings. An unknown or meaningless key is a warning that names
//! it; a bad value is an error that names file, line, key and what is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::broker::BrokerConfig;
use super::other_keys::{self, Known};
use super::properties;

/// The settings, and what the operator should know about how they came to be.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: BrokerConfig,
    /// One sentence each.
    pub warnings: Vec<String>,
    /// The names that somebody gave a value.
    pub(super) given: BTreeSet<String>,
}

/// A value that cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Where a value was given, and the value.
struct Given {
    place: String,
    value: String,
}

/// The settings that a file (its name and text) and `key=value` arguments make; arguments win.
///
/// # Errors
/// The first value that cannot be.
pub fn load(file: Option<(&str, &str)>, arguments: &[String]) -> Result<Loaded, ConfigError> {
    let mut given = BTreeMap::new();
    if let Some((name, text)) = file {
        for entry in properties::parse(text) {
            let place = format!("{name}:{}", entry.line);
            given.insert(entry.key, Given { place, value: entry.value });
        }
    }
    for argument in arguments {
        let (key, value) = argument.split_once('=').ok_or_else(|| {
            ConfigError(format!("--set {argument}: must be of the form key=value"))
        })?;
        let given_here = Given { place: "--set".into(), value: value.trim().to_owned() };
        given.insert(key.trim().to_owned(), given_here);
    }
    let mut loaded = Loaded {
        config: BrokerConfig::defaults(),
        warnings: Vec::new(),
        given: given.keys().cloned().collect(),
    };
    // Other names first, so that the setting's own name wins.
    for (key, given) in &given {
        apply_other(&mut loaded, key, given)?;
    }
    for (key, given) in &given {
        apply(&mut loaded.config, key, key, given)?;
    }
    check_listeners(&mut loaded)?;
    check_log_dirs(&loaded.config)?;
    check_compaction_lags(&loaded.config)?;
    Ok(loaded)
}

fn is_setting(key: &str) -> bool {
    BrokerConfig::SETTINGS.iter().any(|setting| setting.name == key)
}

fn apply_other(loaded: &mut Loaded, key: &str, given: &Given) -> Result<(), ConfigError> {
    if is_setting(key) {
        return Ok(());
    }
    let place = &given.place;
    match other_keys::find(key) {
        Some(Known::Alias(name)) => apply(&mut loaded.config, name, key, given),
        Some(Known::InUnits(name, factor)) => {
            let value = given.value.parse::<i64>().ok().and_then(|value| value.checked_mul(factor));
            // Any negative number of hours or minutes is no bound, as Kafka has it.
            let value = value.map(|value| value.max(-1));
            let value = value.map_or(given.value.clone(), |value| value.to_string());
            apply(&mut loaded.config, name, key, &Given { place: place.clone(), value })
        }
        Some(Known::WithoutEffect(reason)) => {
            loaded.warnings.push(format!("{place}: {key} has no effect: {reason}"));
            Ok(())
        }
        None => {
            loaded
                .warnings
                .push(format!("{place}: {key} is no setting of Ringlane; it is ignored"));
            Ok(())
        }
    }
}

/// Sets `name`, which the operator wrote as `key`.
fn apply(
    config: &mut BrokerConfig,
    name: &str,
    key: &str,
    given: &Given,
) -> Result<(), ConfigError> {
    match config.set(name, &given.value) {
        Ok(()) | Err(None) => Ok(()),
        Err(Some(allowed)) => {
            Err(ConfigError(format!("{}: {key}={}: {allowed}", given.place, given.value)))
        }
    }
}

/// The controller's listeners are not opened; of the others there is one, in plaintext.
fn check_listeners(loaded: &mut Loaded) -> Result<(), ConfigError> {
    let config = &mut loaded.config;
    let controllers = config.controller_listener_names.to_ascii_uppercase();
    let controllers: Vec<&str> = controllers.split(',').map(str::trim).collect();
    for endpoints in [&mut config.listeners, &mut config.advertised_listeners] {
        endpoints.0.retain(|endpoint| !controllers.contains(&endpoint.name.as_str()));
        if let Some(other) = endpoints.0.iter().find(|endpoint| endpoint.name != "PLAINTEXT") {
            return Err(ConfigError(format!(
                "listeners: {} is not served by this version: only PLAINTEXT is (TLS and SASL are not built yet)",
                other.name
            )));
        }
        if endpoints.0.len() > 1 {
            return Err(ConfigError(
                "listeners: more than one is not served by this version: name one".into(),
            ));
        }
    }
    Ok(())
}

/// Every log directory has a name, and no two have the same.
fn check_log_dirs(config: &BrokerConfig) -> Result<(), ConfigError> {
    let directories = config.log_directories();
    for (index, directory) in directories.iter().enumerate() {
        let problem = if directory.as_os_str().is_empty() {
            "must name directories, separated by commas".to_owned()
        } else if directories[..index].contains(directory) {
            format!("names {} twice", directory.display())
        } else {
            continue;
        };
        return Err(ConfigError(format!("log.dirs={}: {problem}", config.log_dirs)));
    }
    Ok(())
}

/// No record must stay uncompacted for longer than it may (`LogConfig.validateBrokerLogConfigValues`).
fn check_compaction_lags(config: &BrokerConfig) -> Result<(), ConfigError> {
    let least = config.log_cleaner_min_compaction_lag_ms;
    let most = config.log_cleaner_max_compaction_lag_ms;
    if least <= most {
        return Ok(());
    }
    Err(ConfigError(format!(
        "log.cleaner.min.compaction.lag.ms={least}: must not be above log.cleaner.max.compaction.lag.ms, which is {most}"
    )))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn error(file: &str) -> String {
        load(Some(("server.properties", file)), &[]).expect_err("a bad value").to_string()
    }

    #[test]
    fn a_bad_value_names_file_line_key_and_what_is_allowed() {
        assert_eq!(
            error("# x\nnum.partitions=0\n"),
            "server.properties:2: num.partitions=0: must be from 1 to 100000"
        );
        assert_eq!(
            error("log.roll.hours=soon"),
            format!(
                "server.properties:1: log.roll.hours=soon: must be a whole number from {} to {}",
                i64::MIN,
                i64::MAX
            )
        );
    }

    #[test]
    fn unknown_and_meaningless_keys_are_warnings_that_name_them() {
        let file = "num.io.threads=8\nno.such.key=1\n";
        let loaded = load(Some(("f", file)), &[]).expect("warnings only");
        assert_eq!(
            loaded.warnings,
            [
                "f:2: no.such.key is no setting of Ringlane; it is ignored",
                "f:1: num.io.threads has no effect: there is one shard a core, see ringlane.shards",
            ]
        );
    }

    #[test]
    fn arguments_win_over_the_file_and_names_over_their_aliases() {
        let file = "num.partitions=3\nlog.roll.hours=1\nlog.roll.ms=5\nbroker.id=7\n";
        let loaded = load(Some(("f", file)), &["num.partitions=4".into()]).expect("good values");
        assert_eq!(loaded.config.num_partitions, 4);
        assert_eq!(loaded.config.log_roll_ms, 5);
        assert_eq!(loaded.config.node_id, 7);
    }

    #[test]
    fn log_directories_are_a_list() {
        let file = "log.dirs=/a, /b\nlog.dir=/c\n";
        let config = load(Some(("f", file)), &[]).expect("good values").config;
        assert_eq!(config.log_directories(), [Path::new("/a"), Path::new("/b")]);
        assert_eq!(config.metadata_directory(), Path::new("/a"));
        let config = load(Some(("f", "metadata.log.dir=/m")), &[]).expect("good values").config;
        assert_eq!(config.metadata_directory(), Path::new("/m"));
        assert_eq!(error("log.dirs=/a,/b/,/a"), "log.dirs=/a,/b/,/a: names /a twice");
        assert!(error("log.dirs=/a,").contains("separated by commas"));
    }

    #[test]
    fn milliseconds_win_over_minutes_and_those_over_hours() {
        let retention = |file| load(Some(("f", file)), &[]).expect("good").config.log_retention_ms;
        assert_eq!(retention(""), 168 * 3_600_000);
        assert_eq!(retention("log.retention.hours=2"), 7_200_000);
        assert_eq!(retention("log.retention.minutes=3\nlog.retention.hours=2"), 180_000);
        assert_eq!(retention("log.retention.ms=5\nlog.retention.minutes=3"), 5);
        assert_eq!(retention("log.retention.hours=-1"), -1);
        assert!(error("log.retention.ms=0").contains("at least 1"));
        assert!(error("log.cleanup.policy=forget").contains("must be delete"));
    }

    #[test]
    fn the_least_compaction_lag_is_not_above_the_most() {
        let (least, most) =
            ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
        assert_eq!(
            error(&format!("{least}=6\n{most}=5\n")),
            format!("{least}=6: must not be above {most}, which is 5")
        );
        let file = format!("{least}=5\n{most}=5\n");
        load(Some(("f", &file)), &[]).expect("Kafka starts with it");
    }

    #[test]
    fn a_stock_file_starts_without_its_controller_listener() {
        let file = "process.roles=broker,controller\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
                    controller.listener.names=CONTROLLER\n";
        let loaded = load(Some(("f", file)), &[]).expect("a stock file");
        assert_eq!(loaded.config.listeners.0.len(), 1);
        assert!(error("listeners=SSL://:9093").contains("only PLAINTEXT"));
    }
}
