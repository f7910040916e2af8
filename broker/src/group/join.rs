//! JoinGroup: new members, static members that restart (KIP-345), members that join again.

use super::config::NEW_MEMBER_JOIN_TIMEOUT;
use super::config::millis;
use super::effects::{Answer, JoinRefused};
use super::error::GroupError;
use super::member::Member;
use super::persist::{OnPersisted, Persist, StaticMemberReplaced};
use super::request::{JoinRequest, RequestToken};
use super::state::{Group, GroupState, Turn};

impl Turn<'_> {
    /// Answers a JoinGroup with an error.
    pub(super) fn refuse_join(&mut self, token: RequestToken, error: GroupError, member_id: &str) {
        let refused = JoinRefused { error, member_id: member_id.to_owned() };
        self.answers.push(Answer::Join(token, Err(refused)));
    }
}

impl Group {
    /// Handles a JoinGroup: answered in this turn, or parked under its token.
    pub(super) fn join(&mut self, request: &JoinRequest, turn: &mut Turn<'_>) {
        let member_id = request.identity.member_id.as_str();
        if self.state() == GroupState::Dead {
            turn.refuse_join(request.token, GroupError::CoordinatorNotAvailable, member_id);
        } else if !self.has_room_for(member_id, turn) {
            // KIP-389: of a group that has grown too large, those that join last are put out.
            self.remove(member_id, GroupError::GroupMaxSizeReached, turn);
            turn.refuse_join(request.token, GroupError::GroupMaxSizeReached, "");
            self.maybe_complete_join_phase(turn);
        } else if !self.supports_protocols(&request.protocol_type, &request.protocols) {
            turn.refuse_join(request.token, GroupError::InconsistentGroupProtocol, member_id);
        } else if member_id.is_empty() {
            self.join_new(request, turn);
        } else {
            self.join_again(request, turn);
        }
    }

    /// Whether the group may take in this member. While members join, those who are here count: the members of the
    /// last generation may already be too many, after `group.max.size` was lowered.
    fn has_room_for(&self, member_id: &str, turn: &Turn<'_>) -> bool {
        let max = turn.config.max_size;
        let member = self.members.get(member_id);
        match self.state() {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(|m| m.awaiting_join.is_some()) || self.awaiting_join_count < max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.len() < max
            }
        }
    }

    fn join_new(&mut self, request: &JoinRequest, turn: &mut Turn<'_>) {
        let new_id = request.new_member_id.as_str();
        assert!(!self.members.contains_key(new_id), "member ids are random");
        if let Some(instance_id) = &request.identity.instance_id {
            match self.static_members.get(instance_id).cloned() {
                Some(old_id) => self.rejoin_static(request, &old_id, turn),
                None => self.add_and_rebalance(new_id, request, turn),
            }
        } else if request.requires_known_member_id {
            self.add_pending(request, turn);
        } else {
            self.add_and_rebalance(new_id, request, turn);
        }
    }

    /// KIP-394: the member is told its id and has its session timeout to come with it. So a client that gives up
    /// before the rebalance ends, and starts again, does not leave a member behind each time.
    fn add_pending(&mut self, request: &JoinRequest, turn: &mut Turn<'_>) {
        let new_id = request.new_member_id.as_str();
        if self.pending_members.len() >= turn.config.pending_members_max {
            turn.refuse_join(request.token, GroupError::GroupMaxSizeReached, "");
            return;
        }
        let at = turn.now.instant + millis(request.session_timeout_ms);
        self.pending_members.insert(new_id.to_owned(), at);
        self.arm(at);
        turn.refuse_join(request.token, GroupError::MemberIdRequired, new_id);
    }

    fn add_and_rebalance(&mut self, member_id: &str, request: &JoinRequest, turn: &mut Turn<'_>) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        // KIP-134: the initial rebalance goes on waiting.
        if self.state() == GroupState::PreparingRebalance
            && self.previous_state() == GroupState::Empty
        {
            self.new_member_added = true;
        }
        self.add(Member::new(member_id.to_owned(), request), Some(request.token));
        self.expire_session_after(member_id, NEW_MEMBER_JOIN_TIMEOUT, turn);
        self.rebalance_or_complete_join(turn);
    }

    fn join_again(&mut self, request: &JoinRequest, turn: &mut Turn<'_>) {
        let member_id = request.identity.member_id.as_str();
        let is_dynamic = request.identity.instance_id.is_none();
        if is_dynamic && self.pending_members.contains_key(member_id) {
            self.add_and_rebalance(member_id, request, turn);
            return;
        }
        if let Err(error) = self.validate_member(&request.identity) {
            turn.refuse_join(request.token, error, member_id);
            return;
        }
        let unchanged = self.members[member_id].matches(&request.protocols);
        let keeps_generation = match self.state() {
            GroupState::Empty | GroupState::Dead => unreachable!("such a group has no members"),
            GroupState::PreparingRebalance => false,
            // The answer to its first JoinGroup may have been lost: give it again.
            GroupState::CompletingRebalance => unchanged,
            // A leader that joins again wants a rebalance, e.g. because a topic has more partitions now.
            GroupState::Stable => unchanged && !self.is_leader(member_id),
        };
        if keeps_generation {
            turn.answers.push(Answer::Join(request.token, Ok(self.joined(member_id, false))));
        } else {
            self.update_member(member_id, request, turn);
            self.rebalance_or_complete_join(turn);
        }
    }

    /// A static member has restarted: it gets a new member id, and in a Stable group its old assignment without a
    /// rebalance, unless what it supports now changes the group's protocol (KIP-345).
    fn rejoin_static(&mut self, request: &JoinRequest, old_id: &str, turn: &mut Turn<'_>) {
        let new_id = request.new_member_id.as_str();
        let leader_before = self.leader.clone();
        self.replace_static_member(old_id, new_id, turn);
        self.renew_session(new_id, turn);
        let member = &self.members[new_id];
        let replaced = StaticMemberReplaced {
            token: request.token,
            old_id: old_id.to_owned(),
            new_id: new_id.to_owned(),
            old_protocols: member.protocols.clone(),
            old_rebalance_timeout_ms: member.rebalance_timeout_ms,
            old_session_timeout_ms: member.session_timeout_ms,
            leader_before,
            supports_skip_assignment: request.supports_skip_assignment,
        };
        self.update_member(new_id, request, turn);
        match self.state() {
            GroupState::Empty | GroupState::Dead => unreachable!("such a group has no members"),
            // The leader may be assigning to the old id right now, so begin again.
            GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance => self.maybe_complete_join_phase(turn),
            GroupState::Stable if self.select_protocol() == self.protocol_name => {
                let then = OnPersisted::StaticMember(Box::new(replaced));
                turn.persists.push(Persist { record: self.metadata_record(None), then });
            }
            GroupState::Stable => self.prepare_rebalance(turn),
        }
    }
}
