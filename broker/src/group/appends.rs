//! Records on their way to `__consumer_offsets`, and what takes effect when they are stored. Reports may come in
//! any order; they take effect in the order of the log, so that what is visible is always what a replay would
//! build.

use super::coordinator::Groups;
use super::effects::{Answer, Append, AppendId, CommitOutcome, Effects};
use super::error::{AppendError, GroupError};
use super::persist::{OnPersisted, Persist};
use super::records::{CommittedOffset, GroupRecord, Record};
use super::request::{Now, RequestToken};
use super::state::{Group, Turn};

/// What an append carries, and its result once reported.
#[derive(Debug)]
pub(super) struct InFlight {
    group_id: String,
    carries: Carries,
    result: Option<Result<(), AppendError>>,
}

#[derive(Debug)]
enum Carries {
    /// A group's metadata.
    Metadata(OnPersisted),
    /// Committed offsets, in the order of their records, and the answer.
    Commit {
        token: RequestToken,
        commits: Vec<(String, i32, CommittedOffset)>,
        outcomes: Vec<CommitOutcome>,
    },
    /// Tombstones of offsets; `deleting` when the group's own follows.
    Forget { partitions: Vec<(String, i32)>, deleting: bool },
    /// The group's tombstone; somebody waits, unless the group has expired.
    Delete(Option<RequestToken>),
}

impl InFlight {
    fn new(group_id: String, carries: Carries) -> Self {
        Self { group_id, carries, result: None }
    }

    pub(super) fn metadata(group_id: String, then: OnPersisted) -> Self {
        Self::new(group_id, Carries::Metadata(then))
    }

    pub(super) fn commit(
        group_id: String,
        token: RequestToken,
        commits: Vec<(String, i32, CommittedOffset)>,
        outcomes: Vec<CommitOutcome>,
    ) -> Self {
        assert!(!commits.is_empty(), "a commit without records is answered at once");
        Self::new(group_id, Carries::Commit { token, commits, outcomes })
    }

    pub(super) fn forget(group_id: String, partitions: Vec<(String, i32)>, deleting: bool) -> Self {
        Self::new(group_id, Carries::Forget { partitions, deleting })
    }

    pub(super) fn delete(group_id: String, token: Option<RequestToken>) -> Self {
        Self::new(group_id, Carries::Delete(token))
    }

    /// The answer to whoever waits for this append (and not for the group), with an error.
    pub(super) fn refuse(self, error: GroupError) -> Option<Answer> {
        match self.carries {
            Carries::Commit { token, .. } => Some(Answer::Commit(token, Err(error))),
            Carries::Delete(token) => token.map(|token| Answer::Delete(token, Err(error))),
            Carries::Metadata(_) | Carries::Forget { .. } => None,
        }
    }
}

/// The records of what an event wants stored. What does not fit a record fails at once, which may want more stored.
pub(super) fn encode_persists(
    group: &mut Group,
    turn: &mut Turn<'_>,
) -> Vec<(Record, OnPersisted)> {
    let mut records = Vec::new();
    while !turn.persists.is_empty() {
        for Persist { record, then } in std::mem::take(&mut turn.persists) {
            let record =
                GroupRecord::GroupMetadata { group_id: group.id.clone(), value: Some(record) };
            match record.encode() {
                Ok(record) => records.push((record, then)),
                Err(_) => group.persisted(then, Err(AppendError::TooLarge), turn),
            }
        }
    }
    records
}

impl Groups {
    /// Numbers an append and adds it to the effects.
    pub(super) fn append(
        &mut self,
        records: Vec<Record>,
        in_flight: InFlight,
        effects: &mut Effects,
    ) {
        assert!(!records.is_empty(), "an append has records");
        let id = AppendId(self.next_append);
        self.next_append += 1;
        self.in_flight.insert(id, in_flight);
        effects.appends.push(Append { id, records });
    }

    /// The append is stored, as durable and replicated as the topic demands, or could not be. Each append is
    /// reported once.
    ///
    /// # Panics
    /// When the append was reported before, or is not ours.
    pub fn appended(&mut self, id: AppendId, result: Result<(), AppendError>, now: Now) -> Effects {
        let mut effects = Effects::default();
        let reported = self.in_flight.get_mut(&id).expect("an append is reported once");
        assert!(reported.result.is_none(), "an append is reported once");
        reported.result = Some(result);
        while let Some(first) = self.in_flight.first_entry() {
            let Some(result) = first.get().result else { break };
            let InFlight { group_id, carries, .. } = first.remove();
            self.settle(&group_id, carries, result, now, &mut effects);
        }
        effects
    }

    fn settle(
        &mut self,
        group_id: &str,
        carries: Carries,
        result: Result<(), AppendError>,
        now: Now,
        effects: &mut Effects,
    ) {
        match carries {
            Carries::Metadata(then) => self.with_group(group_id, now, effects, |group, turn| {
                group.persisted(then, result, turn);
            }),
            Carries::Commit { token, commits, outcomes } => {
                let answer = self.settle_commit(group_id, commits, outcomes, result);
                effects.answers.push(Answer::Commit(token, answer));
            }
            Carries::Forget { partitions, deleting } => {
                self.settle_forget(group_id, &partitions, deleting, result);
            }
            Carries::Delete(token) => {
                let answer = self.settle_delete(group_id, result, now);
                effects.answers.extend(token.map(|token| Answer::Delete(token, answer)));
            }
        }
    }

    fn settle_commit(
        &mut self,
        group_id: &str,
        commits: Vec<(String, i32, CommittedOffset)>,
        outcomes: Vec<CommitOutcome>,
        result: Result<(), AppendError>,
    ) -> Result<Vec<CommitOutcome>, GroupError> {
        let entry = self.entries.get_mut(group_id).expect("a pending commit keeps its group");
        for (topic, partition, offset) in commits {
            match result {
                Ok(()) => entry.offsets.complete_commit(&topic, partition, offset),
                Err(_) => entry.offsets.abandon_commit(&topic, partition),
            }
        }
        self.forget_if_pristine(group_id);
        result.map(|()| outcomes).map_err(AppendError::for_commit)
    }

    fn settle_forget(
        &mut self,
        group_id: &str,
        partitions: &[(String, i32)],
        deleting: bool,
        result: Result<(), AppendError>,
    ) {
        // The group may be gone: a topic was deleted while the group was.
        let Some(entry) = self.entries.get_mut(group_id) else { return };
        match result {
            Ok(()) => {
                for (topic, partition) in partitions {
                    entry.offsets.remove(topic, *partition);
                }
                self.forget_if_pristine(group_id);
            }
            Err(error) if deleting => entry.deletion_failed = Some(error.for_metadata()),
            // Expired offsets will be found again.
            Err(_) => {}
        }
    }
}
