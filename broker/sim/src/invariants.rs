//! What must hold whatever the seed, one invariant a file. Each compares the facts that clients were told with what an audit
//! finds afterwards, and says where it comes from.

pub mod acknowledged_is_present;
pub mod bounded;
pub mod committed_offsets_survive;
pub mod image_survives;
pub mod nothing_is_made_up;
pub mod offsets_dense_and_unique;
pub mod producer_sequences_survive;
#[cfg(test)]
mod tests;
pub mod visible_stays_visible;

use std::fmt;

use crate::audit::Found;
use crate::oracle::Ledger;

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which one: the name of its file.
    pub invariant: &'static str,
    /// What contradicts it.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

/// The violation of the invariant in the file that says so.
macro_rules! violated {
    ($($detail:tt)*) => {
        $crate::invariants::Violation {
            invariant: module_path!().rsplit("::").next().unwrap_or_default(),
            detail: format!($($detail)*),
        }
    };
}
use violated;

/// Every invariant that an audit can check.
///
/// # Errors
/// The first that does not hold.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    image_survives::check(ledger, found)?;
    offsets_dense_and_unique::check(ledger, found)?;
    acknowledged_is_present::check(ledger, found)?;
    visible_stays_visible::check(ledger, found)?;
    nothing_is_made_up::check(ledger, found)?;
    producer_sequences_survive::check(ledger, found)?;
    committed_offsets_survive::check(ledger, found)
}
