//! What must hold of a log after any crash, one invariant a file. Each compares what the world was told with what a start
//! found, and says where it comes from.

mod acknowledged_is_present;
mod indexes_agree;
mod offsets_dense_and_unique;
mod producer_sequences_survive;
#[cfg(test)]
mod tests;
mod truncated_stays_gone;
mod visible_stays_visible;

use std::fmt;

use crate::found::Found;
use crate::told::Told;

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Violation {
    /// Which one: the name of its file.
    pub(crate) invariant: &'static str,
    /// What contradicts it.
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

/// Ends the check with the violation of the invariant in this file unless the condition holds.
macro_rules! holds {
    ($condition:expr, $($detail:tt)*) => {
        if !$condition {
            return Err($crate::invariants::Violation {
                invariant: module_path!().rsplit("::").next().unwrap_or_default(),
                detail: format!($($detail)*),
            });
        }
    };
}
use holds;

/// Every invariant.
///
/// # Errors
/// The first that does not hold.
pub(crate) fn check(told: &Told, found: &Found) -> Result<(), Violation> {
    acknowledged_is_present::check(told, found)?;
    offsets_dense_and_unique::check(told, found)?;
    truncated_stays_gone::check(told, found)?;
    visible_stays_visible::check(told, found)?;
    indexes_agree::check(told, found)?;
    producer_sequences_survive::check(told, found)
}

/// The first record of `from..to` that is not there as it was appended, if it has to be: compaction takes those before
/// `cleanable_end` that have a newer value.
fn first_missing(told: &Told, found: &Found, from: i64, to: i64) -> Option<i64> {
    (from.max(found.start)..to).find(|offset| {
        let row = &told.rows[*offset as usize];
        match found.rows.get(offset) {
            Some(found) => found != row,
            None => *offset >= told.cleanable_end,
        }
    })
}
