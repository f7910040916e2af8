//! How a log comes into being, is opened, closed and deleted. Its directory and topic id are durable before the first
//! append, its end is durable before it counts as closed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ringlane_batch::{
    DurableEndOffset, LogEndOffset, LogStartOffset, Offset, RecoveryPoint, TopicId,
};
use ringlane_reactor::{Notify, OpenOptions};

use super::state::Offsets;
use super::{Loaded, Log, Shared, State};
use crate::config::LogConfig;
use crate::error::StorageError;
use crate::group_sync::GroupSync;
use crate::leader_epochs::LeaderEpochs;
use crate::names::deleted_directory_name;
use crate::partition_metadata;
use crate::producer_state::ProducerState;
use crate::recovery::{self, RecoveryReport};
use crate::segment::{Files, Segment};
use crate::turnstile::Turnstile;

impl Log {
    /// Creates the log of a partition in `dir`, whose parent exists. The directory and the topic id in it are durable
    /// when this returns. What an interrupted creation left there is used.
    ///
    /// # Errors
    /// `Exists` when there is a log, else the disk's.
    pub async fn create(
        sync: &GroupSync,
        dir: &Path,
        topic_id: TopicId,
        config: LogConfig,
    ) -> Result<Self, StorageError> {
        let reactor = sync.reactor();
        let disk = reactor.disk();
        disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
        if partition_metadata::read(&disk, dir).await?.is_some() {
            return Err(StorageError::Exists(dir.to_path_buf()));
        }
        let base = Offset::ZERO;
        let opened = Files::open(&disk, dir, base, OpenOptions::CREATE_EMPTY).await;
        let files = opened.map_err(StorageError::io("create a segment in", dir))?;
        let parent = dir.parent().unwrap_or(Path::new("."));
        disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
        // Last, and with it the other names in the directory become durable.
        partition_metadata::write(&disk, dir, topic_id).await?;
        let loaded = Loaded {
            segments: vec![Segment::new(base, files, reactor.wall_clock_ms())],
            offsets: Offsets {
                start: LogStartOffset::at(base),
                recovery_point: RecoveryPoint::at(base),
                durable: DurableEndOffset::at(base),
                end: LogEndOffset::at(base),
            },
            producers: ProducerState::default(),
            epochs: LeaderEpochs::default(),
            snapshots: BTreeSet::new(),
            snapshots_waiting: Vec::new(),
        };
        let mut state = State::new(dir.to_path_buf(), topic_id, config, loaded);
        state.names_synced = state.names_changed;
        state.epochs_changed = false;
        Ok(Self::of(sync, state))
    }

    /// Opens the log in `dir`, recovering what an unclean stop left: batches behind the recovery point are checked one by
    /// one, the log is cut before the first bad one, and the indexes are built anew from there. A closed log has nothing
    /// behind that point. `expected_end` is where the log ended at the last clean stop, if there was one: a log that
    /// ends earlier is opened all the same, and reported as an error.
    ///
    /// The durable end follows by a sync; wait for it before trusting it to be the log's end.
    ///
    /// # Errors
    /// The disk's; `Corrupt` where a file that is only ever replaced whole is damaged or missing.
    pub async fn open(
        sync: &GroupSync,
        dir: &Path,
        config: LogConfig,
        expected_end: Option<Offset>,
    ) -> Result<(Self, RecoveryReport), StorageError> {
        let reactor = sync.reactor();
        let disk = reactor.disk();
        let Some(topic_id) = partition_metadata::read(&disk, dir).await? else {
            let path = partition_metadata::path(dir);
            return Err(StorageError::corrupt(&path, "is missing: its log was never created"));
        };
        let now_ms = reactor.wall_clock_ms();
        let (loaded, mut report) = recovery::load(&disk, dir, &config, now_ms).await?;
        report.missing_since_clean_stop =
            expected_end.map_or(0, |end| end.distance_from(report.log_end.offset()).max(0));
        report.log_if_notable(dir);
        let log = Self::of(sync, State::new(dir.to_path_buf(), topic_id, config, loaded));
        log.register_if_wanted();
        Ok((log, report))
    }

    fn of(sync: &GroupSync, state: State) -> Self {
        let reactor = sync.reactor();
        let mut state = state;
        state.active_mut().roll_lot = reactor.random_u64();
        Self(Rc::new(Shared {
            opened_ms: reactor.wall_clock_ms(),
            reactor: reactor.clone(),
            disk: reactor.disk(),
            sync: sync.clone(),
            durable_changed: Notify::new(),
            file_turn: Turnstile::default(),
            append_turn: Turnstile::default(),
            state: state.into(),
        }))
    }

    /// Makes everything durable, moves the recovery point to the log's end and closes the files. Gives back the end, for
    /// the marker of a clean stop.
    ///
    /// # Errors
    /// The disk's, or `Offline`: the next start recovers the log.
    pub async fn close(&self) -> Result<Offset, StorageError> {
        let _files = self.0.file_turn.enter().await;
        let _appends = self.0.append_turn.enter().await;
        let closed = self.checkpoint_in_turn().await;
        self.0.state.borrow_mut().close();
        self.0.durable_changed.notify_all();
        closed.map(|()| self.log_end().offset())
    }

    /// Removes the log. The directory is durably renamed first, so that a crash never leaves half a log under its name;
    /// a start finds and removes what is left of it.
    ///
    /// # Errors
    /// The disk's.
    pub async fn delete(self) -> Result<(), StorageError> {
        let _files = self.0.file_turn.enter().await;
        let _appends = self.0.append_turn.enter().await;
        self.0.state.borrow_mut().close();
        self.0.durable_changed.notify_all();
        let dir = self.directory();
        let deleted = self.deleted_path(&dir);
        let disk = &self.0.disk;
        disk.rename(&dir, &deleted).await.map_err(StorageError::io("rename", &dir))?;
        let parent = dir.parent().unwrap_or(Path::new("."));
        disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
        disk.remove_dir_all(&deleted).await.map_err(StorageError::io("remove", &deleted))
    }

    fn deleted_path(&self, dir: &Path) -> PathBuf {
        let random = || u128::from(self.0.reactor.random_u64());
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("deleted-0");
        dir.with_file_name(deleted_directory_name(name, random() << 64 | random()))
    }
}
