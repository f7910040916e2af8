//! A topic whose creation was answered is there with all of its partitions until its deletion is asked for; one whose
//! deletion was answered never comes back. Source: KIP-631 (an answered change is committed to the metadata log), KIP-516
//! (a deleted topic stays deleted).

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::{Ledger, TopicState};

/// Every topic against what was found.
///
/// # Errors
/// The first that is missing, returned, changed or unknown.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (name, facts) in &ledger.topics {
        match (facts.state, found.topics.get(name)) {
            (TopicState::Created, None) => {
                return Err(violated!("{name}: it was created and is gone"));
            }
            // Its deletion may have been asked for, or its creation carried out, since the facts were copied.
            (TopicState::Deleted, Some(_)) => {
                return Err(violated!("{name}: it was deleted and is back"));
            }
            (_, Some(partitions)) if *partitions != facts.partitions => {
                return Err(violated!("{name}: {partitions} partitions, not {}", facts.partitions));
            }
            _ => {}
        }
    }
    let stranger = found.topics.keys().find(|name| !found.asked_for.contains(*name));
    stranger.map_or(Ok(()), |name| Err(violated!("{name}: nobody asked for it")))
}
