//! The indexes agree with the log: a read from any offset begins with the batch that holds it, a timestamp leads to the first
//! record from it on, and leader epochs are those of the batches. Source: `ListOffsets` and `OffsetForLeaderEpoch` (KIP-101).

use super::{Violation, holds};
use crate::found::Found;
use crate::told::Told;

/// What lookups gave against the records that were found.
///
/// # Errors
/// The first lookup that led elsewhere.
pub(crate) fn check(_: &Told, found: &Found) -> Result<(), Violation> {
    for (offset, base) in &found.reads {
        let holder = found.batches.iter().find(|batch| batch.end > *offset);
        let expected = holder.map(|batch| batch.base);
        holds!(*base == expected, "a read from {offset} begins at {base:?}, not at {expected:?}");
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
