//! openraft on the reactor: its runtime, its log and snapshots on our disk, the state machine that holds the image.
//!
//! `<dir>/log` is the Raft log, `<dir>/vote` the vote, `<dir>/snapshot` the image at some index; `frame.rs` draws them.

mod frame;
mod log;
mod log_file;
mod network;
mod node;
mod on_disk;
mod records;
mod runtime;
mod snapshot;
mod space;
mod state_machine;
mod types;

use std::io;
use std::path::Path;

pub(crate) use node::Node;
pub use on_disk::image_on_disk;
pub(crate) use state_machine::Published;

use crate::controller::ControllerError;
use frame::FrameError;

/// The disk's refusal, with the file it was about.
fn io_error(path: &Path) -> impl Fn(io::Error) -> ControllerError {
    move |error| ControllerError::Io { path: path.to_owned(), message: error.to_string() }
}

/// What a bad frame means for somebody who starts the controller.
fn frame_error(path: &Path, error: FrameError) -> ControllerError {
    let path = path.to_owned();
    match error {
        FrameError::Broken => {
            ControllerError::Corrupt { path, message: "its checksum does not fit".to_owned() }
        }
        FrameError::Foreign(message) => ControllerError::Corrupt { path, message },
        FrameError::Newer(version) => ControllerError::NewerVersion { path, version },
    }
}
