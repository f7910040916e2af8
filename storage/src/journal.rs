//! The shard's journal: what every durable append is written to, in groups, before it is acknowledged. Read in this
//! order: the bytes (`format.rs`), the writer (here, `group.rs`, `commit.rs`, `files.rs`), and what a start finds again (`scan.rs`).
//!
//! Knows logs by topic id, partition and their own sequence only; what an entry means is theirs.

mod commit;
mod config;
mod files;
mod format;
mod group;
mod late_writes;
mod names;
mod scan;
mod zero_fill;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ringlane_reactor::{Notified, Notify, Reactor};

pub use commit::LOGS_PREFETCHED;
pub use config::{JournalConfig, JournalError, JournalStats};
use files::Files;
pub use format::{
    BLOCK_BYTES, ENTRY_HEADER_BYTES, Entry, EntryHead, EntryKind, Fault, GROUP_HEADER_BYTES,
    GroupBuilder, GroupHeader, GroupView, LISTED_LOG_BYTES, ListedLog, Place, Readable,
    entry_bytes, parse_group,
};
use group::OpenGroup;
pub use group::Seat;
pub(crate) use late_writes::wait_for_late_writes;
pub(crate) use names::journal_files;
pub use names::{ShardJournal, journals, remove_journal};
pub use scan::{Damage, Extent, Group, Reader};

use crate::error::StorageError;
use crate::turnstile::Turnstile;

/// Who has entries in the journal: a log. Called from the journal's own task, with nothing of the journal borrowed.
pub trait Client {
    /// Where the journal keeps its place among the logs of a group. Nothing but room for it is asked of the client.
    fn seat(&self) -> &Cell<Seat>;
    /// [`Client::durable`] follows, after those of some other clients: the moment to have the CPU fetch what it touches.
    fn prefetch(&self) {}
    /// Every entry of this log up to `log_sequence` is durable. At most once for each group.
    fn durable(&self, log_sequence: u64);
    /// The journal failed for good: entries not yet reported durable never will be.
    fn journal_failed(&self, reason: &str);
}

/// The journal of this shard. Clones are one journal.
///
/// Contract: [`Journal::reserve`] claims room, in the order of the calls; [`Journal::add`] fills it at once and without
/// waiting. What was added is in the open group; when no write is in flight the open group is closed and written, and the
/// next one opens. So one group is in flight at most, a group holds whatever came while the one before it was written, and
/// [`Client::durable`] follows the completion of its write. Groups are numbered densely from the sequence given to
/// [`Journal::open`]. A failed write is never repeated: the journal has then failed for good.
///
/// Bounds: the open group holds `group_bytes_max`, `reserve` waits when it is full; the files hold `files × file_bytes`, the
/// group waits (and with it `reserve`) when none is free until [`Journal::trim`] frees one.
#[derive(Clone)]
pub struct Journal(Rc<Inner>);

struct Inner {
    reactor: Reactor,
    dir: PathBuf,
    shard: u16,
    state: RefCell<State>,
    /// Those who wait for room, in order.
    reservations: Turnstile,
    /// Rings when a wait may be over: a group was closed or completed, room given back, a file freed; failure, close.
    changed: Notify,
    checkpoint_wanted: Notify,
    /// Rings when nothing is in the open group any more.
    rested: Notify,
}

struct State {
    open: OpenGroup,
    files: Files,
    /// The task of the group commit runs.
    committing: bool,
    /// The group whose write runs.
    in_flight: Option<u64>,
    /// The last group whose write completed, or the one before the first.
    acknowledged: u64,
    /// The task that writes zeros into new files runs.
    filling: bool,
    /// The open group waits for a file.
    waiting_for_file: bool,
    trimmed_to: u64,
    failed: Option<String>,
    closed: bool,
    stats: JournalStats,
}

/// A point in the journal: the groups before it hold nothing that was added after it was taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(u64);

impl Mark {
    /// The first group behind it.
    pub(crate) fn sequence(self) -> u64 {
        self.0
    }
}

/// A claim on room in whichever group is open when it is used; dropping it gives the room back. Whoever holds one may
/// wait, but not for another one's entry to become durable.
#[must_use = "dropping it gives the room back"]
pub struct Room {
    journal: Journal,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.journal.0.state.borrow_mut().open.release(self.bytes);
        self.journal.0.changed.notify_all();
    }
}

impl Journal {
    /// Opens the journal of `shard` in `dir` for writing, from the group `next_sequence` on. Directory and files are made
    /// where they are missing; files that are there are written over from their start. The caller has applied what
    /// [`Reader`] found, synced it, and persisted [`Reader::next_sequence`] as what the journal is trimmed to; that is the
    /// `next_sequence` to give here.
    ///
    /// New files are filled with zeros in the background, one ahead of the groups; a group that is quicker goes where none are yet.
    ///
    /// # Errors
    /// The disk's: when there is not even space for the first file. With fewer files than configured the journal works,
    /// and waits for checkpoints earlier; with one only, for each whenever that one is full.
    ///
    /// # Panics
    /// When the configuration is none: see [`JournalConfig`].
    pub async fn open(
        reactor: &Reactor,
        dir: &Path,
        shard: u16,
        config: JournalConfig,
        journal_id: u64,
        next_sequence: u64,
    ) -> Result<Self, StorageError> {
        config.check();
        assert!(next_sequence > 0, "groups are numbered from 1 at least");
        let files = Files::open(&reactor.disk(), dir, (journal_id, shard), &config).await?;
        let open =
            OpenGroup::new(reactor, config.group_bytes(), (journal_id, shard), next_sequence);
        let journal = Self(Rc::new(Inner {
            reactor: reactor.clone(),
            dir: dir.to_path_buf(),
            shard,
            state: RefCell::new(State {
                open,
                files,
                committing: false,
                in_flight: None,
                acknowledged: next_sequence - 1,
                filling: false,
                waiting_for_file: false,
                trimmed_to: next_sequence,
                failed: None,
                closed: false,
                stats: JournalStats::default(),
            }),
            reservations: Turnstile::default(),
            changed: Notify::new(),
            checkpoint_wanted: Notify::new(),
            rested: Notify::new(),
        }));
        journal.fill_with_zeros();
        Ok(journal)
    }

    /// Room for an entry with a payload of this many bytes. Ready at the first poll while there is room and nobody waits
    /// already; otherwise in the order of the calls.
    ///
    /// A payload that no ordinary group holds gets a group and a buffer of its own.
    ///
    /// # Errors
    /// The journal has failed or was closed, or the entry is larger than half of a file.
    pub async fn reserve(&self, payload_bytes: usize) -> Result<Room, JournalError> {
        let bytes = entry_bytes(payload_bytes);
        let _turn = self.0.reservations.enter().await;
        loop {
            {
                let mut state = self.0.state.borrow_mut();
                state.check_open()?;
                let max = state.files.group_bytes_max();
                if GroupBuilder::least_bytes(0) + bytes > max {
                    return Err(JournalError::TooLarge { bytes: payload_bytes, max });
                }
                if state.open.reserve(&self.0.reactor, bytes) {
                    return Ok(Room { journal: self.clone(), bytes });
                }
            }
            self.0.changed.notified().await;
        }
    }

    /// Puts an entry into the open group, whose mark it gives back, into the room that was reserved for it, and has the group written as soon as none is
    /// in flight. `client` is told when it is durable.
    ///
    /// # Errors
    /// The journal has failed or was closed since the room was reserved: nothing was added, and `client` is not told again.
    ///
    /// # Panics
    /// When the payload is larger than the room, or the entry's log sequence does not follow the log's last one in the group.
    pub fn add(
        &self,
        room: Room,
        head: &EntryHead,
        payload: &[u8],
        client: &Rc<dyn Client>,
    ) -> Result<Mark, JournalError> {
        assert!(entry_bytes(payload.len()) <= room.bytes, "an entry fits its room");
        assert!(Rc::ptr_eq(&self.0, &room.journal.0), "a room is used in its own journal");
        // Nothing else runs before the entry takes its place.
        drop(room);
        let (start, mark) = {
            let mut state = self.0.state.borrow_mut();
            state.check_open()?;
            state.open.add(head, payload, client);
            let mark = Mark(state.open.sequence());
            (!std::mem::replace(&mut state.committing, true), mark)
        };
        if start {
            self.start_commit();
        }
        Ok(mark)
    }

    /// The point between what was added before and what comes. What is in the open group counts as to come.
    pub fn mark(&self) -> Mark {
        Mark(self.0.state.borrow().open.sequence())
    }

    /// The group sequence to persist, as what the next [`Reader::open`] reads from, before [`Journal::trim`] is called
    /// with this mark.
    pub fn trimmed_to_after(&self, mark: Mark) -> u64 {
        mark.0.max(self.0.state.borrow().trimmed_to)
    }

    /// Everything in the groups before `mark` is durable elsewhere, and [`Journal::trimmed_to_after`] is persisted: files
    /// with such groups only become free.
    pub fn trim(&self, mark: Mark) {
        {
            let mut state = self.0.state.borrow_mut();
            assert!(mark.0 <= state.open.sequence(), "a mark is taken before it is used");
            state.trimmed_to = state.trimmed_to.max(mark.0);
            let trimmed_to = state.trimmed_to;
            state.files.trim(trimmed_to);
        }
        self.0.changed.notify_all();
    }

    /// Rings when enough files have become full. Ask [`Journal::is_checkpoint_wanted`] first.
    pub fn wants_checkpoint(&self) -> Notified {
        self.0.checkpoint_wanted.notified()
    }

    /// Whether half of the files are full and wait to be trimmed.
    pub fn is_checkpoint_wanted(&self) -> bool {
        self.0.state.borrow().files.want_trimming()
    }

    /// Whether the next group waits for a round to free a file.
    pub(crate) fn waits_for_file(&self) -> bool {
        self.0.state.borrow().waiting_for_file
    }

    /// Whether there is nothing to write. [`Journal::rested`] rings when it becomes so.
    pub fn is_resting(&self) -> bool {
        !self.0.state.borrow().committing
    }

    /// Rings when there is nothing more to write. Ask [`Journal::is_resting`] after calling this and before awaiting it.
    pub fn rested(&self) -> Notified {
        self.0.rested.notified()
    }

    /// Why the journal takes nothing more, if a write failed.
    pub fn failed(&self) -> Option<String> {
        self.0.state.borrow().failed.clone()
    }

    /// Fails for good, as after a write that failed: nobody is told of what is not durable yet, and nobody waits any more.
    pub fn abandon(&self, reason: &str) {
        {
            let mut state = self.0.state.borrow_mut();
            if state.failed.is_some() {
                return;
            }
            state.failed = Some(reason.to_string());
            state.open.abandon();
        }
        self.0.changed.notify_all();
        self.0.checkpoint_wanted.notify_all();
    }

    /// Takes nothing more, waits until what was added is durable or the journal has failed, and lets go of the files. A journal that is full needs
    /// its checkpoint for that: go on with those until this is ready.
    pub async fn close(&self) {
        self.0.state.borrow_mut().closed = true;
        self.0.changed.notify_all();
        while self.0.state.borrow().is_busy() {
            self.0.changed.notified().await;
        }
        self.0.state.borrow_mut().files.let_go();
    }

    /// What there is of it, for the checkpoint that is written next to say.
    pub fn extent(&self) -> Extent {
        let state = self.0.state.borrow();
        let last_group = if state.stats.groups == 0 { 0 } else { state.acknowledged };
        state.files.extent(last_group)
    }

    /// What it has done since it was opened.
    pub fn stats(&self) -> JournalStats {
        self.0.state.borrow().stats
    }
}

impl State {
    fn check_open(&self) -> Result<(), JournalError> {
        match &self.failed {
            Some(reason) => Err(JournalError::Failed(reason.clone())),
            None if self.closed => Err(JournalError::Closed),
            None => Ok(()),
        }
    }

    fn is_busy(&self) -> bool {
        self.committing || self.files.is_filling_with_zeros()
    }
}
