//! Consumer groups: listed, described, their offsets, deleted.

use std::collections::BTreeMap;

use ringlane_wire::messages::consumer_protocol::ConsumerProtocolAssignment;
use ringlane_wire::messages::describe_groups::DescribedGroupMember;
use ringlane_wire::messages::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};

use super::Admin;
use crate::error::Error;
use crate::group::fetch_offsets;

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub id: String,
    /// Its state, as the coordinator names it.
    pub state: String,
    /// `consumer` for consumers.
    pub protocol_type: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// Its state, as the coordinator names it.
    pub state: String,
    /// `consumer` for consumers.
    pub protocol_type: String,
    /// The name of the assignor in use.
    pub assignor: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id, given by the coordinator.
    pub id: String,
    /// Its client's id.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// The partitions that it has, where its assignment is a consumer's.
    pub assigned: Vec<(String, Vec<i32>)>,
}

/// What a group has committed in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset that the group reads.
    pub offset: i64,
}

impl Admin {
    /// Every group, by id.
    ///
    /// # Errors
    /// When a broker cannot be asked: each coordinates some groups.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, Error> {
        self.client.refresh(&[]).await?;
        let request = ListGroupsRequest::default();
        let mut groups = BTreeMap::new();
        for broker in self.client.brokers() {
            let answer = self.client.connection(broker.id).await?.call(&request).await?;
            let response = answer.decode::<ListGroupsRequest<'_>>()?;
            answer.check(response.error_code, "", None)?;
            for group in &response.groups {
                let listing = GroupListing {
                    id: group.group_id.to_owned(),
                    state: group.group_state.to_owned(),
                    protocol_type: group.protocol_type.to_owned(),
                };
                groups.insert(listing.id.clone(), listing);
            }
        }
        Ok(groups.into_values().collect())
    }

    /// A group. One that does not exist is described as `Dead`, as Kafka does, or refused with GROUP_ID_NOT_FOUND.
    ///
    /// # Errors
    /// When its coordinator cannot be asked.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, Error> {
        let request = DescribeGroupsRequest { groups: vec![group], ..Default::default() };
        let described = self.client.call_coordinator(group, &request, |answer| {
            let response = answer.decode::<DescribeGroupsRequest<'_>>()?;
            let found = response.groups.iter().find(|found| found.group_id == group);
            let found = found.ok_or_else(|| answer.lacks(group))?;
            answer.check(found.error_code, group, found.error_message)?;
            let is_consumer = found.protocol_type == "consumer";
            Ok(GroupDescription {
                id: group.to_owned(),
                state: found.group_state.to_owned(),
                protocol_type: found.protocol_type.to_owned(),
                assignor: found.protocol_data.to_owned(),
                members: found.members.iter().map(|m| member(m, is_consumer)).collect(),
            })
        });
        described.await
    }

    /// What a group has committed, by topic and partition.
    ///
    /// # Errors
    /// When its coordinator cannot be asked.
    pub async fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>, Error> {
        let offsets = fetch_offsets(&self.client, group, None).await?;
        let offset = |((topic, partition), offset): ((String, i32), i64)| GroupOffset {
            topic,
            partition,
            offset,
        };
        Ok(offsets.into_iter().map(offset).collect())
    }

    /// Deletes a group without members, and what it has committed.
    ///
    /// # Errors
    /// `Refused`: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let request = DeleteGroupsRequest { groups_names: vec![group] };
        let deleted = self.client.call_coordinator(group, &request, |answer| {
            let response = answer.decode::<DeleteGroupsRequest<'_>>()?;
            let result = response.results.iter().find(|result| result.group_id == group);
            let result = result.ok_or_else(|| answer.lacks(group))?;
            answer.check(result.error_code, group, None)
        });
        deleted.await
    }
}

fn member(member: &DescribedGroupMember<'_>, is_consumer: bool) -> GroupMember {
    // A member that has none yet has no bytes; what others than consumers assign is theirs to read.
    let assignment = ConsumerProtocolAssignment::decode(member.member_assignment);
    let assignment = assignment.ok().filter(|_| is_consumer).unwrap_or_default();
    let assigned = assignment.assigned_partitions.iter();
    GroupMember {
        id: member.member_id.to_owned(),
        client_id: member.client_id.to_owned(),
        host: member.client_host.to_owned(),
        assigned: assigned.map(|a| (a.topic.to_owned(), a.partitions.clone())).collect(),
    }
}
