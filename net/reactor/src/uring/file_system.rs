//! syncfs(2), which no operation of a ring does: each call waits on a thread of its own, which wakes the shard as any
//! foreign thread does. A shard makes such calls one at a time for each file system, and none while it is idle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::Shard;
use super::file::{open, uninterrupted};
use crate::{Space, oneshot, space};

/// The stack of a thread that does one system call.
const STACK_BYTES: usize = 128 << 10;

/// A descriptor for each directory whose file system was synced, kept because syncfs(2) tells a descriptor of the
/// write-back errors since it was opened or was told last. One for each log directory.
#[derive(Default)]
pub(super) struct FileSystems(RefCell<BTreeMap<PathBuf, Arc<OwnedFd>>>);

impl Shard {
    pub(crate) async fn sync_file_system(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        let directory = self.file_system(path).await?;
        let (sender, receiver) = oneshot();
        let call = move || {
            // SAFETY: syncfs(2) has no memory to violate, and the closure holds the descriptor.
            let sync = || unsafe { libc::syncfs(directory.as_raw_fd()) as isize };
            // The shard may have stopped waiting.
            let _ = sender.send(uninterrupted(sync).map(drop));
        };
        let thread = std::thread::Builder::new().name("syncfs".to_owned());
        thread.stack_size(STACK_BYTES).spawn(call)?;
        let lost = || io::Error::other("the thread of a syncfs ended without an answer");
        receiver.await.unwrap_or_else(|| Err(lost()))
    }

    pub(crate) async fn watch_file_system(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.file_system(path).await.map(drop)
    }

    /// Inline: the kernel answers from memory.
    pub(crate) fn space(&self, path: &Path) -> io::Result<Space> {
        space(path)
    }

    async fn file_system(self: &Rc<Self>, path: &Path) -> io::Result<Arc<OwnedFd>> {
        // The parent of a plain name is the current directory.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let known = self.file_systems.0.borrow().get(path).cloned();
        if let Some(directory) = known {
            return Ok(directory);
        }
        let directory = Arc::new(open(self, path, libc::O_RDONLY | libc::O_DIRECTORY).await?);
        let mut known = self.file_systems.0.borrow_mut();
        // Another task may have been faster.
        Ok(known.entry(path.to_path_buf()).or_insert(directory).clone())
    }
}
