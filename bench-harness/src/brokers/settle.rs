//! What a turn leaves to the disk is done before the next: pages that are still to be written, files that are still to be
//! removed. A broker that writes late would otherwise be measured without that work, and the other with it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// With which Ringlane and Kafka begin to remove the files of a deleted topic at once; the minute that both take by themselves
/// would end in the midst of a later turn. Not 0, of which Kafka's scheduler makes a loop.
pub(crate) const DELETE_SOON: &str = "log.segment.delete.delay.ms=100";
/// By then they have begun. What they began, the sync waits for.
const DELETED_WITHIN: Duration = Duration::from_secs(1);

/// Waits until the file system of `directory` has nothing to do any more.
///
/// # Errors
/// A sentence: sync(1) is missing, or the disk's error.
pub(crate) fn settle_disk(directory: &Path) -> Result<(), String> {
    std::thread::sleep(DELETED_WITHIN);
    let synced = Command::new("sync").arg("-f").arg(directory).stdin(Stdio::null()).output();
    let failed =
        |reason: &str| format!("the disk of {} cannot be synced: {reason}", directory.display());
    match synced {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(failed(&format!("sync (coreutils): {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        assert_eq!(settle_disk(&std::env::temp_dir()), Ok(()));
        let told = settle_disk(Path::new("/nowhere/at/all")).expect_err("no such directory");
        assert!(told.starts_with("the disk of /nowhere/at/all cannot be synced: "), "{told}");
    }
}
