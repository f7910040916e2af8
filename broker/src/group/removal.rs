//! How groups and offsets go: DeleteGroups, deleted topics, expiry (KIP-211). Memory follows the log: what has a
//! tombstone on its way is still there until the tombstone is stored.

use std::ops::Bound;
use std::time::Duration;

use super::appends::InFlight;
use super::coordinator::Groups;
use super::effects::{Answer, Effects};
use super::error::{AppendError, GroupError};
use super::records::{GroupRecord, Record};
use super::request::{Now, RequestToken};
use super::state::GroupState;

/// Tombstones in one batch, far below the smallest sensible `max.message.bytes`.
const TOMBSTONES_PER_APPEND: usize = 1_000;
/// Groups looked at in one go when searching for expired offsets, so that a shard with many groups is not held up.
const EXPIRY_GROUPS_PER_TICK: usize = 100;
/// The time between two such goes of one search.
const EXPIRY_PAUSE: Duration = Duration::from_millis(10);

impl Groups {
    /// DeleteGroups, for one group. The answer is among these effects or later ones.
    pub fn delete(&mut self, token: RequestToken, group_id: &str, now: Now) -> Effects {
        let mut effects = Effects::default();
        let state = self.entries.get(group_id).map(|entry| entry.group.state());
        let refusal = match state {
            None | Some(GroupState::Dead) => GroupError::GroupIdNotFound,
            Some(GroupState::Empty) => {
                self.start_deletion(group_id, Some(token), now, &mut effects);
                return effects;
            }
            Some(_) => GroupError::NonEmptyGroup,
        };
        effects.answers.push(Answer::Delete(token, Err(refusal)));
        effects
    }

    /// Writes the tombstones of an Empty group, the offsets' first. Until they are stored the group is Dead:
    /// whoever asks is told to try again.
    fn start_deletion(
        &mut self,
        group_id: &str,
        token: Option<RequestToken>,
        now: Now,
        effects: &mut Effects,
    ) {
        let entry = self.entries.get_mut(group_id).expect("the caller knows the group");
        assert_eq!(entry.group.state(), GroupState::Empty, "only an Empty group is deleted");
        entry.group.transition_to(GroupState::Dead, now);
        entry.deletion_failed = None;
        // Also those on their way: their records come before these tombstones in the log.
        let partitions = entry.offsets.partitions();
        self.append_tombstones(group_id, partitions, true, effects);
        let tombstone = GroupRecord::GroupMetadata { group_id: group_id.to_owned(), value: None };
        // A group whose id is too long for a record was never written.
        let records: Vec<Record> = tombstone.encode().into_iter().collect();
        if records.is_empty() {
            let answer = self.settle_delete(group_id, Ok(()), now);
            effects.answers.extend(token.map(|token| Answer::Delete(token, answer)));
        } else {
            self.append(records, InFlight::delete(group_id.to_owned(), token), effects);
        }
    }

    fn append_tombstones(
        &mut self,
        group_id: &str,
        partitions: Vec<(String, i32)>,
        deleting: bool,
        effects: &mut Effects,
    ) {
        for chunk in partitions.chunks(TOMBSTONES_PER_APPEND) {
            let tombstone = |(topic, partition): &(String, i32)| GroupRecord::OffsetCommit {
                group_id: group_id.to_owned(),
                topic: topic.clone(),
                partition: *partition,
                value: None,
            };
            let records = chunk.iter().map(|p| tombstone(p).encode());
            let records: Vec<Record> =
                records.collect::<Result<_, _>>().expect("the offset's record had the same key");
            let in_flight = InFlight::forget(group_id.to_owned(), chunk.to_vec(), deleting);
            self.append(records, in_flight, effects);
        }
    }

    /// The group's tombstone is stored, or could not be.
    pub(super) fn settle_delete(
        &mut self,
        group_id: &str,
        result: Result<(), AppendError>,
        now: Now,
    ) -> Result<(), GroupError> {
        let entry = self.entries.get_mut(group_id).expect("a Dead group stays until this moment");
        assert_eq!(entry.group.state(), GroupState::Dead, "nothing revives a Dead group before");
        let failed = entry.deletion_failed.take();
        match result.map_err(AppendError::for_metadata).and(failed.map_or(Ok(()), Err)) {
            Ok(()) => {
                assert!(!entry.offsets.has_pending(), "commits before the tombstone are settled");
                self.remove_entry(group_id);
                Ok(())
            }
            Err(error) => {
                entry.group.transition_to(GroupState::Empty, now);
                Err(error)
            }
        }
    }

    /// These topics are deleted, so their offsets go.
    pub fn forget_topics(&mut self, topics: &[&str]) -> Effects {
        let mut effects = Effects::default();
        let ids: Vec<String> = self.entries.keys().cloned().collect();
        for id in ids {
            let stored = self.entries[&id].offsets.iter();
            let gone = stored.filter(|(topic, ..)| topics.contains(topic));
            let gone = gone.map(|(topic, partition, _)| (topic.to_owned(), partition)).collect();
            self.append_tombstones(&id, gone, false, &mut effects);
        }
        effects
    }

    /// Continues the search for expired offsets, or begins one. A group without members and without offsets goes too.
    pub(super) fn expire_offsets(&mut self, now: Now, effects: &mut Effects) {
        let from = self.expiry_cursor.take().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.entries.range((from, Bound::Unbounded));
        let ids: Vec<String> =
            rest.take(EXPIRY_GROUPS_PER_TICK).map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.expire_group(id, now, effects);
        }
        if ids.len() == EXPIRY_GROUPS_PER_TICK {
            self.expiry_cursor = ids.into_iter().last();
            self.expiry_at = now.instant + EXPIRY_PAUSE;
        } else {
            let interval_ms = self.config.offsets_retention_check_interval_ms.max(1);
            self.expiry_at = now.instant + Duration::from_millis(interval_ms);
        }
    }

    fn expire_group(&mut self, id: &str, now: Now, effects: &mut Effects) {
        let entry = &self.entries[id];
        let expired = entry.offsets.expired(
            &entry.group,
            now.wall_clock_ms,
            self.config.offsets_retention_ms,
        );
        let nothing_left =
            !entry.offsets.has_pending() && expired.len() == entry.offsets.iter().count();
        if entry.group.state() == GroupState::Empty
            && entry.group.pending_members.is_empty()
            && nothing_left
        {
            self.start_deletion(id, None, now, effects);
        } else if entry.group.state() != GroupState::Dead {
            self.append_tombstones(id, expired, false, effects);
        }
    }
}
