//! What an idempotent producer sends again, across lost connections and crashes, is there once and in order: the broker
//! remembers its sequences as long as its records. Source: KIP-98 and KIP-360; Jepsen's Kafka workload calls the opposite
//! a duplicate.

use std::collections::BTreeMap;

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::Ledger;

/// Every record of an idempotent producer.
///
/// # Errors
/// The first that is there twice, or behind a later one.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (partition, log) in &found.logs {
        let mut last = BTreeMap::new();
        for (offset, id) in &log.records {
            let Some(sent) = ledger.sent.get(id).filter(|sent| sent.idempotent) else { continue };
            match last.insert(sent.producer, *id) {
                Some(before) if before >= *id => {
                    return Err(violated!(
                        "{partition:?}: {id:?} is at {offset}, behind {before:?} of the same producer"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
