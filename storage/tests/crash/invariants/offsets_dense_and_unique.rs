//! Offsets are dense, and none is handed out twice: batch follows batch from the log's start to its end, and every offset
//! holds the record that was given it. Compaction alone leaves gaps, behind which offsets go on rising. Source: Kafka's
//! `UnifiedLog` ("assign offsets to the message set"); Jepsen's Kafka workload calls the opposite duplicate offsets.

use super::{Violation, holds};
use crate::found::Found;
use crate::told::Told;

/// The offsets that were found, one after the other.
///
/// # Errors
/// The first hole, overlap, or record of another offset.
pub(crate) fn check(told: &Told, found: &Found) -> Result<(), Violation> {
    let mut next = None;
    for batch in &found.batches {
        let base = batch.base;
        match next {
            // The start may lie within the first batch.
            None => holds!(
                base <= found.start || base <= told.cleanable_end,
                "the log starts at {}, its first batch at {base}",
                found.start
            ),
            Some(next) => holds!(
                base == next || base > next && next < told.cleanable_end,
                "the batch at {base} follows one that ends at {next}"
            ),
        }
        next = Some(batch.end);
    }
    let end = next.unwrap_or(found.start);
    holds!(end == found.end, "the last batch ends at {end}, the log at {}", found.end);
    for (offset, row) in &found.rows {
        let given = told.rows.get(*offset as usize);
        holds!(given == Some(row), "offset {offset} was given to {given:?}, and holds {row:?}");
    }
    Ok(())
}
