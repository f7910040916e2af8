//! Writes zeros into new files, in the background: a write into space that was reserved only has the file system note, at
//! each sync, that it holds data now.

use ringlane_reactor::Queue;

use super::Journal;
use super::format::BLOCK_BYTES;

/// The bytes of one write.
const PIECE_BYTES: usize = 256 * 1024;

impl Journal {
    /// Fills the blank files one after the other, and ends with the last, when a group needs the file, or at close.
    pub(super) fn fill_with_zeros(&self) {
        let this = self.clone();
        let run = async move {
            let count = this.0.state.borrow().files.count();
            for index in 0..count {
                this.fill_file(index).await;
            }
        };
        self.0.reactor.spawn(Queue::Background, run).detach();
    }

    async fn fill_file(&self, index: usize) {
        let mut zeros = self.0.reactor.direct_buffer(PIECE_BYTES);
        let mut at = 0;
        loop {
            let piece = {
                let mut state = self.0.state.borrow_mut();
                match state.check_open() {
                    Ok(()) => state.files.begin_zeros(index, at),
                    Err(_) => None,
                }
            };
            let Some((file, rest)) = piece else { return };
            let bytes = usize::try_from(rest).unwrap_or(usize::MAX).min(PIECE_BYTES);
            assert!(bytes.is_multiple_of(BLOCK_BYTES), "a file has whole blocks");
            let (mut outcome, buffer) = file.write(zeros, bytes, at).await;
            zeros = buffer;
            at += bytes as u64;
            let last = bytes as u64 == rest;
            if last && outcome.is_ok() {
                outcome = file.sync_data().await;
            }
            self.0.state.borrow_mut().files.end_zeros(index, last || outcome.is_err());
            self.0.changed.notify_all();
            if let Err(error) = outcome {
                // No harm yet: the first group that goes there finds out whether the disk is bad.
                tracing::warn!("cannot fill a new file of the journal with zeros: {error}");
                return;
            }
        }
    }
}
