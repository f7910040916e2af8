//! The Raft log and vote as openraft asks for them. Entries since the last snapshot are kept in memory beside the file;
//! the committed position rides along with the next group, so that it costs no sync of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{EntryPayload, OptionalSend, RaftLogReader};
use ringlane_reactor::Disk;

use super::frame::{self, FrameError, Kind};
use super::log_file::LogFile;
use super::records::{EntryRecord, LogGroup, LogIdRecord, VoteRecord};
use super::space::Space;
use super::types::{Entry, LogId, TypeConfig, Vote};
use super::{frame_error, io_error};
use crate::controller::ControllerError;

/// A vote's frame takes less.
const VOTE_MAX_BYTES: u64 = 4096;

/// The log. Clones share it; openraft writes through one of them and reads through others.
#[derive(Clone)]
pub(super) struct LogStore(Rc<Inner>);

struct Inner {
    space: Space,
    file: LogFile,
    vote_path: PathBuf,
    state: RefCell<State>,
}

/// What the files say.
#[derive(Default, Debug)]
pub(super) struct State {
    /// Without a gap, from the one after `purged`.
    entries: BTreeMap<u64, Entry>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    vote: Option<Vote>,
}

impl State {
    /// What the groups of the log at `path` say.
    pub(super) fn of(groups: Vec<LogGroup>, path: &Path) -> Result<Self, ControllerError> {
        let mut state = Self::default();
        for group in groups {
            let corrupt = |message| ControllerError::Corrupt { path: path.to_owned(), message };
            state.replay(group).map_err(corrupt)?;
        }
        Ok(state)
    }

    /// The entries, in order.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.entries.into_values()
    }

    fn last_log_id(&self) -> Option<LogId> {
        self.entries.last_key_value().map(|(_, entry)| entry.log_id).or(self.purged)
    }

    /// Takes in a group as read from the file.
    fn replay(&mut self, group: LogGroup) -> Result<(), String> {
        if let Some(purged) = group.purged {
            self.purged = Some(purged.into());
        }
        if let Some(kept) = group.keep_through {
            self.entries.retain(|&index, _| index <= kept);
        }
        for entry in group.entries {
            let entry = Entry::from(entry);
            let expected = self.last_log_id().map_or(0, |last| last.index + 1);
            if entry.log_id.index != expected {
                return Err(format!("entry {} where {expected} is due", entry.log_id.index));
            }
            self.entries.insert(entry.log_id.index, entry);
        }
        self.committed = group.committed.map(LogId::from).max(self.committed);
        if self.committed > self.last_log_id() {
            return Err("entries are committed that it does not hold".to_owned());
        }
        Ok(())
    }

    /// A group that holds `entries` and what else is to be remembered.
    fn group(&self, entries: Vec<EntryRecord>) -> LogGroup {
        let committed = self.committed.as_ref().map(LogIdRecord::from);
        LogGroup { purged: None, committed, keep_through: None, entries }
    }
}

impl LogStore {
    /// Opens the log and the vote in `dir`.
    pub(super) async fn open(space: &Space, dir: &Path) -> Result<Self, ControllerError> {
        let log_path = dir.join("log");
        let vote_path = dir.join("vote");
        let disk = space.disk();
        let (file, groups) = LogFile::open(space, &log_path).await?;
        // The names too must be durable before what they name counts.
        disk.sync_dir(dir).await.map_err(io_error(dir))?;
        let vote = read_vote(&disk, &vote_path).await?;
        let state = State { vote, ..State::of(groups, &log_path)? };
        let inner = Inner { space: space.clone(), file, vote_path, state: RefCell::new(state) };
        Ok(Self(Rc::new(inner)))
    }

    /// The voters of the newest membership in the log, committed or not.
    pub(super) fn newest_voters(&self) -> Option<Vec<u64>> {
        let state = self.0.state.borrow();
        state.entries.values().rev().find_map(|entry| match &entry.payload {
            EntryPayload::Membership(membership) => Some(membership.voter_ids().collect()),
            _ => None,
        })
    }

    /// Whether there is a vote but no log, not even the mark of what a snapshot replaced. The first entry is durable before
    /// the first vote, so something took the log away.
    pub(super) fn lost_its_entries(&self) -> bool {
        let state = self.0.state.borrow();
        state.vote.is_some() && state.last_log_id().is_none()
    }
}

async fn read_vote(disk: &Disk, path: &Path) -> Result<Option<Vote>, ControllerError> {
    let bytes = match disk.read(path, VOTE_MAX_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    match frame::decode::<VoteRecord>(Kind::Vote, &bytes) {
        Ok((vote, len)) if len == bytes.len() => Ok(Some(vote.into())),
        Ok(_) => Err(frame_error(path, FrameError::Foreign("bytes behind its end".to_owned()))),
        Err(error) => Err(frame_error(path, error)),
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let state = self.0.state.borrow();
        Ok(state.entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.0.state.borrow().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.0.state.borrow();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last_log_id() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let frame = frame::encode(Kind::Vote, &VoteRecord::from(vote));
        self.0.space.replace(&self.0.vote_path, &frame).await?;
        self.0.state.borrow_mut().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let mut state = self.0.state.borrow_mut();
        assert!(committed <= state.last_log_id(), "what is committed is in the log");
        state.committed = committed.max(state.committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.0.state.borrow().committed)
    }

    /// Returns when the entries are durable. openraft gathers what is submitted meanwhile into the next call, so that a
    /// sync serves all of it.
    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let group = {
            let mut state = self.0.state.borrow_mut();
            let mut records = Vec::new();
            for entry in entries {
                let last = state.last_log_id();
                let expected = last.map_or(0, |last| last.index + 1);
                assert_eq!(entry.log_id.index, expected, "the log has no gap");
                records.push(EntryRecord::from(&entry));
                state.entries.insert(expected, entry);
            }
            state.group(records)
        };
        self.0.file.append(&group).await?;
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let group = {
            let mut state = self.0.state.borrow_mut();
            assert!(last >= state.committed, "what is committed stays");
            state.entries.retain(|&index, _| last.is_some_and(|last| index <= last.index));
            LogGroup { keep_through: last.map(|last| last.index), ..state.group(Vec::new()) }
        };
        match last {
            Some(_) => self.0.file.append(&group).await,
            // No index stands for "nothing": a file without entries does.
            None => self.0.file.rewrite(&group).await,
        }
    }

    async fn purge(&mut self, through: LogId) -> Result<(), io::Error> {
        let group = {
            let mut state = self.0.state.borrow_mut();
            assert!(Some(through) >= state.purged, "the start of the log only moves forward");
            state.entries.retain(|&index, _| index > through.index);
            state.purged = Some(through);
            state.committed = state.committed.max(Some(through));
            let entries = state.entries.values().map(EntryRecord::from).collect();
            LogGroup { purged: Some((&through).into()), ..state.group(entries) }
        };
        self.0.file.rewrite(&group).await
    }
}
