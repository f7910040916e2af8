//! What holds for a group between any two events, checked in debug builds and by the tests.

use super::state::{Group, GroupState};

impl Group {
    /// What holds between two events. Panics, naming what does not. Costs a walk over the members.
    pub(super) fn assert_consistent(&self) {
        let id = &self.id;
        let awaiting = self.members.values().filter(|m| m.awaiting_join.is_some()).count();
        assert_eq!(awaiting, self.awaiting_join_count, "{id}: parked joins are counted");
        assert_eq!(
            self.leader.is_some(),
            !self.members.is_empty(),
            "{id}: a leader when members exist"
        );
        if let Some(leader) = &self.leader {
            assert!(self.members.contains_key(leader), "{id}: the leader is a member");
        }
        for (instance_id, member_id) in &self.static_members {
            let member = self.members.get(member_id);
            let named = member.and_then(|m| m.instance_id.as_ref());
            assert_eq!(named, Some(instance_id), "{id}: the index of static members is exact");
        }
        let statics = self.members.values().filter(|m| m.instance_id.is_some()).count();
        assert_eq!(statics, self.static_members.len(), "{id}: every static member is indexed");
        for member_id in self.pending_members.keys() {
            assert!(!self.members.contains_key(member_id), "{id}: pending is not yet a member");
        }
        for member_id in &self.pending_sync {
            assert!(self.members.contains_key(member_id), "{id}: only members are asked to sync");
        }
        self.assert_deadlines();
    }

    /// Whatever a group waits for has an end.
    fn assert_deadlines(&self) {
        let id = &self.id;
        match self.state() {
            GroupState::Empty => assert!(self.members.is_empty(), "{id}: Empty means no members"),
            GroupState::PreparingRebalance => {
                assert!(self.join_timer.is_some(), "{id}: the wait for joins ends");
            }
            GroupState::CompletingRebalance => assert!(
                self.sync_deadline.is_some() || self.assignment_in_flight,
                "{id}: the wait for syncs ends"
            ),
            GroupState::Stable => {
                assert!(!self.members.is_empty(), "{id}: a Stable group has members");
                let waits = self.pending_sync.is_empty() || self.sync_deadline.is_some();
                assert!(waits, "{id}: the wait for late syncs ends");
            }
            GroupState::Dead => {}
        }
        for member in self.members.values() {
            let kept = member.session_deadline.is_some() || member.is_vouched_for();
            assert!(kept || self.state() == GroupState::Dead, "{id}: a silent member is given up");
        }
        let earliest = self.earliest_deadline();
        assert!(
            earliest.is_none_or(|at| self.wake_at.is_some_and(|wake_at| wake_at <= at)),
            "{id}: no deadline before the wake-up"
        );
    }
}
