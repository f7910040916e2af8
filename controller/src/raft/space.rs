//! Writes of the controller on a device that is full: they wait until there is space, as openraft would take an error for
//! the end. Nothing else of the broker waits for them but what asks the controller.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Disk, Reactor};

const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// The disk, with the patience to wait for space. Clones share it.
#[derive(Clone)]
pub(super) struct Space {
    reactor: Reactor,
    /// Whoever starts or stops the controller is told that there is no space, and does not wait for it.
    is_patient: Rc<Cell<bool>>,
}

impl Space {
    pub(super) fn new(reactor: &Reactor) -> Self {
        Self { reactor: reactor.clone(), is_patient: Rc::default() }
    }

    pub(super) fn disk(&self) -> Disk {
        self.reactor.disk()
    }

    /// From now on writes wait for space, or not any more.
    pub(super) fn set_patient(&self, is_patient: bool) {
        self.is_patient.set(is_patient);
    }

    /// [`Disk::replace`], from its beginning again while there is no space.
    pub(super) async fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let disk = self.disk();
        self.retry(path, async || disk.replace(path, bytes).await).await
    }

    /// Repeats `attempt`, which leaves nothing behind when it fails, while the device has no space.
    pub(super) async fn retry(
        &self,
        path: &Path,
        attempt: impl AsyncFn() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut is_said = false;
        loop {
            match attempt().await {
                Err(error) if is_full(&error) && self.is_patient.get() => {
                    if !std::mem::replace(&mut is_said, true) {
                        let path = path.display();
                        tracing::error!("the controller waits for space to write {path}: {error}");
                    }
                }
                done => return done,
            }
            self.reactor.sleep(RETRY_INTERVAL).await;
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
