//! Everything that clients began comes to its end in bounded time once faults stop: nobody waits for ever. Source: the
//! `delivery.timeout.ms` and `default.api.timeout.ms` of Kafka's clients, which a healthy broker never lets run out.

use std::time::Duration;

use super::{Violation, violated};

/// The virtual time that the clients may take, from the last fault on, for what is left.
pub const LIMIT: Duration = Duration::from_secs(600);

/// Whether everyone ended.
///
/// # Errors
/// With those who did not.
pub fn check(unfinished: &[String]) -> Result<(), Violation> {
    match unfinished {
        [] => Ok(()),
        some => Err(violated!("still at work {LIMIT:?} after the last fault: {}", some.join(", "))),
    }
}
