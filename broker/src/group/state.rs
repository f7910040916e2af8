//! A classic group: its state machine and its fields. The events are in files of their own (join, sync, heartbeat,
//! leave, tick); each is a plain function over this state and the moment.

use std::collections::{BTreeMap, BTreeSet};

use ringlane_reactor::Instant;

use super::config::GroupConfig;
use super::effects::Answer;
use super::member::Member;
use super::persist::Persist;
use super::request::{Generation, Now};

/// Where a group stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GroupState {
    /// No members; also a "simple" group that only stores offsets.
    Empty,
    /// Waiting for the members to join.
    PreparingRebalance,
    /// The generation has begun; waiting for the leader's assignment to arrive and to be stored.
    CompletingRebalance,
    /// Every member has an assignment.
    Stable,
    /// Being removed, or its coordinator has moved.
    Dead,
}

impl GroupState {
    /// Kafka's name, as ListGroups and DescribeGroups give it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }

    /// Whether a group may go from here to `next`.
    fn may_become(self, next: Self) -> bool {
        use GroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        matches!(
            (self, next),
            (Stable | CompletingRebalance | Empty, PreparingRebalance)
                | (PreparingRebalance, CompletingRebalance | Empty)
                | (CompletingRebalance, Stable)
                | (_, Dead)
                // Not Kafka's: the tombstones of a deletion could not be stored, so the group is still there.
                | (Dead, Empty)
        )
    }
}

/// What ends the wait for members to join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum JoinTimer {
    /// KIP-134: the first rebalance of an empty group waits in steps of `group.initial.rebalance.delay.ms`, and
    /// goes on waiting while members keep coming, up to the rebalance timeout.
    Initial { at: Instant, delay_ms: i32, remaining_ms: i32 },
    /// The rebalance timeout: the largest of the members' (KIP-62).
    Rebalance { at: Instant },
}

impl JoinTimer {
    pub(super) fn at(self) -> Instant {
        match self {
            Self::Initial { at, .. } | Self::Rebalance { at } => at,
        }
    }
}

/// One classic group. See [`Group::assert_consistent`] for what always holds between two events.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: String,
    state: GroupState,
    previous_state: GroupState,
    /// Wall clock of the last transition; none when an old record did not say.
    pub(super) state_since_ms: Option<i64>,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) generation: Generation,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Instance id to member id (KIP-345).
    pub(super) static_members: BTreeMap<String, String>,
    /// Members told to join with the id they were given (KIP-394), and until when that id is kept for them.
    pub(super) pending_members: BTreeMap<String, Instant>,
    /// Members whose SyncGroup of this generation has not arrived.
    pub(super) pending_sync: BTreeSet<String>,
    /// How many members support each protocol.
    pub(super) protocol_support: BTreeMap<String, usize>,
    /// What the members consume, where the coordinator can read it: such offsets do not expire.
    pub(super) subscribed_topics: Option<BTreeSet<String>>,
    /// A member came while the initial rebalance waits.
    pub(super) new_member_added: bool,
    /// Members with a parked JoinGroup.
    pub(super) awaiting_join_count: usize,
    /// This generation's assignment is being stored.
    pub(super) assignment_in_flight: bool,
    pub(super) join_timer: Option<JoinTimer>,
    pub(super) sync_deadline: Option<Instant>,
    /// No deadline lies before this moment. Deadlines that move away leave it behind; `tick` corrects it.
    pub(super) wake_at: Option<Instant>,
}

/// One event: its moment, the settings, and the effects gathered while it is handled.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a GroupConfig,
    pub(super) answers: Vec<Answer>,
    pub(super) persists: Vec<Persist>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(now: Now, config: &'a GroupConfig) -> Self {
        Self { now, config, answers: Vec::new(), persists: Vec::new() }
    }
}

impl Group {
    /// A group that nobody has joined.
    pub(super) fn new(id: String, now: Now) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_since_ms: Some(now.wall_clock_ms),
            protocol_type: None,
            protocol_name: None,
            generation: Generation(0),
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            protocol_support: BTreeMap::new(),
            subscribed_topics: None,
            new_member_added: false,
            awaiting_join_count: 0,
            assignment_in_flight: false,
            join_timer: None,
            sync_deadline: None,
            wake_at: None,
        }
    }

    /// The state now.
    pub(super) fn state(&self) -> GroupState {
        self.state
    }

    /// The state before this one: an Empty one tells the initial rebalance from the others.
    pub(super) fn previous_state(&self) -> GroupState {
        self.previous_state
    }

    /// Whether nothing about this group is worth remembering: it never had a generation, and nobody is about to join.
    pub(super) fn is_pristine(&self) -> bool {
        self.state == GroupState::Empty
            && self.generation == Generation(0)
            && self.protocol_type.is_none()
            && self.pending_members.is_empty()
    }

    /// Moves to `next`, the one place where the state moves.
    pub(super) fn transition_to(&mut self, next: GroupState, now: Now) {
        let (id, state) = (&self.id, self.state);
        assert!(state.may_become(next), "group {id} cannot go from {state:?} to {next:?}");
        self.previous_state = state;
        self.state = next;
        self.state_since_ms = Some(now.wall_clock_ms);
        match next {
            GroupState::Empty => {
                assert!(self.members.is_empty(), "an Empty group has no members");
                assert!(self.join_timer.is_none(), "nobody is waited for in an Empty group");
            }
            GroupState::PreparingRebalance => {
                assert!(self.sync_deadline.is_none(), "a rebalance ends the wait for syncs");
                assert!(self.pending_sync.is_empty(), "a rebalance forgets whose sync is missing");
            }
            GroupState::CompletingRebalance => {
                assert!(self.leader.is_some(), "a generation has a leader");
                assert!(self.join_timer.is_none(), "the join phase is over");
                assert!(self.protocol_name.is_some(), "a generation has a protocol");
            }
            GroupState::Stable => {
                let assigned = self.members.values().all(|m| m.assignment.is_some());
                assert!(assigned, "every member of a Stable group has an assignment");
            }
            GroupState::Dead => {}
        }
    }

    /// Sets the state of a group read from a record; only replay makes such a jump.
    pub(super) fn restore_state(&mut self, state: GroupState, since_ms: Option<i64>) {
        assert_eq!(self.previous_state, GroupState::Dead, "only a group just made is restored");
        assert!(matches!(state, GroupState::Empty | GroupState::Stable), "records know two states");
        self.state = state;
        self.state_since_ms = since_ms;
    }

    /// Notes a new deadline.
    pub(super) fn arm(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// The exact next deadline, by a walk over the members.
    pub(super) fn earliest_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().filter_map(|m| m.session_deadline);
        let pending = self.pending_members.values().copied();
        let timers = self.join_timer.map(JoinTimer::at).into_iter().chain(self.sync_deadline);
        sessions.chain(pending).chain(timers).min()
    }
}
