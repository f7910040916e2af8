//! Entering a classic group: join, and as its leader assign, then sync (KIP-394 gives the member its id first).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use ringlane_wire::messages::join_group::JoinGroupRequestProtocol;
use ringlane_wire::messages::sync_group::SyncGroupRequestAssignment;
use ringlane_wire::messages::{JoinGroupRequest, SyncGroupRequest};

use super::{GroupConfig, assignor};
use crate::answer::Answer;
use crate::client::Client;
use crate::error::Error;

const ASSIGNOR: &str = "range";
const PROTOCOL_TYPE: &str = "consumer";
/// The subscription's version: owned partitions, generations and racks, which later ones add, mean nothing to `range`.
const SUBSCRIPTION_VERSION: i16 = 0;

/// Who a member is in a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) member_id: String,
    pub(super) generation: i32,
}

/// What one attempt to join came to.
enum Joined {
    Leader(Membership, BTreeMap<String, Vec<String>>),
    Follower(Membership),
}

/// Joins until it is a member with an assignment: topics with their partitions. `member_id` is that of before, or
/// empty; it is set as soon as the coordinator gives one, so that whoever stops waiting can still leave.
pub(super) async fn join(
    client: &Client,
    config: &GroupConfig,
    member_id: &mut String,
) -> Result<(Membership, BTreeMap<String, Vec<i32>>), Error> {
    let mut retry = client.retry(client.config().retry_timeout + config.rebalance_timeout);
    loop {
        let error = match attempt(client, config, member_id).await {
            Ok(joined) => return Ok(joined),
            Err(error) => error,
        };
        match error.code() {
            Some(ErrorCode::MEMBER_ID_REQUIRED) => {}
            Some(ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION) => member_id.clear(),
            // The next generation has begun already.
            Some(ErrorCode::REBALANCE_IN_PROGRESS) => {}
            _ => retry.after(error).await?,
        }
    }
}

async fn attempt(
    client: &Client,
    config: &GroupConfig,
    member_id: &mut String,
) -> Result<(Membership, BTreeMap<String, Vec<i32>>), Error> {
    let answer = send_join(client, config, member_id).await?;
    let (membership, assignments) = match read_join(&answer, config, member_id)? {
        Joined::Follower(membership) => (membership, Vec::new()),
        Joined::Leader(membership, members) => (membership, assign(client, &members).await?),
    };
    let assignment = sync(client, config, &membership, &assignments).await?;
    Ok((membership, assignment))
}

async fn send_join(
    client: &Client,
    config: &GroupConfig,
    member_id: &str,
) -> Result<Answer, Error> {
    let topics = config.topics.iter().map(String::as_str).collect();
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    let metadata = encoded(subscription.encode(SUBSCRIPTION_VERSION))?;
    let request = JoinGroupRequest {
        group_id: &config.group,
        session_timeout_ms: config.session_timeout.as_millis() as i32,
        rebalance_timeout_ms: config.rebalance_timeout.as_millis() as i32,
        member_id,
        protocol_type: PROTOCOL_TYPE,
        protocols: vec![JoinGroupRequestProtocol { name: ASSIGNOR, metadata: &metadata }],
        ..Default::default()
    };
    let coordinator = client.group_coordinator(&config.group).await?;
    coordinator.call_patiently(&request, config.rebalance_timeout).await
}

/// What the coordinator says; it may give the member its id also when it refuses.
fn read_join(
    answer: &Answer,
    config: &GroupConfig,
    member_id: &mut String,
) -> Result<Joined, Error> {
    let response = answer.decode::<JoinGroupRequest<'_>>()?;
    if !response.member_id.is_empty() {
        response.member_id.clone_into(member_id);
    }
    answer.check(response.error_code, &config.group, None)?;
    let membership =
        Membership { member_id: member_id.clone(), generation: response.generation_id };
    if response.leader != response.member_id {
        return Ok(Joined::Follower(membership));
    }
    let mut members = BTreeMap::new();
    for member in &response.members {
        let subscription = ConsumerProtocolSubscription::decode(member.metadata);
        let subscription = subscription.map_err(|error| Error::Data {
            place: format!("the subscription of {} in group {}", member.member_id, config.group),
            reason: error.to_string(),
        })?;
        let topics = subscription.topics.iter().map(|topic| (*topic).to_owned()).collect();
        members.insert(member.member_id.to_owned(), topics);
    }
    Ok(Joined::Leader(membership, members))
}

/// What each member gets, encoded. A topic that does not exist has no partitions.
async fn assign(
    client: &Client,
    members: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<(String, Bytes)>, Error> {
    let mut counts = BTreeMap::new();
    for topic in members.values().flatten().collect::<BTreeSet<_>>() {
        match client.topic(topic).await {
            Ok(known) => drop(counts.insert(topic.clone(), known.partitions.len())),
            Err(error) if error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {}
            Err(error) => return Err(error),
        }
    }
    let mut encoded_assignments = Vec::new();
    for (member, topics) in assignor::range(members, &counts) {
        let partitions = topics.iter();
        let partitions = partitions
            .map(|(topic, partitions)| TopicPartition { topic, partitions: partitions.clone() });
        let assignment = ConsumerProtocolAssignment {
            assigned_partitions: partitions.collect(),
            ..Default::default()
        };
        encoded_assignments.push((member, encoded(assignment.encode(SUBSCRIPTION_VERSION))?));
    }
    Ok(encoded_assignments)
}

fn encoded(bytes: Result<Bytes, ringlane_wire::EncodeError>) -> Result<Bytes, Error> {
    bytes.map_err(|error| Error::Invalid(format!("the group's topics cannot be sent: {error}")))
}

async fn sync(
    client: &Client,
    config: &GroupConfig,
    membership: &Membership,
    assignments: &[(String, Bytes)],
) -> Result<BTreeMap<String, Vec<i32>>, Error> {
    let assignments = assignments.iter();
    let assignments = assignments
        .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
    let request = SyncGroupRequest {
        group_id: &config.group,
        generation_id: membership.generation,
        member_id: &membership.member_id,
        protocol_type: Some(PROTOCOL_TYPE),
        protocol_name: Some(ASSIGNOR),
        assignments: assignments.collect(),
        ..Default::default()
    };
    let coordinator = client.group_coordinator(&config.group).await?;
    let answer = coordinator.call_patiently(&request, config.rebalance_timeout).await?;
    let response = answer.decode::<SyncGroupRequest<'_>>()?;
    answer.check(response.error_code, &config.group, None)?;
    if response.assignment.is_empty() {
        return Ok(BTreeMap::new());
    }
    let assignment = ConsumerProtocolAssignment::decode(response.assignment);
    let assignment = assignment.map_err(|error| Error::Data {
        place: format!("the assignment of group {}", config.group),
        reason: error.to_string(),
    })?;
    let partitions = assignment.assigned_partitions.into_iter();
    Ok(partitions.map(|assigned| (assigned.topic.to_owned(), assigned.partitions)).collect())
}
