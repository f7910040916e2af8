//! Offsets have no holes, and an offset that once was acknowledged or read shows that record for ever. Source: Kafka's
//! documentation, "Guarantees" and "The Log"; Jepsen's Kafka workload calls the opposites skipped polls and inconsistent
//! offsets. (Holes come with compaction and transactions; the simulated topics have neither.)

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::{Ledger, PartitionFacts, PartitionName, RecordId};

/// Whether `id` at `offset` agrees with what is known.
///
/// # Errors
/// When another record was there, or the record elsewhere in the log of acknowledgements.
pub fn agrees(
    facts: &PartitionFacts,
    partition: &PartitionName,
    offset: i64,
    id: RecordId,
) -> Result<(), Violation> {
    let known = facts.acknowledged.get(&offset).or(facts.read.get(&offset));
    match known {
        Some(known) if *known != id => {
            Err(violated!("{partition:?}: offset {offset} was {known:?} and is {id:?} now"))
        }
        _ => Ok(()),
    }
}

/// Whether a fetch gave the offset behind the one before.
///
/// # Errors
/// When it did not.
pub fn follows(partition: &PartitionName, expected: i64, offset: i64) -> Result<(), Violation> {
    match expected == offset {
        true => Ok(()),
        false => Err(violated!("{partition:?}: {offset} comes where {expected} is due")),
    }
}

/// Every log that was found.
///
/// # Errors
/// The first hole, or offset that shows another record.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (partition, log) in &found.logs {
        for (expected, (offset, _)) in (log.start..).zip(&log.records) {
            follows(partition, expected, *offset)?;
        }
        let Some(facts) = ledger.partitions.get(partition) else { continue };
        for (offset, id) in &log.records {
            agrees(facts, partition, *offset, *id)?;
        }
    }
    Ok(())
}
