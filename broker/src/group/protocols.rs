//! The protocols (ways to assign partitions) that a group's members support, and the vote among them.

use std::collections::{BTreeMap, BTreeSet};

use super::request::Protocol;
use super::state::{Group, GroupState};
use super::subscription::subscribed_topics;

impl Group {
    pub(super) fn count_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.protocol_support.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    pub(super) fn uncount_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            let count = self.protocol_support.get_mut(&protocol.name).expect("was counted");
            *count = count.checked_sub(1).expect("was counted");
            if *count == 0 {
                self.protocol_support.remove(&protocol.name);
            }
        }
    }

    /// Whether a member with these protocols fits the others.
    pub(super) fn supports_protocols(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state() == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let everybody = self.members.len();
        let common =
            |p: &Protocol| self.protocol_support.get(&p.name).copied().unwrap_or(0) == everybody;
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(common)
    }

    /// The protocol with the most votes; each member votes for the first of its own that all support. A tie goes to
    /// the first name (Kafka leaves it to chance).
    pub(super) fn select_protocol(&self) -> Option<String> {
        let everybody = self.members.len();
        let common = self.protocol_support.iter().filter(|(_, count)| **count == everybody);
        let candidates: BTreeSet<&str> = common.map(|(name, _)| name.as_str()).collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for vote in self.members.values().filter_map(|m| m.vote(&candidates)) {
            *votes.entry(vote).or_default() += 1;
        }
        let winner = votes.into_iter().rev().max_by_key(|(_, count)| *count);
        winner.map(|(name, _)| name.to_owned())
    }

    /// Reads from the members' subscriptions what the group consumes; none when the coordinator cannot read them.
    pub(super) fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let Some(protocol) = self.protocol_name.as_deref() else {
            return self.members.is_empty().then(BTreeSet::new);
        };
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscribed_topics(member.metadata(protocol)?)?);
        }
        Some(topics)
    }

    /// Whether this is a group of consumers (and not of, say, Connect workers).
    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }
}
