//! Writes zeros into new files, in the background and one file ahead of the groups: a write into space that was reserved only has
//! the file system note, at each sync, that it holds data now.

use std::io;

use ringlane_reactor::{DirectBuffer, Queue};

use super::format::BLOCK_BYTES;
use super::{Journal, State};

/// The bytes of one write.
const PIECE_BYTES: usize = 256 * 1024;

impl Journal {
    /// Fills the file that groups are written to, and the next one, with zeros where they were never written, if nobody is at that
    /// already. To be called when groups begin a file.
    pub(super) fn fill_with_zeros(&self) {
        let is_wanted = |state: &State| !state.filling && state.wants_zeros().is_some();
        if !is_wanted(&self.0.state.borrow()) {
            return;
        }
        self.0.state.borrow_mut().filling = true;
        let this = self.clone();
        let run = async move {
            let mut buffer = this.0.reactor.direct_buffer(PIECE_BYTES);
            loop {
                let Some(index) = this.0.state.borrow().wants_zeros() else { break };
                let written;
                (written, buffer) = this.fill_piece(index, buffer).await;
                if let Err(error) = written {
                    this.0.state.borrow_mut().files.give_up_zeros(index);
                    // No harm yet: the first group that goes there finds out whether the disk is bad.
                    tracing::warn!("cannot fill a new file of the journal with zeros: {error}");
                }
                this.0.changed.notify_all();
            }
            this.0.state.borrow_mut().filling = false;
        };
        self.0.reactor.spawn(Queue::Background, run).detach();
    }

    async fn fill_piece(
        &self,
        index: usize,
        buffer: DirectBuffer,
    ) -> (io::Result<()>, DirectBuffer) {
        let (file, zeros) = self.0.state.borrow_mut().files.begin_zeros(index, PIECE_BYTES as u64);
        let bytes = usize::try_from(zeros.end - zeros.start).expect("a piece is short");
        assert!(bytes.is_multiple_of(BLOCK_BYTES), "a file has whole blocks");
        let (mut written, buffer) = file.write(buffer, bytes, zeros.start).await;
        if written.is_ok() && zeros.end == self.0.state.borrow().files.file_bytes() {
            written = file.sync_data().await;
        }
        if written.is_ok() {
            self.0.state.borrow_mut().files.end_zeros(index);
        }
        (written, buffer)
    }
}

impl State {
    /// As [`Files::wants_zeros`](super::files::Files::wants_zeros), and nothing any more once the journal has ended.
    fn wants_zeros(&self) -> Option<usize> {
        self.check_open().ok().and_then(|()| self.files.wants_zeros())
    }
}
