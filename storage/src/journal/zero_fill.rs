//! Writes zeros into new files, in the background: a write into space that was reserved only has the file system note, at
//! each sync, that it holds data now.

use std::io;
use std::ops::Range;

use ringlane_reactor::{DirectFile, Queue};

use super::Journal;
use super::format::BLOCK_BYTES;

/// The bytes of one write.
const PIECE_BYTES: usize = 256 * 1024;

impl Journal {
    /// Fills what was never written of the files, one after the other, ahead of the groups where they are being written
    /// already. Ends with the last, or at close.
    pub(super) fn fill_with_zeros(&self) {
        let this = self.clone();
        let run = async move {
            let count = this.0.state.borrow().files.count();
            for index in 0..count {
                if let Err(error) = this.fill_file(index).await {
                    this.0.state.borrow_mut().files.give_up_zeros(index);
                    this.0.changed.notify_all();
                    // No harm yet: the first group that goes there finds out whether the disk is bad.
                    tracing::warn!("cannot fill a new file of the journal with zeros: {error}");
                }
            }
        };
        self.0.reactor.spawn(Queue::Background, run).detach();
    }

    async fn fill_file(&self, index: usize) -> io::Result<()> {
        let mut buffer = self.0.reactor.direct_buffer(PIECE_BYTES);
        while let Some((file, zeros)) = self.begin_zeros(index) {
            let bytes = usize::try_from(zeros.end - zeros.start).expect("a piece is short");
            assert!(bytes.is_multiple_of(BLOCK_BYTES), "a file has whole blocks");
            let written;
            (written, buffer) = file.write(buffer, bytes, zeros.start).await;
            written?;
            if zeros.end == self.0.state.borrow().files.file_bytes() {
                file.sync_data().await?;
            }
            self.0.state.borrow_mut().files.end_zeros(index);
            self.0.changed.notify_all();
        }
        Ok(())
    }

    fn begin_zeros(&self, index: usize) -> Option<(DirectFile, Range<u64>)> {
        let mut state = self.0.state.borrow_mut();
        state.check_open().ok()?;
        state.files.begin_zeros(index, PIECE_BYTES as u64)
    }
}
