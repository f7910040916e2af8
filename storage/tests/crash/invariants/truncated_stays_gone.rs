//! What was truncated or deleted, and what a start did not find, never returns: not from the journal, not from a segment that
//! was cut or recycled. Source: Kafka's log truncation (KIP-101) and DeleteRecords (KIP-107).

use super::{Violation, holds};
use crate::found::Found;
use crate::told::Told;

/// What was found against what is gone.
///
/// # Errors
/// The first that returned.
pub(crate) fn check(told: &Told, found: &Found) -> Result<(), Violation> {
    for (offset, row) in &found.rows {
        let id = row.timestamp;
        holds!(!told.gone.contains(&id), "record {id} was gone, and is at {offset} again");
    }
    let (start, was) = (found.start, told.start);
    holds!(start >= was, "the log starts at {start}, everything before {was} was deleted");
    Ok(())
}
