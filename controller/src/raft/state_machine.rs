//! The state machine: applies committed entries to the image and publishes the result.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine, Snapshot};
use openraft::type_config::alias::SnapshotOf;
use openraft::{EntryPayload, OptionalSend};
use ringlane_reactor::Notify;

use super::snapshot::{self, Builder};
use super::space::Space;
use super::types::{Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::controller::ControllerError;
use crate::image::ClusterImage;
use crate::outcome::Outcome;

/// The newest image, for whoever reads it on this shard.
#[derive(Clone, Default)]
pub(crate) struct Published(Rc<Publication>);

#[derive(Default)]
struct Publication {
    image: RefCell<Arc<ClusterImage>>,
    bell: Notify,
}

impl Published {
    /// The newest image.
    pub(crate) fn image(&self) -> Arc<ClusterImage> {
        self.0.image.borrow().clone()
    }

    /// Rings at every new image.
    pub(crate) fn bell(&self) -> &Notify {
        &self.0.bell
    }

    fn publish(&self, image: ClusterImage) {
        let before = self.0.image.replace(Arc::new(image));
        assert!(before.version() <= self.image().version(), "images only move forward");
        self.0.bell.notify_all();
    }
}

/// The image with the Raft position it reflects.
pub(super) struct StateMachine {
    space: Space,
    snapshot_path: PathBuf,
    last_applied: Option<LogId>,
    membership: StoredMembership,
    /// The position of the snapshot on disk.
    on_disk: Option<LogId>,
    published: Published,
}

impl StateMachine {
    /// Opens the state machine at the snapshot in `dir`; openraft applies the committed entries after it.
    pub(super) async fn open(
        space: &Space,
        dir: &Path,
        published: Published,
    ) -> Result<Self, ControllerError> {
        let snapshot_path = dir.join("snapshot");
        let loaded = snapshot::load(&space.disk(), &snapshot_path).await?;
        let (meta, image) = loaded.map(|(meta, image, _)| (meta, image)).unwrap_or_default();
        published.publish(image);
        Ok(Self {
            space: space.clone(),
            snapshot_path,
            last_applied: meta.last_log_id,
            on_disk: meta.last_log_id,
            membership: meta.last_membership,
            published,
        })
    }

    /// The voters at the newest membership that is known to be committed.
    pub(super) fn voters(&self) -> Vec<u64> {
        self.membership.voter_ids().collect()
    }

    /// Applies one entry to `image`.
    fn apply_entry(&mut self, image: ClusterImage, entry: Entry) -> (ClusterImage, Outcome) {
        let log_id = entry.log_id;
        assert!(self.last_applied < Some(log_id), "entries are applied once, in order");
        self.last_applied = Some(log_id);
        match entry.payload {
            EntryPayload::Normal(command) => crate::apply(image, log_id.index, &command),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(log_id), membership);
                (image, Outcome::Done)
            }
            EntryPayload::Blank => (image, Outcome::Done),
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    /// One image for all the entries of a call, published before any of them is answered.
    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut image = ClusterImage::clone(&self.published.image());
        let before = image.version();
        let mut answers = Vec::new();
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let outcome;
            (image, outcome) = self.apply_entry(image, entry);
            answers.extend(responder.map(|responder| (responder, outcome)));
        }
        if image.version() > before {
            self.published.publish(image);
        }
        for (responder, outcome) in answers {
            responder.send(outcome);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.on_disk = self.last_applied;
        Builder {
            space: self.space.clone(),
            path: self.snapshot_path.clone(),
            meta: SnapshotMeta {
                last_log_id: self.last_applied,
                last_membership: self.membership.clone(),
            },
            image: self.published.image(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        bytes: Vec<u8>,
    ) -> Result<(), io::Error> {
        let (_, image) = snapshot::decode(&bytes)
            .map_err(|error| io::Error::other(format!("the snapshot is invalid: {error:?}")))?;
        if self.on_disk < meta.last_log_id {
            self.space.replace(&self.snapshot_path, &bytes).await?;
            self.on_disk = meta.last_log_id;
        }
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.published.publish(image);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<TypeConfig, Vec<u8>>>, io::Error> {
        let loaded = snapshot::load(&self.space.disk(), &self.snapshot_path).await;
        let loaded = loaded.map_err(io::Error::other)?;
        Ok(loaded.map(|(meta, _, snapshot)| Snapshot { meta, snapshot }))
    }
}
