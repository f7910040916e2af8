//! A record that a broker acknowledged is there afterwards, at the offset that it was given: on a durable topic after every
//! crash, elsewhere until the power goes. Source: Kafka's documentation, "Message Delivery Semantics" (a committed message
//! is not lost), made stronger by `ringlane.durable`; Jepsen's Kafka workload calls the opposite a lost write.

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::Ledger;

/// Every acknowledged record against what was found.
///
/// # Errors
/// The first that is missing.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (partition, facts) in &ledger.partitions {
        let log = found.log(partition);
        for (offset, id) in &facts.acknowledged {
            if log.at(*offset) != Some(*id) {
                return Err(violated!(
                    "{partition:?}: {id:?} was acknowledged at {offset}, where {:?} is (log {:?})",
                    log.at(*offset),
                    log.range()
                ));
            }
        }
    }
    Ok(())
}
