//! Group metadata records: what an event wants stored, and what follows when it is, or could not be.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::effects::Answer;
use super::error::AppendError;
use super::member::Member;
use super::records::{GroupMetadata, MemberMetadata};
use super::request::{Generation, Protocol, RequestToken};
use super::state::{Group, GroupState, Turn};

/// A group metadata record to store, and what waits for it.
#[derive(Clone, Debug)]
pub(super) struct Persist {
    pub(super) record: GroupMetadata,
    pub(super) then: OnPersisted,
}

impl Persist {
    /// The record of a group that everybody left. Nothing waits for it: should it be lost, the generation before
    /// comes back after a restart and its members' sessions end.
    pub(super) fn empty_group(group: &Group) -> Self {
        assert!(group.members.is_empty(), "an empty group's record has no members");
        Self { record: group.metadata_record(None), then: OnPersisted::Nothing }
    }
}

/// What happens when a group's record is stored.
#[derive(Clone, Debug)]
pub(super) enum OnPersisted {
    Nothing,
    /// The leader's assignment takes effect.
    Assignment {
        generation: Generation,
        assignments: BTreeMap<String, Bytes>,
    },
    /// A restarted static member is answered.
    StaticMember(Box<StaticMemberReplaced>),
}

/// What it takes to answer a restarted static member, or to bring its predecessor back.
#[derive(Clone, Debug)]
pub(super) struct StaticMemberReplaced {
    pub(super) token: RequestToken,
    pub(super) old_id: String,
    pub(super) new_id: String,
    pub(super) old_protocols: Vec<Protocol>,
    pub(super) old_rebalance_timeout_ms: i32,
    pub(super) old_session_timeout_ms: i32,
    pub(super) leader_before: Option<String>,
    pub(super) supports_skip_assignment: bool,
}

impl Group {
    /// The group as its record says it, with these assignments or else the members' own.
    pub(super) fn metadata_record(
        &self,
        assignments: Option<&BTreeMap<String, Bytes>>,
    ) -> GroupMetadata {
        let protocol = self.protocol_name.as_deref();
        let member = |m: &Member| MemberMetadata {
            member_id: m.member_id.clone(),
            instance_id: m.instance_id.clone(),
            client_id: m.client_id.clone(),
            client_host: m.client_host.clone(),
            rebalance_timeout_ms: m.rebalance_timeout_ms,
            session_timeout_ms: m.session_timeout_ms,
            subscription: protocol.and_then(|p| m.metadata(p)).cloned().unwrap_or_default(),
            assignment: assignments
                .map_or(m.assignment.as_ref(), |all| all.get(&m.member_id))
                .cloned()
                .unwrap_or_default(),
        };
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.clone(),
            state_since_ms: self.state_since_ms,
            members: self.members.values().map(member).collect(),
        }
    }

    /// A record of this group is stored, or could not be.
    pub(super) fn persisted(
        &mut self,
        then: OnPersisted,
        result: Result<(), AppendError>,
        turn: &mut Turn<'_>,
    ) {
        match then {
            OnPersisted::Nothing => {}
            OnPersisted::Assignment { generation, assignments } => {
                // Somebody may have joined meanwhile, and a rebalance have begun: then this assignment is void.
                if self.state() == GroupState::CompletingRebalance && generation == self.generation
                {
                    self.assignment_persisted(&assignments, result, turn);
                }
            }
            OnPersisted::StaticMember(replaced) => {
                self.static_member_persisted(&replaced, result, turn);
            }
        }
    }

    fn assignment_persisted(
        &mut self,
        assignments: &BTreeMap<String, Bytes>,
        result: Result<(), AppendError>,
        turn: &mut Turn<'_>,
    ) {
        assert!(self.assignment_in_flight, "an assignment of this generation was on its way");
        self.assignment_in_flight = false;
        if let Err(error) = result {
            self.reset_assignment(error.for_metadata(), turn);
            self.prepare_rebalance(turn);
            return;
        }
        for member in self.members.values_mut() {
            let assignment = assignments.get(&member.member_id);
            assert!(assignment.is_some(), "members cannot change while a generation lasts");
            member.assignment = assignment.cloned();
        }
        self.transition_to(GroupState::Stable, turn.now);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let token = self.members.get_mut(&id).and_then(|m| m.awaiting_sync.take());
            if let Some(token) = token {
                turn.answers.push(Answer::Sync(token, Ok(self.synced(&id))));
                self.renew_session(&id, turn);
            }
        }
    }

    fn static_member_persisted(
        &mut self,
        replaced: &StaticMemberReplaced,
        result: Result<(), AppendError>,
        turn: &mut Turn<'_>,
    ) {
        let member = self.members.get(&replaced.new_id);
        // Gone, replaced again, or joining anew: then its request has been answered, or a rebalance will.
        if self.state() != GroupState::Stable
            || member.is_none_or(|m| m.awaiting_join != Some(replaced.token))
        {
            return;
        }
        match result {
            Ok(()) => self.accept_static_member(replaced, turn),
            Err(error) => {
                // The predecessor's id is the one on record, so it is the one that counts.
                self.refuse_join(&replaced.new_id, error.for_metadata(), "", turn);
                self.replace_static_member(&replaced.new_id, &replaced.old_id, turn);
                self.set_terms(
                    &replaced.old_id,
                    replaced.old_protocols.clone(),
                    replaced.old_rebalance_timeout_ms,
                    replaced.old_session_timeout_ms,
                );
                self.renew_session(&replaced.old_id, turn);
            }
        }
    }

    fn accept_static_member(&mut self, replaced: &StaticMemberReplaced, turn: &mut Turn<'_>) {
        let new_id = replaced.new_id.as_str();
        let leads = self.is_leader(new_id);
        if replaced.supports_skip_assignment {
            // KIP-814: it leads again, so it needs the members, but must not assign anew.
            self.accept_join(new_id, leads, turn);
        } else {
            // Before version 9 a restarted leader is kept from assigning by being told of the leader that it was.
            self.accept_join(new_id, false, turn);
            if let Some(Answer::Join(_, Ok(joined))) = turn.answers.last_mut() {
                joined.members.clear();
                joined.leader = replaced.leader_before.clone().unwrap_or_default();
            }
        }
        self.renew_session(new_id, turn);
    }
}
