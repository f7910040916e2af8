//! The indexes agree with the log: a read from any offset begins with the batch that holds it (or, where that has no record any
//! more, before any that has), a timestamp leads to the first
//! record from it on, and leader epochs are those of the batches. Source: `ListOffsets` and `OffsetForLeaderEpoch` (KIP-101).

use super::{Violation, holds};
use crate::found::Found;
use crate::told::{Sent, Told};

/// What lookups gave against the records that were found.
///
/// # Errors
/// The first lookup that led elsewhere.
pub(crate) fn check(_: &Told, found: &Found) -> Result<(), Violation> {
    for (offset, base) in &found.reads {
        let mut following = found.batches.iter().filter(|batch| batch.end > *offset);
        let has_rows = |batch: &Sent| found.rows.range(batch.base..batch.end).next().is_some();
        let expected = following.clone().next().map(|batch| batch.base);
        // A read may pass over batches that compaction emptied, and another may begin with them.
        let first = following.find(|batch| has_rows(batch)).map_or(i64::MAX, |batch| batch.base);
        let before =
            |base| found.batches.iter().any(|sent| sent.base == base && sent.end <= *offset);
        let begins = *base == expected || base.is_some_and(|base| base <= first && !before(base));
        holds!(begins, "a read from {offset} begins at {base:?}, not at {expected:?}");
    }
    let readable = || found.rows.range(found.start..).map(|(at, row)| (*at, row.timestamp));
    for (target, at) in &found.times {
        let expected = readable().find(|(_, timestamp)| timestamp >= target);
        holds!(*at == expected, "timestamp {target} leads to {at:?}, not to {expected:?}");
    }
    let expected = readable().max_by_key(|(_, timestamp)| *timestamp);
    let largest = found.largest_time;
    holds!(largest == expected, "the largest timestamp is at {largest:?}, not at {expected:?}");
    for ((offset, epoch), batch) in found.epochs.iter().zip(&found.batches) {
        let expected = batch.epoch;
        holds!(*epoch == expected, "offset {offset} is of epoch {expected}, the log says {epoch}");
    }
    Ok(())
}
