//! The rebalance: when it begins, how long it waits for members to join, and how a generation starts (KIP-62,
//! KIP-134).

use std::time::Duration;

use super::config::millis;
use super::error::GroupError;
use super::persist::Persist;
use super::request::Generation;
use super::state::{Group, GroupState, JoinTimer, Turn};

/// The least time between two attempts to complete a rebalance that nobody joined, so that a client's rebalance
/// timeout of zero cannot keep the shard busy.
const RETRY_MIN: Duration = Duration::from_secs(1);

impl Group {
    /// Begins a rebalance, or, when one is on, completes it if that was the last member to come.
    pub(super) fn rebalance_or_complete_join(&mut self, turn: &mut Turn<'_>) {
        match self.state() {
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(turn);
            }
            GroupState::PreparingRebalance | GroupState::Dead => {
                self.maybe_complete_join_phase(turn);
            }
        }
    }

    /// Completes the join phase if everybody is here; the initial rebalance always waits for its timer.
    pub(super) fn maybe_complete_join_phase(&mut self, turn: &mut Turn<'_>) {
        if self.state() == GroupState::PreparingRebalance
            && self.previous_state() != GroupState::Empty
            && self.has_all_members_joined()
        {
            self.complete_join_phase(turn);
        }
    }

    /// Asks everybody to join again: they learn it from their next heartbeat, or from the SyncGroup that waits.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state() == GroupState::CompletingRebalance {
            self.reset_assignment(GroupError::RebalanceInProgress, turn);
        }
        self.pending_sync.clear();
        self.sync_deadline = None;
        self.assignment_in_flight = false;
        let is_initial = self.state() == GroupState::Empty;
        self.transition_to(GroupState::PreparingRebalance, turn.now);
        if is_initial {
            let delay_ms = turn.config.initial_rebalance_delay_ms.max(0);
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.start_initial_delay(delay_ms, delay_ms, remaining_ms, turn);
        } else if self.has_all_members_joined() {
            self.complete_join_phase(turn);
        } else {
            self.start_rebalance_timer(self.rebalance_timeout(), turn);
        }
    }

    fn start_initial_delay(
        &mut self,
        wait_ms: i32,
        delay_ms: i32,
        remaining_ms: i32,
        turn: &Turn<'_>,
    ) {
        let at = turn.now.instant + millis(wait_ms);
        self.join_timer = Some(JoinTimer::Initial { at, delay_ms, remaining_ms });
        self.arm(at);
    }

    fn start_rebalance_timer(&mut self, timeout: Duration, turn: &Turn<'_>) {
        let at = turn.now.instant + timeout;
        self.join_timer = Some(JoinTimer::Rebalance { at });
        self.arm(at);
    }

    /// The join timer ran out.
    pub(super) fn join_timer_expired(&mut self, timer: JoinTimer, turn: &mut Turn<'_>) {
        assert_eq!(self.state(), GroupState::PreparingRebalance, "only a rebalance has the timer");
        match timer {
            // KIP-134: members are still coming, and there is time left.
            JoinTimer::Initial { delay_ms, remaining_ms, .. }
                if self.new_member_added && remaining_ms != 0 =>
            {
                self.new_member_added = false;
                let wait_ms = turn.config.initial_rebalance_delay_ms.max(0).min(remaining_ms);
                let remaining_ms = remaining_ms.saturating_sub(delay_ms).max(0);
                self.start_initial_delay(wait_ms, wait_ms, remaining_ms, turn);
            }
            JoinTimer::Initial { .. } | JoinTimer::Rebalance { .. } => {
                self.complete_join_phase(turn);
            }
        }
    }

    /// Ends the join phase with those who came. Dynamic members that did not are out; static ones stay until their
    /// session ends (KIP-345).
    pub(super) fn complete_join_phase(&mut self, turn: &mut Turn<'_>) {
        assert_eq!(self.state(), GroupState::PreparingRebalance, "only a rebalance completes");
        self.join_timer = None;
        let absent =
            |m: &&super::member::Member| m.awaiting_join.is_none() && m.instance_id.is_none();
        let absent: Vec<String> =
            self.members.values().filter(absent).map(|m| m.member_id.clone()).collect();
        for member_id in absent {
            self.remove(&member_id, GroupError::UnknownMemberId, turn);
        }
        if self.members.is_empty() {
            self.become_empty(turn);
        } else if self.elect_joined_leader() {
            self.begin_generation(turn);
        } else {
            // Only static members, none of which has joined again: wait until one does or their sessions end.
            self.start_rebalance_timer(self.rebalance_timeout().max(RETRY_MIN), turn);
        }
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        assert!(self.leader.is_none(), "nobody leads an Empty group");
        self.advance_generation();
        self.protocol_name = None;
        self.subscribed_topics = self.compute_subscribed_topics();
        self.transition_to(GroupState::Empty, turn.now);
        turn.persists.push(Persist::empty_group(self));
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.advance_generation();
        self.protocol_name = self.select_protocol();
        assert!(self.protocol_name.is_some(), "members that fit share a protocol");
        self.subscribed_topics = self.compute_subscribed_topics();
        self.transition_to(GroupState::CompletingRebalance, turn.now);
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            self.accept_join(member_id, false, turn);
            self.renew_session(member_id, turn);
            self.members.get_mut(member_id).expect("listed above").is_new = false;
        }
        self.pending_sync = member_ids.into_iter().collect();
        // KIP-559's companion fix (KAFKA-9065): whoever does not sync in the rebalance timeout is out.
        let at = turn.now.instant + self.rebalance_timeout();
        self.sync_deadline = Some(at);
        self.arm(at);
    }

    fn advance_generation(&mut self) {
        let before = self.generation;
        self.generation = before.next();
        self.new_member_added = false;
        assert!(!self.assignment_in_flight, "the rebalance made the assignment before void");
        assert!(
            self.generation > before || before == Generation(i32::MAX),
            "generations only grow"
        );
    }
}
