//! A producer's last batch, sent again, is recognised, and one that leaves out sequences is refused: a start knows of every
//! producer what the log holds of it. Source: KIP-98, "Idempotent Producer Guarantees".

use super::{Violation, holds};
use crate::found::Found;
use crate::told::Told;

/// What retries were answered against where the batches lie.
///
/// # Errors
/// The first producer that was forgotten, or taken for another.
pub(crate) fn check(told: &Told, found: &Found) -> Result<(), Violation> {
    // Whoever's records were all deleted may be forgotten.
    let last_batches = told.producers(found.end).into_iter();
    for (id, last) in last_batches.filter(|(_, last)| last.end > found.start) {
        let base = found.retries.get(&id).copied().flatten();
        holds!(
            base == Some(last.base),
            "the last batch of producer {id} is at {}; sent again it is said to be at {base:?}",
            last.base
        );
    }
    let gaps = &found.gaps_taken;
    holds!(gaps.is_empty(), "producers {gaps:?} could leave out sequences");
    Ok(())
}
