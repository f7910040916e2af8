//! What time does to a group: sessions that end, members that never join or never sync, the rebalance timeout.

use super::error::GroupError;
use super::state::{Group, GroupState, Turn};

impl Group {
    /// Handles every deadline that has passed, and finds the next.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.wake_at.is_none_or(|at| at > turn.now.instant) {
            return;
        }
        self.expire_pending_members(turn);
        self.expire_sessions(turn);
        if let Some(timer) = self.join_timer.filter(|timer| timer.at() <= turn.now.instant) {
            self.join_timer_expired(timer, turn);
        }
        if self.sync_deadline.is_some_and(|at| at <= turn.now.instant) {
            self.expire_pending_sync(turn);
        }
        self.wake_at = self.earliest_deadline();
    }

    fn expire_pending_members(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        let before = self.pending_members.len();
        self.pending_members.retain(|_, at| *at > now);
        if self.pending_members.len() < before {
            self.complete_if_all_joined(turn);
        }
    }

    fn expire_sessions(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        let over = self.members.values().filter(|m| m.session_deadline.is_some_and(|at| at <= now));
        let over: Vec<String> = over.map(|m| m.member_id.clone()).collect();
        for member_id in over {
            // An earlier one of the list may have ended the generation, and this one with it.
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            if member.session_deadline.is_none_or(|at| at > now) {
                continue;
            }
            if member.is_vouched_for() {
                // The answer to its waiting request begins the session anew.
                member.session_deadline = None;
            } else {
                self.session_expired(&member_id, turn);
            }
        }
    }

    fn session_expired(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        self.remove(member_id, GroupError::UnknownMemberId, turn);
        match self.state() {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            _ => self.complete_if_all_joined(turn),
        }
    }

    /// Unlike a member that joins or leaves, one that is given up does not make the initial rebalance wait on.
    fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        if self.state() == GroupState::PreparingRebalance && self.has_all_members_joined() {
            self.complete_join_phase(turn);
        }
    }

    fn expire_pending_sync(&mut self, turn: &mut Turn<'_>) {
        assert!(!self.pending_sync.is_empty(), "the deadline goes when the last member syncs");
        let in_sync_phase =
            matches!(self.state(), GroupState::CompletingRebalance | GroupState::Stable);
        assert!(in_sync_phase, "a rebalance cancels the deadline");
        for member_id in std::mem::take(&mut self.pending_sync) {
            self.remove(&member_id, GroupError::UnknownMemberId, turn);
        }
        self.prepare_rebalance(turn);
    }
}
