//! What a consumer saw, the next one sees: records that were read are never lost, and the high watermark never goes back,
//! crash or not. Source: Kafka's documentation, "Replication" (only committed messages are given out); KIP-101 and KIP-279
//! mend its violations; Jepsen's Kafka workload calls the opposite a lost or unseen write.

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::{Ledger, PartitionName};

/// Whether records up to `end` were below the high watermark that came with them.
///
/// # Errors
/// When the answer showed more than may be seen.
pub fn within(partition: &PartitionName, end: i64, high_watermark: i64) -> Result<(), Violation> {
    match end <= high_watermark {
        true => Ok(()),
        false => Err(violated!(
            "{partition:?}: records up to {end} with the high watermark at {high_watermark}"
        )),
    }
}

/// Everything that was read against what was found.
///
/// # Errors
/// The first that is missing.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (partition, facts) in &ledger.partitions {
        let log = found.log(partition);
        if log.high_watermark < facts.high_watermark {
            return Err(violated!(
                "{partition:?}: the high watermark went back from {} to {}",
                facts.high_watermark,
                log.high_watermark
            ));
        }
        for (offset, id) in &facts.read {
            if log.at(*offset) != Some(*id) {
                return Err(violated!(
                    "{partition:?}: {id:?} was read at {offset}, where {:?} is now",
                    log.at(*offset)
                ));
            }
        }
    }
    Ok(())
}

/// Whether an answer shows at least as much as was `known` when it was asked for.
///
/// # Errors
/// When the high watermark went back.
pub fn does_not_go_back(
    partition: &PartitionName,
    known: i64,
    high_watermark: i64,
) -> Result<(), Violation> {
    match high_watermark >= known {
        true => Ok(()),
        false => Err(violated!(
            "{partition:?}: the high watermark went from {known} to {high_watermark}"
        )),
    }
}
