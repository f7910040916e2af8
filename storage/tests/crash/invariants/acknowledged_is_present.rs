//! What was acknowledged is there, byte for byte, after every crash; what an append to a log returned for that is not durable is
//! there after a killed process, whose page cache stays. A compacted log has the last value of every key. Source: Kafka's documentation,
//! "Message Delivery Semantics" (a committed message is not lost), made stronger by `ringlane.durable`.

use std::collections::BTreeMap;

use super::{Violation, first_missing, holds};
use crate::found::Found;
use crate::told::{Row, Told};

fn state<'a>(rows: impl Iterator<Item = &'a Row>) -> BTreeMap<&'a [u8], &'a [u8]> {
    let mut state = BTreeMap::new();
    for row in rows {
        match &row.value {
            Some(value) => _ = state.insert(&*row.key, &**value),
            None => _ = state.remove(&*row.key),
        }
    }
    state
}

/// Every acknowledged record against what was found.
///
/// # Errors
/// The first that is missing.
pub(crate) fn check(told: &Told, found: &Found) -> Result<(), Violation> {
    let (end, acknowledged, kept) = (found.end, told.acknowledged_end, told.kept_end);
    holds!(end >= acknowledged, "the log ends at {end}, {acknowledged} was acknowledged");
    holds!(
        told.power_cut || end >= kept,
        "the log ends at {end}, {kept} was kept, and the page cache stayed"
    );
    holds!(end <= told.end(), "the log ends at {end}, {} were appended", told.end());
    let missing = first_missing(told, found, 0, end);
    holds!(missing.is_none(), "the record at {missing:?} is not what was appended");
    if told.cleanable_end > 0 {
        let appended = &told.rows[..end as usize];
        let (is, was) = (state(found.rows.values()), state(appended.iter()));
        holds!(is == was, "whoever reads all has {is:?}, and had {was:?}");
    }
    holds!(
        found.durable_end == end,
        "a start that ended well has made {} of {end} durable",
        found.durable_end
    );
    Ok(())
}
