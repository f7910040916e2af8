//! Logs that were moved from one log directory to another after a crash: the journals of the first hold records of them that
//! no segment has. Served without those, they would have lost what was acknowledged, and handed out its offsets again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ringlane_storage::LogKey;

use crate::recovery::OpenDirectory;

/// Such logs among those in `open`, and what is said of each.
pub(crate) fn moved(open: &[OpenDirectory]) -> BTreeMap<LogKey, String> {
    let places = places(open);
    let mut moved = BTreeMap::new();
    for from in open {
        let from_path = from.directory.path();
        for key in from.recovered.unplaced() {
            // One that is there was left out for another reason; of one that is nowhere, nobody knows that it was moved; one
            // that has lived where it is was copied, and the copy removed.
            let Some((to, path)) = places.get(&key) else { continue };
            if to.index != from.index && !to.recovered.knows(key) {
                moved.insert(key, sentence(key, from_path, path));
            }
        }
    }
    moved
}

/// Where each log is that is in one directory alone.
fn places(open: &[OpenDirectory]) -> BTreeMap<LogKey, (&OpenDirectory, &Path)> {
    let mut places = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for open in open {
        for found in &open.found.partitions {
            let id = found.topic_id.expect("only whole ones are left");
            let key = (id, found.partition);
            if places.insert(key, (open, &*found.path)).is_some() {
                twice.insert(key);
            }
        }
    }
    places.retain(|key, _| !twice.contains(key));
    places
}

fn sentence((id, partition): LogKey, from: &Path, to: &Path) -> String {
    let (from, to) = (from.display(), to.display());
    format!(
        "{to} is not served: the journals in {from} hold acknowledged records of it that no segment has; move it to {from} while the broker is stopped, or, to go on without those, remove {from}/journal/{id}-{partition}.kept"
    )
}
