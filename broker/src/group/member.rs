//! One member of a group: what it can do, what it was assigned, which of its requests wait, and when it is given up.

use std::collections::BTreeSet;

use bytes::Bytes;
use ringlane_reactor::Instant;

use super::config::millis;
use super::request::{JoinRequest, Protocol, RequestToken};

/// A member. Its id and its instance id never change; everything else follows its last JoinGroup.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// In order of preference, each name once.
    pub(super) protocols: Vec<Protocol>,
    /// None before the first assignment; empty bytes are an assignment (of nothing).
    pub(super) assignment: Option<Bytes>,
    /// A parked JoinGroup. Changed only by the group, which counts these.
    pub(super) awaiting_join: Option<RequestToken>,
    /// A parked SyncGroup.
    pub(super) awaiting_sync: Option<RequestToken>,
    /// When the member is given up; none while a parked request vouches for it.
    pub(super) session_deadline: Option<Instant>,
    /// Its first JoinGroup has not been answered: it cannot send heartbeats, so nothing vouches for it.
    pub(super) is_new: bool,
}

impl Member {
    /// The member that `request` describes, under `member_id`.
    pub(super) fn new(member_id: String, request: &JoinRequest) -> Self {
        assert!(!member_id.is_empty(), "a member is known by an id");
        Self {
            member_id,
            instance_id: request.identity.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: distinct(&request.protocols),
            assignment: None,
            awaiting_join: None,
            awaiting_sync: None,
            session_deadline: None,
            is_new: true,
        }
    }

    /// Whether the member is known to live without a heartbeat: a request of it is parked. A new member is not: its
    /// client may be gone, and have joined again under another id.
    pub(super) fn is_vouched_for(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// Whether a JoinGroup with these protocols changes nothing.
    pub(super) fn matches(&self, protocols: &[Protocol]) -> bool {
        self.protocols == distinct(protocols)
    }

    /// The metadata for one of its protocols.
    pub(super) fn metadata(&self, protocol_name: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|p| p.name == protocol_name).map(|p| &p.metadata)
    }

    /// The candidate that the member likes best. None when it supports no candidate.
    pub(super) fn vote(&self, candidates: &BTreeSet<&str>) -> Option<&str> {
        self.protocols.iter().map(|p| p.name.as_str()).find(|name| candidates.contains(name))
    }

    /// The session timeout as a duration.
    pub(super) fn session_timeout(&self) -> std::time::Duration {
        millis(self.session_timeout_ms)
    }
}

/// A name that a client lists twice counts once, or the group would count two members that support it.
pub(super) fn distinct(protocols: &[Protocol]) -> Vec<Protocol> {
    let mut names = BTreeSet::new();
    protocols.iter().filter(|p| names.insert(p.name.as_str())).cloned().collect()
}
