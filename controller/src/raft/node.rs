//! The Raft node of this broker: a single voter that elects itself at once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use openraft::{Config, EmptyNode, Raft, ServerState, SnapshotPolicy};
use ringlane_reactor::{Disk, Reactor};

use super::io_error;
use super::log::LogStore;
use super::network::NoPeers;
use super::space::Space;
use super::state_machine::{Published, StateMachine};
use super::types::TypeConfig;
use crate::command::Command;
use crate::controller::{ControllerError, Options};
use crate::outcome::Outcome;

/// openraft at work.
pub(crate) struct Node {
    raft: Raft<TypeConfig, StateMachine>,
    space: Space,
}

impl Node {
    /// Opens the files in `dir` and leads. Returns when everything that the log holds is applied.
    pub(crate) async fn start(
        reactor: &Reactor,
        dir: &Path,
        options: &Options,
        published: Published,
    ) -> Result<Self, ControllerError> {
        let disk = reactor.disk();
        create_dir_durably(&disk, dir).await.map_err(io_error(dir))?;
        let space = Space::new(reactor);
        let log = LogStore::open(&space, dir).await?;
        let state_machine = StateMachine::open(&space, dir, published).await?;
        if log.lost_its_entries() {
            let message = "it is empty, but a vote was cast".to_owned();
            return Err(ControllerError::Corrupt { path: dir.join("log"), message });
        }
        let id = u64::try_from(options.broker.0).map_err(|_| {
            ControllerError::Stopped(format!("broker {} is negative", options.broker.0))
        })?;
        check_voters(dir, &log.newest_voters().unwrap_or_else(|| state_machine.voters()), id)?;
        let config = Arc::new(config(options));
        let raft = Raft::new(id, config, NoPeers, log, state_machine).await.map_err(stopped)?;
        let node = Self { raft, space };
        node.lead(id).await?;
        node.space.set_patient(true);
        Ok(node)
    }

    /// Elects itself, without waiting for an election timeout: nobody else can.
    async fn lead(&self, id: u64) -> Result<(), ControllerError> {
        if self.raft.is_initialized().await.map_err(stopped)? {
            let state = self.raft.server_metrics();
            let leads = openraft::rt::WatchReceiver::borrow_watched(&state).state.is_leader();
            if !leads {
                self.raft.trigger().elect(false).await.map_err(stopped)?;
            }
        } else {
            let voters = BTreeMap::from([(id, EmptyNode::new())]);
            self.raft.initialize(voters).await.map_err(stopped)?;
        }
        let waiting = self.raft.wait(None);
        let ready = waiting.metrics(
            |metrics| {
                let applied = metrics.last_applied.as_ref().map(|applied| applied.index);
                let leads = metrics.state == ServerState::Leader;
                metrics.running_state.is_err() || (leads && applied == metrics.last_log_index)
            },
            "a single voter leads and has applied its log",
        );
        let metrics = ready.await.map_err(stopped)?;
        metrics.running_state.map_err(stopped)
    }

    /// Replicates `command` and applies it.
    pub(crate) async fn submit(&self, command: Command) -> Result<Outcome, ControllerError> {
        let response = self.raft.client_write(command).await.map_err(stopped)?;
        Ok(response.data)
    }

    /// Ends openraft's tasks.
    pub(crate) async fn stop(&self) {
        self.space.set_patient(false);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "the controller did not stop cleanly");
        }
    }
}

/// Makes `dir` and what is missing above it, so that its name survives a power cut. The parent is synced also when
/// nothing is missing: the process that made `dir` may have died before.
async fn create_dir_durably(disk: &Disk, dir: &Path) -> io::Result<()> {
    let mut made = vec![dir];
    for parent in dir.ancestors().skip(1).take_while(|parent| !parent.as_os_str().is_empty()) {
        match disk.metadata(parent).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => made.push(parent),
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    disk.create_dir_all(dir).await?;
    for dir in made {
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk.sync_dir(parent.unwrap_or(Path::new("."))).await?;
    }
    Ok(())
}

/// A directory belongs to one broker; as long as there is a single voter, its number says to which.
fn check_voters(dir: &Path, voters: &[u64], id: u64) -> Result<(), ControllerError> {
    match voters {
        [] => Ok(()),
        voters if voters.contains(&id) => Ok(()),
        [found, ..] => Err(ControllerError::WrongBroker {
            path: dir.to_owned(),
            found: *found as i32,
            expected: id as i32,
        }),
    }
}

/// No ticks: without a peer there is nobody to send heartbeats to or to miss them from, and an idle broker costs no CPU.
fn config(options: &Options) -> Config {
    Config {
        cluster_name: "ringlane".to_owned(),
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_every.max(1)),
        max_in_snapshot_log_to_keep: 0,
        ..Config::default()
    }
}

fn stopped(error: impl std::fmt::Display) -> ControllerError {
    ControllerError::Stopped(error.to_string())
}
