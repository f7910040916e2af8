//! The groups of one `__consumer_offsets` partition: finds the group that a request names, runs it, and keeps the
//! deadlines of all groups in order.

use std::collections::{BTreeMap, BTreeSet};

use ringlane_reactor::Instant;

use super::appends::InFlight;
use super::config::GroupConfig;
use super::effects::{Answer, AppendId, Effects};
use super::error::GroupError;
use super::offsets::Offsets;
use super::request::{
    HeartbeatRequest, JoinRequest, LeaveRequest, MemberIdentity, Now, SyncRequest,
};
use super::state::{Group, GroupState, Turn};

/// A group with its offsets.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) group: Group,
    pub(super) offsets: Offsets,
    /// A tombstone of the deletion in progress could not be stored.
    pub(super) deletion_failed: Option<GroupError>,
}

impl Entry {
    pub(super) fn new(group: Group) -> Self {
        Self { group, offsets: Offsets::default(), deletion_failed: None }
    }
}

/// The groups of one partition of `__consumer_offsets`, from the moment this broker leads it until it stops.
///
/// Bounded by `groups_max` groups of `max_size` members each; a group's offsets are bounded by the partitions of the
/// topics, whose existence the handler checks.
#[derive(Debug)]
pub struct Groups {
    pub(super) config: GroupConfig,
    pub(super) entries: BTreeMap<String, Entry>,
    /// When each group wants its tick; exactly the groups that have a `wake_at`.
    timers: BTreeSet<(Instant, String)>,
    /// Appends not yet settled, in the order of the log.
    pub(super) in_flight: BTreeMap<AppendId, InFlight>,
    pub(super) next_append: u64,
    /// When expired offsets are looked for next, and behind which group.
    pub(super) expiry_at: Instant,
    pub(super) expiry_cursor: Option<String>,
}

/// What became of one member of a LeaveGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaveOutcome {
    /// As the request named it.
    pub identity: MemberIdentity,
    /// None for success.
    pub error: Option<GroupError>,
}

impl Groups {
    /// A partition without groups; with records see [`Replay`](super::Replay).
    pub fn new(config: GroupConfig, now: Now) -> Self {
        let interval = std::time::Duration::from_millis(config.offsets_retention_check_interval_ms);
        Self {
            config,
            entries: BTreeMap::new(),
            timers: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            next_append: 0,
            expiry_at: now.instant + interval,
            expiry_cursor: None,
        }
    }

    /// JoinGroup. The answer is among these effects or later ones.
    pub fn join(&mut self, request: &JoinRequest, now: Now) -> Effects {
        let mut effects = Effects::default();
        let timeouts = self.config.min_session_timeout_ms..=self.config.max_session_timeout_ms;
        let member_id = &request.identity.member_id;
        let refusal = if request.group_id.is_empty() {
            Some(GroupError::InvalidGroupId)
        } else if !timeouts.contains(&request.session_timeout_ms) {
            Some(GroupError::InvalidSessionTimeout)
        } else if self.entries.contains_key(&request.group_id) {
            None
        } else if !member_id.is_empty() {
            Some(GroupError::UnknownMemberId)
        } else {
            self.create(&request.group_id, now).err()
        };
        match refusal {
            Some(error) => {
                let mut turn = Turn::new(now, &self.config);
                turn.refuse_join(request.token, error, member_id);
                effects.answers = turn.answers;
            }
            None => self.with_group(&request.group_id, now, &mut effects, |group, turn| {
                group.join(request, turn);
            }),
        }
        effects
    }

    /// SyncGroup. The answer is among these effects or later ones.
    pub fn sync(&mut self, request: &SyncRequest, now: Now) -> Effects {
        let mut effects = Effects::default();
        if let Err(error) = self.require(&request.group_id, GroupError::UnknownMemberId) {
            effects.answers.push(Answer::Sync(request.token, Err(error)));
            return effects;
        }
        self.with_group(&request.group_id, now, &mut effects, |group, turn| {
            group.sync(request, turn);
        });
        effects
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// Kafka's; REBALANCE_IN_PROGRESS tells the member to join again.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, now: Now) -> Result<(), GroupError> {
        self.require(&request.group_id, GroupError::UnknownMemberId)?;
        let mut effects = Effects::default();
        let result = self.with_group(&request.group_id, now, &mut effects, |group, turn| {
            group.heartbeat(&request.identity, request.generation, turn)
        });
        assert_eq!(effects, Effects::default(), "a heartbeat changes no more than a deadline");
        result
    }

    /// LeaveGroup: an outcome for each member, in the request's order, or one error for the request.
    pub fn leave(
        &mut self,
        request: &LeaveRequest,
        now: Now,
    ) -> (Result<Vec<LeaveOutcome>, GroupError>, Effects) {
        let mut effects = Effects::default();
        let outcome =
            |identity: &MemberIdentity, error| LeaveOutcome { identity: identity.clone(), error };
        match self.require(&request.group_id, GroupError::UnknownMemberId) {
            Ok(()) => {}
            Err(error @ GroupError::UnknownMemberId) => {
                let unknown = request.members.iter().map(|id| outcome(id, Some(error)));
                return (Ok(unknown.collect()), effects);
            }
            Err(error) => return (Err(error), effects),
        }
        let results = self.with_group(&request.group_id, now, &mut effects, |group, turn| {
            group.leave(&request.members, turn)
        });
        let results = results.map(|results| {
            let members = request.members.iter().zip(results);
            members.map(|(id, result)| outcome(id, result.err())).collect()
        });
        (results, effects)
    }

    /// When [`tick`](Self::tick) is due.
    pub fn next_deadline(&self) -> Instant {
        let timer = self.timers.first().map_or(self.expiry_at, |(at, _)| *at);
        timer.min(self.expiry_at)
    }

    /// Handles every deadline that has passed. Harmless when none has.
    pub fn tick(&mut self, now: Now) -> Effects {
        let mut effects = Effects::default();
        let due = self.timers.iter().take_while(|(at, _)| *at <= now.instant);
        let due: Vec<String> = due.map(|(_, id)| id.clone()).collect();
        for id in due {
            self.with_group(&id, now, &mut effects, Group::tick);
        }
        if self.expiry_at <= now.instant {
            self.expire_offsets(now, &mut effects);
        }
        effects
    }

    /// This broker no longer leads the partition: everything that waits is answered with NOT_COORDINATOR. Appends
    /// that are under way need not be reported any more.
    pub fn unload(mut self, now: Now) -> Vec<Answer> {
        let mut turn = Turn::new(now, &self.config);
        for entry in self.entries.values_mut() {
            entry.group.transition_to(GroupState::Dead, now);
            let ids: Vec<String> = entry.group.members.keys().cloned().collect();
            for id in ids {
                entry.group.refuse_join(&id, GroupError::NotCoordinator, &id, &mut turn);
                entry.group.refuse_sync(&id, GroupError::NotCoordinator, &mut turn);
            }
        }
        let mut answers = turn.answers;
        let waiting = self.in_flight.into_values();
        answers.extend(waiting.filter_map(|f| f.refuse(GroupError::NotCoordinator)));
        answers
    }

    /// Makes an Empty group.
    pub(super) fn create(&mut self, id: &str, now: Now) -> Result<(), GroupError> {
        if self.entries.len() >= self.config.groups_max {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let before = self.entries.insert(id.to_owned(), Entry::new(Group::new(id.to_owned(), now)));
        assert!(before.is_none(), "a group is made once");
        Ok(())
    }

    fn require(&self, id: &str, missing: GroupError) -> Result<(), GroupError> {
        if id.is_empty() {
            Err(GroupError::InvalidGroupId)
        } else if self.entries.contains_key(id) {
            Ok(())
        } else {
            Err(missing)
        }
    }

    /// Runs one event of a group that exists, gathers its effects, and keeps its timer. A group that comes out of
    /// it as if it had never been is forgotten.
    pub(super) fn with_group<R>(
        &mut self,
        id: &str,
        now: Now,
        effects: &mut Effects,
        act: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> R {
        let entry = self.entries.get_mut(id).expect("the caller knows the group");
        let wake_before = entry.group.wake_at;
        let mut turn = Turn::new(now, &self.config);
        let result = act(&mut entry.group, &mut turn);
        let records = super::appends::encode_persists(&mut entry.group, &mut turn);
        if cfg!(debug_assertions) {
            entry.group.assert_consistent();
        }
        let wake_at = entry.group.wake_at;
        effects.answers.append(&mut turn.answers);
        for (record, then) in records {
            let group_id = id.to_owned();
            self.append(vec![record], InFlight::metadata(group_id, then), effects);
        }
        self.set_timer(id, wake_before, wake_at);
        self.forget_if_pristine(id);
        result
    }

    fn set_timer(&mut self, id: &str, before: Option<Instant>, after: Option<Instant>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            assert!(self.timers.remove(&(at, id.to_owned())), "a group's wake-up has its timer");
        }
        if let Some(at) = after {
            self.timers.insert((at, id.to_owned()));
        }
    }

    /// Forgets a group that nobody joined and that has no offsets.
    pub(super) fn forget_if_pristine(&mut self, id: &str) {
        let entry = self.entries.get(id);
        if entry.is_some_and(|e| e.group.is_pristine() && e.offsets.is_empty()) {
            self.remove_entry(id);
        }
    }

    /// Removes a group and its timer.
    pub(super) fn remove_entry(&mut self, id: &str) {
        let entry = self.entries.remove(id).expect("only a group that exists is removed");
        assert!(entry.group.members.is_empty(), "a group with members is not removed");
        self.set_timer(id, entry.group.wake_at, None);
    }
}
