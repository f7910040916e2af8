//! The broker's side of the controller: the image that each shard has applied, and commands, which are answered only when
//! every shard of this broker acts on their outcome, so that a client that reads its answer finds it true.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringlane_controller::{ClusterImage, Command, Controller, Outcome};
use ringlane_reactor::{Instant, Notify};
use tracing::error;

use crate::partitions;
use crate::shard::{CONTROLLER_SHARD, Shard};

/// The image that a shard has applied: its partitions are what the image says.
#[derive(Default)]
pub(crate) struct Published {
    image: RefCell<Arc<ClusterImage>>,
    /// On the controller's shard: what every shard has applied.
    everywhere: Cell<u64>,
    applied_everywhere: Notify,
}

impl Published {
    /// The image as this shard has applied it.
    pub(crate) fn current(&self) -> Arc<ClusterImage> {
        self.image.borrow().clone()
    }

    fn set(&self, image: Arc<ClusterImage>) {
        assert!(image.version() >= self.image.borrow().version(), "images come in order");
        *self.image.borrow_mut() = image;
    }

    async fn wait_everywhere(&self, version: u64) {
        while self.everywhere.get() < version {
            self.applied_everywhere.notified().await;
        }
    }
}

/// As often it is looked whether there is space for logs that found none.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs on the controller's shard as long as it lives: gives every new image to every shard, and has those whose logs found no
/// space try again.
pub(crate) async fn publish(shard: Rc<Shard>) {
    let mut next_try: Option<Instant> = None;
    loop {
        let changed = shard.controller().changed();
        let image = shard.controller().image();
        let now = shard.reactor.now();
        let is_waiting = if image.version() > shard.image.everywhere.get() {
            publish_once(&shard, image).await
        } else if next_try.is_some_and(|at| at <= now) {
            next_try = None;
            create_again(&shard).await
        } else {
            match next_try {
                // The change is looked for either way.
                Some(at) => _ = shard.reactor.timeout(at - now, changed).await,
                None => changed.await,
            }
            continue;
        };
        next_try = is_waiting.then(|| next_try.unwrap_or(shard.reactor.now() + SPACE_INTERVAL));
    }
}

/// Answers whether logs wait for space still.
async fn create_again(shard: &Rc<Shard>) -> bool {
    let create = |shard: &Rc<Shard>| {
        let shard = shard.clone();
        async move {
            partitions::create_again(&shard).await;
            partitions::wait_for_space(&shard)
        }
    };
    shard.router.call_all(shard, create).await.contains(&true)
}

/// Answers whether logs wait for space now.
async fn publish_once(shard: &Rc<Shard>, image: Arc<ClusterImage>) -> bool {
    let version = image.version();
    let before = shard.image.current();
    let places = shard.log_dirs.borrow_mut().assign(shard.broker(), &before, &image);
    let apply = move |shard: &Rc<Shard>| {
        let (shard, image, places) = (shard.clone(), image.clone(), places.clone());
        async move {
            partitions::apply(&shard, &image, &places).await;
            shard.image.set(image);
            partitions::wait_for_space(&shard)
        }
    };
    let is_waiting = shard.router.call_all(shard, apply).await.contains(&true);
    shard.image.everywhere.set(version);
    shard.image.applied_everywhere.notify_all();
    is_waiting
}

/// Waits, on the controller's shard, until every shard has applied `version`.
pub(crate) async fn applied(shard: &Shard, version: u64) {
    shard.image.wait_everywhere(version).await;
}

/// The controller could not decide: it is stopping, or its disk failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ControllerUnavailable;

/// Whether a command is to be carried out, or only looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Propose it, and wait until every shard of this broker has applied what came of it.
    Carry,
    /// Say what would come of it now (`validate_only`).
    Validate,
}

/// Gives the controller the command that `build` makes on the controller's shard.
///
/// # Errors
/// When the controller cannot decide it.
pub(crate) async fn decide(
    shard: &Rc<Shard>,
    mode: Mode,
    build: impl FnOnce(&Controller) -> Command + Send + 'static,
) -> Result<Outcome, ControllerUnavailable> {
    let job = move |shard: &Rc<Shard>| {
        let shard = shard.clone();
        async move {
            let controller = shard.controller();
            let command = build(controller);
            if mode == Mode::Validate {
                return Ok(controller.validate(&command));
            }
            let outcome = controller.submit(command).await.map_err(|error| {
                error!("the controller cannot decide: {error}");
                ControllerUnavailable
            })?;
            shard.image.wait_everywhere(controller.image().version()).await;
            Ok(outcome)
        }
    };
    shard.router.call(shard, CONTROLLER_SHARD, job).await
}

/// Proposes `command` and waits until it is in force on this broker.
///
/// # Errors
/// As [`decide`].
pub(crate) async fn submit(
    shard: &Rc<Shard>,
    command: Command,
) -> Result<Outcome, ControllerUnavailable> {
    decide(shard, Mode::Carry, move |_| command).await
}
