//! What it means that segments of a log are not there: all had expired, or they were lost. A start asks here, and who only says
//! what it would do (`inspect/recovery.rs`).

use std::collections::BTreeSet;

use ringlane_batch::Offset;

use crate::recovered::{Basis, FoundLog};

/// Takes the segments out of `logs`, those that are there, when nothing of the log is needed: it opens empty at its start.
///
/// # Errors
/// Why the log must not be opened without those that are missing.
pub(crate) fn take_deleted(
    logs: &mut BTreeSet<Offset>,
    found: &FoundLog,
) -> Result<BTreeSet<Offset>, &'static str> {
    if is_all_deleted(logs, found) {
        return Ok(std::mem::take(logs));
    }
    match logs.is_empty() && matches!(found.basis, Basis::Record(_)) {
        true => Err("the segments of the log are missing"),
        false => Ok(BTreeSet::new()),
    }
}

/// Whether the log's start lies behind all that its record knows, and no segment is there that could hold what follows.
/// Retention made one when all had expired and gave the old ones other names, and the power went before any of these
/// names was durable: whichever are there, nothing is lost.
fn is_all_deleted(logs: &BTreeSet<Offset>, found: &FoundLog) -> bool {
    let Basis::Record(record) = &found.basis else { return false };
    found.log_start >= record.recovery_point.offset()
        && found.log_start > record.segment_base
        && !logs.contains(&record.segment_base)
        && logs.range(found.log_start..).next().is_none()
}

/// Where the log started by what was recorded, when the first of its segments begins at `first`, behind that: records are lost that
/// nothing in this directory deleted. A log of which nothing was recorded may come from elsewhere.
pub(crate) fn start_lost(first: Offset, found: &FoundLog) -> Option<Offset> {
    let is_recorded = !matches!(found.basis, Basis::Nothing);
    (is_recorded && first > found.log_start).then_some(found.log_start)
}
