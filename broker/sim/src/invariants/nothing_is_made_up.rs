//! A log holds what producers sent to it, no more often than they sent it. Source: validity in Jepsen's Kafka workload; an
//! at-least-once producer may see a record twice, but never one that nobody sent there.

use std::collections::BTreeMap;

use super::{Violation, violated};
use crate::audit::Found;
use crate::oracle::Ledger;

/// Every record that was found.
///
/// # Errors
/// The first that was not sent there, or not so often.
pub fn check(ledger: &Ledger, found: &Found) -> Result<(), Violation> {
    for (partition, log) in &found.logs {
        let mut times = BTreeMap::<_, u32>::new();
        for (offset, id) in &log.records {
            let sent = ledger.sent.get(id).filter(|sent| sent.partition == *partition);
            let sent = sent.ok_or_else(|| {
                violated!("{partition:?}: nobody sent {id:?}, which is at {offset}")
            })?;
            let times = times.entry(*id).or_default();
            *times += 1;
            if *times > sent.times {
                return Err(violated!(
                    "{partition:?}: {id:?} is there {times} times, sent {} times",
                    sent.times
                ));
            }
        }
    }
    Ok(())
}
