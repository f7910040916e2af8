//! SyncGroup: members wait for the leader's assignment, which is stored first and answered second.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::effects::{Answer, Synced};
use super::error::GroupError;
use super::persist::{OnPersisted, Persist};
use super::request::SyncRequest;
use super::state::{Group, GroupState, Turn};

impl Group {
    /// Handles a SyncGroup: answered in this turn, or parked under its token.
    pub(super) fn sync(&mut self, request: &SyncRequest, turn: &mut Turn<'_>) {
        let token = request.token;
        if let Err(error) = self.validate_sync(request) {
            turn.answers.push(Answer::Sync(token, Err(error)));
            return;
        }
        let member_id = request.identity.member_id.as_str();
        match self.state() {
            GroupState::Empty | GroupState::Dead => unreachable!("such a group has no members"),
            GroupState::PreparingRebalance => {
                turn.answers.push(Answer::Sync(token, Err(GroupError::RebalanceInProgress)));
            }
            GroupState::CompletingRebalance => {
                self.refuse_sync(member_id, GroupError::RebalanceInProgress, turn);
                let member = self.members.get_mut(member_id).expect("validated");
                member.awaiting_sync = Some(token);
                self.has_synced(member_id);
                // A leader that repeats itself waits for its first assignment to be stored.
                if self.is_leader(member_id) && !self.assignment_in_flight {
                    self.store_assignment(&request.assignments, turn);
                }
            }
            GroupState::Stable => {
                self.has_synced(member_id);
                turn.answers.push(Answer::Sync(token, Ok(self.synced(member_id))));
            }
        }
    }

    fn validate_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        match self.state() {
            GroupState::Dead => return Err(GroupError::CoordinatorNotAvailable),
            GroupState::Empty => return Err(GroupError::UnknownMemberId),
            _ => self.validate_member(&request.identity)?,
        }
        let differs = |asked: &Option<String>, ours: &Option<String>| {
            asked.is_some() && ours.is_some() && asked != ours
        };
        if request.generation != self.generation {
            Err(GroupError::IllegalGeneration)
        } else if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            // KIP-559
            Err(GroupError::InconsistentGroupProtocol)
        } else {
            Ok(())
        }
    }

    fn has_synced(&mut self, member_id: &str) {
        self.pending_sync.remove(member_id);
        if self.pending_sync.is_empty() {
            self.sync_deadline = None;
        }
    }

    /// Members that the leader forgot are assigned nothing.
    fn store_assignment(&mut self, assignments: &[(String, Bytes)], turn: &mut Turn<'_>) {
        assert_eq!(self.state(), GroupState::CompletingRebalance, "assignments come after joins");
        let mut all: BTreeMap<String, Bytes> =
            self.members.keys().map(|id| (id.clone(), Bytes::new())).collect();
        for (member_id, assignment) in assignments {
            if let Some(slot) = all.get_mut(member_id) {
                *slot = assignment.clone();
            }
        }
        self.assignment_in_flight = true;
        let record = self.metadata_record(Some(&all));
        let then = OnPersisted::Assignment { generation: self.generation, assignments: all };
        turn.persists.push(Persist { record, then });
    }

    pub(super) fn synced(&self, member_id: &str) -> Synced {
        assert_eq!(self.state(), GroupState::Stable, "assignments are told when they are stored");
        let assignment = self.members[member_id].assignment.clone();
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: assignment.expect("every member of a Stable group has an assignment"),
        }
    }

    /// Takes back what this generation was assigned, and answers the SyncGroups that wait with `error`.
    pub(super) fn reset_assignment(&mut self, error: GroupError, turn: &mut Turn<'_>) {
        assert_eq!(self.state(), GroupState::CompletingRebalance, "only an open one is reset");
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let member = self.members.get_mut(&id).expect("listed above");
            member.assignment = None;
            if member.awaiting_sync.is_some() {
                self.refuse_sync(&id, error, turn);
                self.renew_session(&id, turn);
            }
        }
    }
}
