//! Logs whose own files take nothing more while the device works: somebody made one immutable, or took the right to write away.
//! Such a log goes offline, and the others go on.
//!
//! No round asks it any more, so its record stays what it was, and what the journal has had of it since is needed. The rounds
//! trim nothing until that is in a kept file (`kept.rs`), as after a start that cannot open a log; the next start puts it back. The log takes no
//! entries once it is offline, so one copy has all: it is made when the last of them is durable, and what is trimmed then ends behind it. Where
//! that cannot be done the directory goes offline instead, with its journal as it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::LogManager;
use crate::error::StorageError;
use crate::journal::Mark;
use crate::kept::{self, KeptLog, Wanted};
use crate::log::Log;
use crate::shard_checkpoint::LogKey;

/// So often it is looked whether the journal has what it has taken.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The logs of a shard that cannot be written.
#[derive(Default)]
pub(super) struct Unwritable(RefCell<BTreeMap<LogKey, UnwritableLog>>);

struct UnwritableLog {
    log: Log,
    reason: String,
    /// What the journal has of it is in a kept file, or a start sees to that.
    is_kept: bool,
}

impl LogManager {
    /// The files of `log` took what a round wrote no more, for `reason`: no round asks it again.
    pub(super) fn is_unwritable(&self, log: &Log, reason: &str) {
        log.go_offline(&format!(
            "{reason}: its own files cannot be written; see who may write to them (owner, mode, lsattr), undo it, and start the broker again"
        ));
        // Before the journal is open, older ones have it, and the start keeps what these have of logs that are offline.
        let is_kept = self.0.journal.get().is_none();
        let unwritable = UnwritableLog { log: log.clone(), reason: reason.to_string(), is_kept };
        self.0.unwritable.0.borrow_mut().insert(log.key(), unwritable);
        if !is_kept {
            self.want_round();
        }
    }

    /// The logs that went offline because their own files could not be written, and why.
    pub fn unwritable_logs(&self) -> Vec<(LogKey, String)> {
        let all = self.0.unwritable.0.borrow();
        all.iter().map(|(key, one)| (*key, one.reason.clone())).collect()
    }

    /// Whether no round asks the log any more.
    pub(crate) fn passes_over(&self, log: &Log) -> bool {
        self.0.unwritable.0.borrow().contains_key(&log.key())
    }

    pub(super) fn forget_unwritable(&self, key: LogKey) {
        self.0.unwritable.0.borrow_mut().remove(&key);
    }

    /// Whether the journal must not be trimmed: it alone has something of a log that no round asks.
    pub(super) fn needs_whole_journal(&self) -> bool {
        self.0.unwritable.0.borrow().values().any(|one| !one.is_kept)
    }

    /// Ready when the journal's groups before the open one have all entries of the logs that are to be kept.
    ///
    /// # Errors
    /// When that cannot come: the journal has failed, or is full of what must not be trimmed.
    pub(super) async fn wait_for_entries_to_keep(&self) -> Result<(), StorageError> {
        let Some(journal) = self.0.journal.get() else { return Ok(()) };
        loop {
            let is_durable = |one: &UnwritableLog| one.is_kept || one.log.is_journaled();
            let all_are = self.0.unwritable.0.borrow().values().all(is_durable);
            if all_are || journal.is_resting() {
                return Ok(());
            }
            if let Some(reason) = journal.failed() {
                return Err(StorageError::Offline(reason));
            }
            if journal.waits_for_file() {
                let reason =
                    "the journal is full, and has the only copy of what a log could not take";
                return Err(StorageError::Offline(reason.into()));
            }
            self.0.reactor.sleep(POLL_INTERVAL).await;
        }
    }

    /// Copies what the journal has before `mark` of the logs that cannot be written to files that outlive it, durably.
    ///
    /// # Errors
    /// The disk's; `Corrupt` when an entry is not there. The journal must not be trimmed then.
    pub(super) async fn keep_unwritable(&self, mark: Mark) -> Result<(), StorageError> {
        let wanted = self.to_keep();
        if wanted.is_empty() {
            return Ok(());
        }
        let (id, from) = {
            let checkpoint = self.0.checkpoint.borrow();
            (checkpoint.journal_id, checkpoint.first_group)
        };
        let journal = (self.0.shard, id, from..mark.sequence());
        let kept = kept::keep_running(&self.0.disk, &self.0.directory, journal, &wanted).await?;
        kept.iter().for_each(tell);
        let mut all = self.0.unwritable.0.borrow_mut();
        for wanted in &wanted {
            if let Some(one) = all.get_mut(&wanted.key) {
                one.is_kept = true;
            }
        }
        Ok(())
    }

    fn to_keep(&self) -> Vec<Wanted> {
        let (checkpoint, all) = (self.0.checkpoint.borrow(), self.0.unwritable.0.borrow());
        let to_keep = all.iter().filter(|(_, one)| !one.is_kept);
        let wanted = to_keep.map(|(key, one)| {
            let covered = checkpoint.records.get(key).map_or(0, |record| record.log_sequence);
            let last = one.log.last_sequence();
            Wanted { key: *key, reason: one.reason.clone(), entries: covered + 1..last + 1 }
        });
        wanted.collect()
    }
}

fn tell(kept: &KeptLog) {
    let ((id, partition), file) = (kept.key, kept.path.display());
    tracing::error!(
        "what the journal held of partition {partition} of topic {id}, which is offline, is kept in {file}: see who may write to the log's files (owner, mode, lsattr), undo it, and start the broker again, which puts them back"
    );
}
