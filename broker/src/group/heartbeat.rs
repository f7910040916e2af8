//! Heartbeat and LeaveGroup: the signs that a member lives, or that it goes.

use super::error::GroupError;
use super::request::{Generation, MemberIdentity};
use super::state::{Group, GroupState, Turn};

impl Group {
    /// Handles a Heartbeat. REBALANCE_IN_PROGRESS renews the session too: the member is there, and about to join.
    pub(super) fn heartbeat(
        &mut self,
        identity: &MemberIdentity,
        generation: Generation,
        turn: &Turn<'_>,
    ) -> Result<(), GroupError> {
        if self.state() == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        self.validate_member(identity)?;
        if generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        self.renew_session(&identity.member_id, turn);
        if self.state() == GroupState::PreparingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Handles a LeaveGroup: an outcome for each member named, and one rebalance for all that left.
    pub(super) fn leave(
        &mut self,
        members: &[MemberIdentity],
        turn: &mut Turn<'_>,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if self.state() == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let outcomes: Vec<_> = members.iter().map(|member| self.leave_one(member, turn)).collect();
        if outcomes.iter().any(Result::is_ok) {
            match self.state() {
                GroupState::Stable | GroupState::CompletingRebalance => {
                    self.prepare_rebalance(turn);
                }
                GroupState::PreparingRebalance => self.maybe_complete_join_phase(turn),
                GroupState::Empty | GroupState::Dead => {}
            }
        }
        Ok(outcomes)
    }

    fn leave_one(
        &mut self,
        identity: &MemberIdentity,
        turn: &mut Turn<'_>,
    ) -> Result<(), GroupError> {
        let member_id = if identity.member_id.is_empty() {
            // KIP-345: an administrator removes a static member by its instance id alone.
            let instance_id = identity.instance_id.as_ref().ok_or(GroupError::UnknownMemberId)?;
            self.static_members.get(instance_id).cloned().ok_or(GroupError::UnknownMemberId)?
        } else {
            if !self.pending_members.contains_key(&identity.member_id) {
                self.validate_member(identity)?;
            }
            identity.member_id.clone()
        };
        self.remove(&member_id, GroupError::UnknownMemberId, turn);
        Ok(())
    }
}
