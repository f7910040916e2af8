//! Broker processes on this host. The one place of the load generator beside the reactor that touches the operating system:
//! other brokers are started, pinned and looked at while no shard of ours runs.
#![expect(clippy::disallowed_methods, reason = "processes are no business of a reactor")]

mod listening;

use std::io::{self, Read};
use std::path::Path;

pub(crate) use listening::listening_pid;

/// The content of a file of at most `bytes_max`.
///
/// # Errors
/// As open(2) and read(2); `FileTooLarge` above the bound.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
