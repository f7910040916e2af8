//! OffsetCommit and OffsetFetch: a commit is checked, written, and visible when it is stored.

use super::appends::InFlight;
use super::coordinator::Groups;
use super::effects::{Answer, CommitOutcome, Effects};
use super::error::GroupError;
use super::offsets::CommitRequest;
use super::records::{CommittedOffset, GroupRecord, Record};
use super::request::{Generation, Now};
use super::state::GroupState;

impl Groups {
    /// OffsetCommit. The answer is among these effects or later ones.
    pub fn commit(&mut self, request: CommitRequest, now: Now) -> Effects {
        let mut effects = Effects::default();
        if let Err(error) = self.admit_commit(&request, now, &mut effects) {
            self.forget_if_pristine(&request.group_id);
            effects.answers.push(Answer::Commit(request.token, Err(error)));
            return effects;
        }
        let CommitRequest { token, group_id, retention_ms, partitions, .. } = request;
        let mut outcomes = Vec::with_capacity(partitions.len());
        let mut commits = Vec::with_capacity(partitions.len());
        let mut records = Vec::with_capacity(partitions.len());
        for wanted in partitions {
            let (topic, partition) = (wanted.topic.clone(), wanted.partition);
            let committed = wanted.committed(retention_ms, now, &self.config).and_then(|offset| {
                Ok((offset_record(&group_id, &topic, partition, &offset)?, offset))
            });
            let error = committed.as_ref().err().copied();
            if let Ok((record, offset)) = committed {
                records.push(record);
                commits.push((topic.clone(), partition, offset));
            }
            outcomes.push(CommitOutcome { topic, partition, error });
        }
        if commits.is_empty() {
            self.forget_if_pristine(&group_id);
            effects.answers.push(Answer::Commit(token, Ok(outcomes)));
            return effects;
        }
        let entry = self.entries.get_mut(&group_id).expect("admitted");
        for (topic, partition, _) in &commits {
            entry.offsets.begin_commit(topic, *partition);
        }
        self.append(records, InFlight::commit(group_id, token, commits, outcomes), &mut effects);
        effects
    }

    /// Finds or makes the group and checks that this client may commit to it. A commit keeps a member's session.
    fn admit_commit(
        &mut self,
        request: &CommitRequest,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), GroupError> {
        let id = request.group_id.as_str();
        if !self.entries.contains_key(id) {
            if request.generation >= Generation(0) {
                return Err(if request.knows_group_id_not_found {
                    GroupError::GroupIdNotFound
                } else {
                    GroupError::IllegalGeneration
                });
            }
            self.create(id, now)?;
            // Made for these offsets: there is no member to check or to keep.
            return Ok(());
        }
        self.with_group(id, now, effects, |group, turn| {
            group.validate_commit(&request.identity, request.generation)?;
            if matches!(group.state(), GroupState::Stable | GroupState::PreparingRebalance) {
                group.renew_session(&request.identity.member_id, turn);
            }
            Ok(())
        })
    }

    /// The stored offset of one partition; none if there is none (the wire says -1), or no such group.
    pub fn committed(
        &self,
        group_id: &str,
        topic: &str,
        partition: i32,
    ) -> Option<&CommittedOffset> {
        self.entries.get(group_id)?.offsets.committed(topic, partition)
    }

    /// All stored offsets of a group, ordered by topic and partition; none for an unknown group.
    pub fn all_committed(
        &self,
        group_id: &str,
    ) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.entries.get(group_id).into_iter().flat_map(|entry| entry.offsets.iter())
    }
}

fn offset_record(
    group_id: &str,
    topic: &str,
    partition: i32,
    offset: &CommittedOffset,
) -> Result<Record, GroupError> {
    let record = GroupRecord::OffsetCommit {
        group_id: group_id.to_owned(),
        topic: topic.to_owned(),
        partition,
        value: Some(offset.clone()),
    };
    record.encode().map_err(|_| GroupError::InvalidCommitOffsetSize)
}
