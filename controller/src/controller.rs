//! The handle of the controller, on shard 0: submit a command, read the image, hear of a new one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use ringlane_batch::TopicId;
pub use ringlane_reactor::Notified;
use ringlane_reactor::Reactor;

use crate::command::Command;
use crate::image::{BrokerId, ClusterImage};
use crate::outcome::Outcome;
use crate::raft::{Node, Published};

/// How to run a controller.
#[derive(Clone, Debug)]
pub struct Options {
    /// The broker it runs in; also its name as a Raft voter.
    pub broker: BrokerId,
    /// A snapshot is taken, and the log cut, after this many entries. At least 1.
    pub snapshot_every: u64,
    /// The name of the cluster, should this be its first start; `None` for a random one.
    pub cluster_id: Option<String>,
}

impl Options {
    /// The defaults for that broker.
    pub fn new(broker: BrokerId) -> Self {
        Self { broker, snapshot_every: 1024, cluster_id: None }
    }
}

/// Why the controller did not start or stopped. Each is one sentence that says what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControllerError {
    /// The disk's fault: a file of the controller could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The disk's fault: a file does not hold what was written.
    Corrupt {
        /// Which.
        path: PathBuf,
        /// Where and how.
        message: String,
    },
    /// The operator's fault: the directory was written by a later version of this program.
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its format version.
        version: u8,
    },
    /// The operator's fault: the directory belongs to another broker.
    WrongBroker {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: i32,
        /// Who asked.
        expected: i32,
    },
    /// It has stopped, or stopped itself after the error in the text.
    Stopped(String),
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, message } => write!(
                f,
                "cannot use {}: {message}; check the disk and the permissions of the directory",
                path.display()
            ),
            Self::Corrupt { path, message } => write!(
                f,
                "{} is corrupt ({message}); restore the directory from a copy, or move it away to start an empty cluster",
                path.display()
            ),
            Self::NewerVersion { path, version } => write!(
                f,
                "{} was written by a newer version of Ringlane (format {version}); start that version instead",
                path.display()
            ),
            Self::WrongBroker { path, found, expected } => write!(
                f,
                "{} belongs to broker {found}, not {expected}; set node.id={found} or use another directory",
                path.display()
            ),
            Self::Stopped(why) => write!(f, "the controller has stopped: {why}"),
        }
    }
}

impl std::error::Error for ControllerError {}

/// The controller of this broker. Cheap to clone; stays on the shard that started it.
#[derive(Clone)]
pub struct Controller(Rc<Inner>);

struct Inner {
    reactor: Reactor,
    node: Node,
    published: Published,
}

impl Controller {
    /// Starts the controller on what is in `dir` (made when missing) and waits until it leads: a single voter elects
    /// itself at once. At the first start it also names the cluster.
    ///
    /// # Errors
    /// When `dir` cannot be used: see [`ControllerError`].
    pub async fn start(
        reactor: &Reactor,
        dir: &Path,
        options: Options,
    ) -> Result<Self, ControllerError> {
        let published = Published::default();
        let node = Node::start(reactor, dir, &options, published.clone()).await?;
        let controller = Self(Rc::new(Inner { reactor: reactor.clone(), node, published }));
        if controller.image().cluster_id().is_empty() {
            let random = || controller.new_topic_id().to_string();
            let cluster_id = options.cluster_id.clone().unwrap_or_else(random);
            controller.submit(Command::SetClusterId { cluster_id }).await?;
            assert!(!controller.image().cluster_id().is_empty(), "the cluster has a name");
        }
        Ok(controller)
    }

    /// Makes `command` durable and applies it. The image shows it when the answer comes.
    ///
    /// # Errors
    /// When the controller has stopped, for instance because its disk failed. Whether the command was made durable is then
    /// unknown.
    pub async fn submit(&self, command: Command) -> Result<Outcome, ControllerError> {
        self.0.node.submit(command).await
    }

    /// What would become of `command` now; nothing is changed (`validate_only`).
    pub fn validate(&self, command: &Command) -> Outcome {
        let image = self.image();
        let version = image.version() + 1;
        crate::apply((*image).clone(), version, command).1
    }

    /// The newest image.
    pub fn image(&self) -> Arc<ClusterImage> {
        self.0.published.image()
    }

    /// Ready when there is a newer image than now: take it first, then look at [`Controller::image`].
    pub fn changed(&self) -> Notified {
        self.0.published.bell().notified()
    }

    /// A random id for a new topic.
    pub fn new_topic_id(&self) -> TopicId {
        let reactor = &self.0.reactor;
        loop {
            let halves = [reactor.random_u64().to_be_bytes(), reactor.random_u64().to_be_bytes()];
            let bytes = std::array::from_fn(|at| halves[at / 8][at % 8]);
            if let Some(id) = TopicId::from_random(bytes) {
                return id;
            }
        }
    }

    /// Stops the controller; what was answered is durable.
    pub async fn stop(self) {
        self.0.node.stop().await;
    }
}
