//! Who is in a group: adding, removing and replacing members, their parked requests, the leader, and the check of who
//! may speak for a member.

use std::time::Duration;

use super::config::millis;
use super::effects::{Answer, JoinRefused, Joined, JoinedMember};
use super::error::GroupError;
use super::member::{Member, distinct};
use super::request::{JoinRequest, MemberIdentity, Protocol, RequestToken};
use super::state::{Group, Turn};

impl Group {
    /// Adds a member whose JoinGroup, if any, waits under `awaiting`. The first becomes the leader.
    pub(super) fn add(&mut self, mut member: Member, awaiting: Option<RequestToken>) {
        let id = member.member_id.clone();
        assert!(!self.members.contains_key(&id), "a member is added once");
        if let Some(instance_id) = &member.instance_id {
            let before = self.static_members.insert(instance_id.clone(), id.clone());
            assert!(before.is_none(), "an instance id names one member");
        }
        self.count_protocols(&member.protocols);
        self.awaiting_join_count += usize::from(awaiting.is_some());
        member.awaiting_join = awaiting;
        self.pending_members.remove(&id);
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id, member);
    }

    /// Removes a member, or one that was about to join; its waiting requests are answered with `error` (a client
    /// that is still there joins again). Another member becomes the leader if it was this one.
    pub(super) fn remove(&mut self, member_id: &str, error: GroupError, turn: &mut Turn<'_>) {
        if self.members.contains_key(member_id) {
            self.refuse_join(member_id, error, "", turn);
            self.refuse_sync(member_id, error, turn);
        }
        if let Some(member) = self.members.remove(member_id) {
            self.uncount_protocols(&member.protocols);
            if let Some(instance_id) = &member.instance_id {
                let indexed = self.static_members.remove(instance_id);
                assert_eq!(indexed.as_deref(), Some(member_id), "the index knew the member");
            }
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_members.remove(member_id);
        self.pending_sync.remove(member_id);
    }

    /// KIP-345: gives a static member a new id, keeping what it was assigned. Whatever waits under the old id
    /// belongs to a process that this one replaces, and is fenced.
    pub(super) fn replace_static_member(
        &mut self,
        old_id: &str,
        new_id: &str,
        turn: &mut Turn<'_>,
    ) {
        assert!(!self.members.contains_key(new_id), "the new id is nobody's");
        self.refuse_join(old_id, GroupError::FencedInstanceId, old_id, turn);
        self.refuse_sync(old_id, GroupError::FencedInstanceId, turn);
        let mut member = self.members.remove(old_id).expect("only a member can be replaced");
        let instance_id = member.instance_id.clone().expect("only a static member is replaced");
        member.member_id = new_id.to_owned();
        member.is_new = false;
        self.members.insert(new_id.to_owned(), member);
        self.static_members.insert(instance_id, new_id.to_owned());
        if self.leader.as_deref() == Some(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.to_owned());
        }
    }

    /// Takes over what a member's JoinGroup says, and parks it. A JoinGroup of the same member that still waits is
    /// superseded; its connection is told to try again.
    pub(super) fn update_member(
        &mut self,
        member_id: &str,
        request: &JoinRequest,
        turn: &mut Turn<'_>,
    ) {
        self.refuse_join(member_id, GroupError::RebalanceInProgress, member_id, turn);
        let protocols = distinct(&request.protocols);
        self.set_terms(
            member_id,
            protocols,
            request.rebalance_timeout_ms,
            request.session_timeout_ms,
        );
        let member = self.members.get_mut(member_id).expect("only a member is updated");
        member.awaiting_join = Some(request.token);
        self.awaiting_join_count += 1;
    }

    /// Replaces what a member supports, and its timeouts.
    pub(super) fn set_terms(
        &mut self,
        member_id: &str,
        protocols: Vec<Protocol>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
    ) {
        let member = self.members.get_mut(member_id).expect("only a member has terms");
        let before = std::mem::replace(&mut member.protocols, protocols.clone());
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        self.uncount_protocols(&before);
        self.count_protocols(&protocols);
    }

    /// Answers a parked JoinGroup, if the member has one, with an error.
    pub(super) fn refuse_join(
        &mut self,
        member_id: &str,
        error: GroupError,
        answered_id: &str,
        turn: &mut Turn<'_>,
    ) {
        if let Some(token) = self.take_awaiting_join(member_id) {
            let refused = JoinRefused { error, member_id: answered_id.to_owned() };
            turn.answers.push(Answer::Join(token, Err(refused)));
        }
    }

    /// Answers a parked SyncGroup, if the member has one, with an error.
    pub(super) fn refuse_sync(&mut self, member_id: &str, error: GroupError, turn: &mut Turn<'_>) {
        let member = self.members.get_mut(member_id);
        if let Some(token) = member.and_then(|m| m.awaiting_sync.take()) {
            turn.answers.push(Answer::Sync(token, Err(error)));
        }
    }

    /// Answers a parked JoinGroup, if the member has one, with the generation.
    pub(super) fn accept_join(&mut self, member_id: &str, skip: bool, turn: &mut Turn<'_>) {
        if let Some(token) = self.take_awaiting_join(member_id) {
            turn.answers.push(Answer::Join(token, Ok(self.joined(member_id, skip))));
        }
    }

    fn take_awaiting_join(&mut self, member_id: &str) -> Option<RequestToken> {
        let token = self.members.get_mut(member_id)?.awaiting_join.take()?;
        assert!(self.awaiting_join_count > 0, "parked joins are counted");
        self.awaiting_join_count -= 1;
        Some(token)
    }

    /// What a member of the current generation is told; the leader learns of everybody.
    pub(super) fn joined(&self, member_id: &str, skip_assignment: bool) -> Joined {
        let protocol = self.protocol_name.as_deref().expect("a generation has a protocol");
        let leads = self.is_leader(member_id);
        let everybody = self.members.values().filter(|_| leads).map(|m| JoinedMember {
            member_id: m.member_id.clone(),
            instance_id: m.instance_id.clone(),
            metadata: m.metadata(protocol).cloned().unwrap_or_default(),
        });
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().expect("a generation has a leader"),
            member_id: member_id.to_owned(),
            members: everybody.collect(),
            skip_assignment,
        }
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Whether everybody is here: each member's JoinGroup waits, and nobody is expected to join.
    pub(super) fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join_count && self.pending_members.is_empty()
    }

    /// Makes sure that the leader is a member that joined. False when nobody did.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let joined = |m: &&Member| m.awaiting_join.is_some();
        let leads = self.leader.as_ref().and_then(|id| self.members.get(id)).filter(joined);
        let leader = leads.or_else(|| self.members.values().find(joined));
        let Some(leader) = leader.map(|m| m.member_id.clone()) else { return false };
        self.leader = Some(leader);
        true
    }

    /// The largest of the members' rebalance timeouts (KIP-62): everybody gets the time that one of them asks for.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        millis(self.rebalance_timeout_ms())
    }

    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|m| m.rebalance_timeout_ms.max(0)).max().unwrap_or(0)
    }

    /// Whether `identity` may speak for a member now.
    ///
    /// KIP-345: of two processes with one instance id, the one whose member id the group knows is right.
    pub(super) fn validate_member(&self, identity: &MemberIdentity) -> Result<(), GroupError> {
        if let Some(instance_id) = &identity.instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(GroupError::UnknownMemberId),
                Some(id) if *id != identity.member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(&identity.member_id) {
            Ok(())
        } else {
            Err(GroupError::UnknownMemberId)
        }
    }

    /// Begins a member's session anew.
    pub(super) fn renew_session(&mut self, member_id: &str, turn: &Turn<'_>) {
        let member = self.members.get(member_id).expect("only a member has a session");
        self.expire_session_after(member_id, member.session_timeout(), turn);
    }

    /// Gives a member `timeout` until its next sign of life.
    pub(super) fn expire_session_after(
        &mut self,
        member_id: &str,
        timeout: Duration,
        turn: &Turn<'_>,
    ) {
        let at = turn.now.instant + timeout;
        let member = self.members.get_mut(member_id).expect("only a member has a session");
        member.session_deadline = Some(at);
        self.arm(at);
    }
}
