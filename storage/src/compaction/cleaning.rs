//! What a log knows of its cleaning: how far it has come, kept in `cleaner-offset-checkpoint` in the log's directory. The
//! file goes where the log goes and dies with it (Kafka has one for all logs), and it never says more than was cleaned: a
//! tombstone may go once what is before it is clean, so a claim that outlived a truncation would bring old records back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringlane_batch::Offset;
use ringlane_reactor::Disk;

use crate::checkpoint;
use crate::error::StorageError;

/// In memory. A few bytes, as every log has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleaning {
    /// Counts replacements of segments: what was read by name across one may be of both sides.
    pub(crate) replacements: u64,
    /// The base of a segment whose files change their names: they stay open until they have them.
    pub(crate) renaming: Option<Offset>,
    /// Everything before it was cleaned. `None` until the file was read.
    cleaned_to: Option<Offset>,
    /// The lowest end the log had since it was opened: no claim reaches beyond.
    end_min: Offset,
    /// Its cleaning failed (KIP-346); it is left alone until the next start.
    pub(crate) is_uncleanable: bool,
}

impl Default for Cleaning {
    fn default() -> Self {
        let end_min = Offset(i64::MAX);
        Self { replacements: 0, renaming: None, cleaned_to: None, end_min, is_uncleanable: false }
    }
}

impl Cleaning {
    /// The log was loaded, or truncated, and ends at `end`.
    pub(crate) fn log_ends(&mut self, end: Offset) {
        self.end_min = self.end_min.min(end);
        self.cleaned_to = self.cleaned_to.map(|cleaned| cleaned.min(end));
    }

    /// Everything before `offset` was cleaned.
    pub(crate) fn advance(&mut self, offset: Offset) {
        self.cleaned_to = self.cleaned_to.max(Some(offset));
    }

    /// What the file says, read at the first question.
    pub(crate) fn take_over(&mut self, file: Option<Offset>) {
        let claim = file.unwrap_or(Offset::ZERO).min(self.end_min);
        self.cleaned_to = Some(self.cleaned_to.unwrap_or(claim));
    }

    pub(crate) fn cleaned_to(&self) -> Option<Offset> {
        self.cleaned_to
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("cleaner-offset-checkpoint")
}

/// How far the log in `dir` was cleaned, as its file says; `None` without one. A damaged file costs a cleaning, no more.
pub(crate) async fn read_checkpoint(disk: &Disk, dir: &Path) -> Option<Offset> {
    let path = path(dir);
    match checkpoint::read_offsets(disk, &path).await {
        Ok(offsets) => offsets.into_values().next().filter(|offset| *offset >= Offset::ZERO),
        Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            None
        }
        Err(error) => {
            let log = dir.display();
            tracing::warn!(%log, %error, "cleaning begins anew: its checkpoint cannot be read");
            None
        }
    }
}

/// Says durably that the log in `dir` is clean before `offset`.
pub(crate) async fn write_checkpoint(
    disk: &Disk,
    dir: &Path,
    offset: Offset,
) -> Result<(), StorageError> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("log-0").to_string();
    checkpoint::write_offsets(disk, &path(dir), &BTreeMap::from([(name, offset)])).await
}

/// Before the log in `dir` is truncated to `end`: nothing behind that counts as clean, whatever comes there.
pub(crate) async fn lower_checkpoint(
    disk: &Disk,
    dir: &Path,
    end: Offset,
) -> Result<(), StorageError> {
    match read_checkpoint(disk, dir).await {
        Some(cleaned) if cleaned > end => write_checkpoint(disk, dir, end).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_claim_outlives_a_truncation() {
        let mut cleaning = Cleaning::default();
        cleaning.log_ends(Offset(100));
        cleaning.take_over(Some(Offset(400)));
        assert_eq!(cleaning.cleaned_to(), Some(Offset(100)), "the log had lost what was clean");
        cleaning.advance(Offset(300));
        cleaning.log_ends(Offset(250));
        assert_eq!(cleaning.cleaned_to(), Some(Offset(250)));
        cleaning.take_over(Some(Offset(1000)));
        assert_eq!(cleaning.cleaned_to(), Some(Offset(250)), "the file is read once");
    }
}
