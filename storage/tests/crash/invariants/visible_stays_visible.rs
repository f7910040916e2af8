//! What a consumer saw does not disappear, unless somebody had it deleted or truncated. Source: Kafka's high watermark
//! ("consumers only see committed messages", KIP-101's motivation is a case where it did not hold).

use super::{Violation, first_missing, holds};
use crate::found::Found;
use crate::told::Told;

/// What consumers read against what was found.
///
/// # Errors
/// The first record that disappeared.
pub(crate) fn check(told: &Told, found: &Found) -> Result<(), Violation> {
    let cached = if told.power_cut { 0 } else { told.seen_cached_end };
    let seen = told.seen_end.max(cached);
    let (start, end) = (found.start, found.end);
    holds!(end >= seen, "a consumer read up to {seen}, the log ends at {end}");
    holds!(
        start <= told.may_start,
        "the log starts at {start}, nobody asked for more than {}",
        told.may_start
    );
    let missing = first_missing(told, found, 0, seen);
    holds!(missing.is_none(), "a consumer read the record at {missing:?}, which is not there");
    Ok(())
}
