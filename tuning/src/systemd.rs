//! The broker's systemd unit as its files describe it (systemd.unit(5)): the unit, then its drop-ins in order of their
//! names, the last assignment counts.

use std::collections::BTreeMap;

use crate::root::Root;

/// The unit that runs the broker.
pub(crate) const UNIT: &str = "ringlane.service";

/// Where units lie, the first that has one wins.
const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Whether the machine is run by systemd (sd_booted(3)), or has the broker's unit.
pub(crate) fn is_here(root: &Root) -> bool {
    root.exists("/run/systemd/system") || unit_file(root).is_some()
}

/// The path of a drop-in of ours.
pub(crate) fn drop_in(file: &str) -> String {
    format!("{}/{UNIT}.d/{file}", FOLDERS[0])
}

/// The file of the unit itself.
pub(crate) fn unit_file(root: &Root) -> Option<String> {
    let files = FOLDERS.iter().map(|folder| format!("{folder}/{UNIT}"));
    files.into_iter().find(|file| root.exists(file))
}

/// The files that make the unit, in the order in which they count.
fn files(root: &Root) -> Vec<String> {
    // Of drop-ins with one name, the one in the first folder hides the others.
    let mut drop_ins = BTreeMap::new();
    for folder in FOLDERS.iter().rev() {
        let folder = format!("{folder}/{UNIT}.d");
        for name in root.names(&folder).into_iter().filter(|name| name.ends_with(".conf")) {
            drop_ins.insert(name.clone(), format!("{folder}/{name}"));
        }
    }
    unit_file(root).into_iter().chain(drop_ins.into_values()).collect()
}

/// The last assignment of a `[Service]` setting and the name of the file that has it.
pub(crate) fn setting(root: &Root, key: &str) -> Option<(String, String)> {
    let mut found = None;
    for file in files(root) {
        let Ok(text) = root.text(&file) else { continue };
        if let Some(value) = last_assignment(&text, key) {
            let name = file.rsplit('/').next().unwrap_or(&file).to_owned();
            found = Some((name, value)).filter(|(_, value)| !value.is_empty());
        }
    }
    found
}

fn last_assignment(text: &str, key: &str) -> Option<String> {
    let mut in_service = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_service = line == "[Service]";
        } else if in_service
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            found = Some(value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_of_the_service_counts() {
        let text = "[Unit]\nLimitNOFILE=1\n[Service]\n# LimitNOFILE=2\nLimitNOFILE = 3\nLimitNOFILE=4\n[Install]\nLimitNOFILE=5\n";
        assert_eq!(last_assignment(text, "LimitNOFILE").as_deref(), Some("4"));
        assert_eq!(last_assignment(text, "LimitMEMLOCK"), None);
    }
}
