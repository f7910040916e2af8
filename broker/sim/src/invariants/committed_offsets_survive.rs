//! An offset that a group was told is committed is what it finds, or one that it sent later. Source: Kafka's documentation,
//! "Consumer Position" and "Message Delivery Semantics"; KIP-98 on `__consumer_offsets` as a log like any other.

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::{CommitFacts, CommitName, Ledger};

/// Whether an answer agrees with what was known when it was asked for, and what was sent by now.
///
/// # Errors
/// When it does not.
pub fn agrees(
    name: &CommitName,
    known: CommitFacts,
    sent: Option<i64>,
    found: Option<i64>,
) -> Result<(), Violation> {
    if found < known.acknowledged {
        return Err(violated!("{name:?}: {found:?} where {:?} was committed", known.acknowledged));
    }
    if found > sent {
        return Err(violated!("{name:?}: {found:?} where at most {sent:?} was ever sent"));
    }
    Ok(())
}

/// Every committed offset against what was found.
///
/// # Errors
/// The first that was lost or made up.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (name, facts) in &ledger.commits {
        agrees(name, *facts, found.sent(name), found.commits.get(name).copied().flatten())?;
    }
    Ok(())
}
