//! How a log is opened, closed and deleted. Its end is durable before it counts as closed.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use ringlane_batch::Offset;
use ringlane_reactor::Notify;

use super::{Log, Shared, State};
use crate::config::LogConfig;
use crate::error::StorageError;
use crate::manager::LogManager;
use crate::names::deleted_directory_name;
use crate::partition_metadata;
use crate::recovered::Basis;
use crate::recovery::{self, RecoveryReport};
use crate::shard_checkpoint::LogKey;
use crate::turnstile::Turnstile;

impl Log {
    /// Opens the log `key` in `dir`, recovering what an unclean stop left: what journals held of it is in its segments
    /// again; batches behind the recovery point are checked one by one, the log is cut before the first bad one, and the
    /// indexes are built anew from there. A closed log has nothing behind that point.
    ///
    /// The durable end follows with [`LogManager::settle`].
    ///
    /// # Errors
    /// The disk's; `Corrupt` where something is damaged or missing that was on disk: the log is then left as it is.
    pub async fn open(
        manager: &LogManager,
        dir: &Path,
        key: LogKey,
        config: impl Into<Rc<LogConfig>>,
    ) -> Result<(Self, RecoveryReport), StorageError> {
        let (reactor, disk, config) = (&manager.0.reactor, &manager.0.disk, config.into());
        manager.adopt(key);
        if let Some(reason) = manager.0.recovered.damage_of(key) {
            return Err(StorageError::corrupt(dir, reason));
        }
        let path = partition_metadata::path(dir);
        match partition_metadata::read(disk, dir).await? {
            Some(topic_id) if topic_id == key.0 => {}
            Some(other) => {
                let reason = format!("belongs to the topic with the id {other}, not to {}", key.0);
                return Err(StorageError::corrupt(&path, reason));
            }
            None => return Err(partition_metadata::missing(dir)),
        }
        let found = manager.0.recovered.log(key);
        let now_ms = reactor.wall_clock_ms();
        let (loaded, report) = recovery::load(disk, dir, &config, now_ms, &found).await?;
        report.log_if_notable(dir);
        let log = Self::of(manager, State::new(dir.to_path_buf(), key, config, loaded));
        if let Basis::Record(record) = &found.basis {
            let mut state = log.0.state.borrow_mut();
            state.recorded_segment = state.recorded_segment.max(record.segment_base);
        }
        if log.0.state.borrow().active().files.is_some() {
            manager.opened_files(&log);
        }
        let record = log.0.state.borrow().record();
        let as_recorded = matches!(&found.basis, Basis::Record(found) if **found == record);
        if !as_recorded || report.truncated_bytes > 0 {
            log.mark_dirty();
        }
        Ok((log, report))
    }

    pub(super) fn of(manager: &LogManager, state: State) -> Self {
        let mut state = state;
        state.active_mut().roll_lot = manager.0.reactor.random_u64();
        let log = Self(Rc::new(Shared {
            opened_ms: manager.0.reactor.wall_clock_ms(),
            reactor: manager.0.reactor.clone(),
            disk: manager.0.disk.clone(),
            manager: manager.clone(),
            durable_changed: Notify::new(),
            waiting: RefCell::default(),
            journal_seat: Cell::default(),
            file_turn: Turnstile::default(),
            append_turn: Turnstile::default(),
            shape_turn: Turnstile::default(),
            damage_turn: Turnstile::default(),
            tail: RefCell::default(),
            state: state.into(),
        }));
        manager.register(&log);
        if let Some(reason) = manager.is_offline() {
            log.0.go_offline_with_directory(&reason);
        }
        log
    }

    /// Makes everything durable, moves the recovery point to the log's end and closes the files. Gives back the end, for
    /// the marker of a clean stop.
    ///
    /// # Errors
    /// The disk's, or `Offline`: the next start recovers the log.
    pub async fn close(&self) -> Result<Offset, StorageError> {
        let _files = self.0.file_turn.enter().await;
        let _appends = self.0.append_turn.enter().await;
        self.0.state.borrow_mut().closes = true;
        let offline = self.is_offline();
        // A round that runs may not have written yet what it took from the log.
        let is_settled =
            self.0.state.borrow().is_settled() && !self.0.manager.round_stats().running;
        if !is_settled {
            // Of an offline log, too: no round asks a closed one, and each would trim what only the journal has of it.
            self.mark_dirty();
        }
        let closed = if is_settled { Ok(()) } else { self.0.manager.checkpoint().await };
        if let Err(error) = &closed {
            let dir = self.directory();
            self.0.manager.take_offline(&format!("cannot close {}: {error}", dir.display()));
        }
        self.nothing_leaves().await;
        self.change(State::close);
        self.0.ring_durable();
        match offline {
            Some(reason) => Err(StorageError::Offline(reason)),
            None => closed.map(|()| self.log_end().offset()),
        }
    }

    /// Removes the log: its directory is durably renamed, so that a crash never leaves half a log under its name, and its
    /// files go later; a start finds and removes what is left of them.
    ///
    /// # Errors
    /// The disk's.
    pub async fn delete(self) -> Result<(), StorageError> {
        let _files = self.0.file_turn.enter().await;
        let _appends = self.0.append_turn.enter().await;
        self.change(State::close);
        self.0.ring_durable();
        remove(&self.0.manager, &self.directory(), self.key()).await
    }

    /// The same for a log that could not be opened, or of which only a half was created. Nothing happens where `dir` is not
    /// there, or another topic's of that name.
    ///
    /// # Errors
    /// The disk's; `Corrupt` where nobody knows whose records are there: they stay.
    pub async fn delete_unopened(
        manager: &LogManager,
        dir: &Path,
        key: LogKey,
    ) -> Result<(), StorageError> {
        match partition_metadata::topic_of(&manager.0.disk, dir).await? {
            Some(id) if id == key.0 => remove(manager, dir, key).await,
            Some(_) => Ok(()),
            None => match manager.0.disk.remove_dir_all(dir).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(StorageError::io("remove", dir)(error))
                }
                _ => Ok(()),
            },
        }
    }
}

/// Takes a log's directory away, and what the shard's file says of it.
async fn remove(manager: &LogManager, dir: &Path, key: LogKey) -> Result<(), StorageError> {
    manager.forget(key);
    let random = || u128::from(manager.0.reactor.random_u64());
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("deleted-0");
    let deleted = dir.with_file_name(deleted_directory_name(name, random() << 64 | random()));
    let disk = &manager.0.disk;
    disk.rename(dir, &deleted).await.map_err(StorageError::io("rename", dir))?;
    let parent = dir.parent().unwrap_or(Path::new("."));
    disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
    manager.remove_kept(key).await;
    manager.remove_later(deleted);
    Ok(())
}
