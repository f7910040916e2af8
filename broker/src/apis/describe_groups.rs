//! DescribeGroups (KIP-345, KIP-1043): groups with their members and what these are assigned.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

use super::{Handled, Request, groups};
use crate::group;
use crate::group::Effects;

type Found = Result<Option<group::DescribedGroup>, ErrorCode>;

pub(super) async fn handle(request: Request) -> Handled {
    let message: DescribeGroupsRequest = request.decode()?;
    let mut found: Vec<Found> = Vec::with_capacity(message.groups.len());
    for group_id in &message.groups {
        let name = (*group_id).to_owned();
        let described = groups::with(&request.shard, group_id, move |groups, _| {
            (groups.describe(&name), Effects::default())
        });
        found.push(described.await);
    }
    let groups = message.groups.iter().zip(&found);
    let groups = groups.map(|(group_id, found)| describe(request.version, group_id, found));
    request.answer(&DescribeGroupsResponse { groups: groups.collect(), ..Default::default() })
}

fn describe<'a>(version: i16, group_id: &'a str, found: &'a Found) -> DescribedGroup<'a> {
    match found {
        Ok(Some(group)) => DescribedGroup {
            group_id,
            group_state: group.state.as_str(),
            protocol_type: &group.protocol_type,
            protocol_data: &group.protocol,
            members: group.members.iter().map(member).collect(),
            ..Default::default()
        },
        // KIP-1043: version 6 says that there is none; before, such a group is dead.
        Ok(None) if version >= 6 => DescribedGroup {
            error_code: ErrorCode::GROUP_ID_NOT_FOUND,
            error_message: Some("The group id does not exist."),
            group_id,
            group_state: "Dead",
            ..Default::default()
        },
        Ok(None) => DescribedGroup { group_id, group_state: "Dead", ..Default::default() },
        Err(error_code) => {
            DescribedGroup { error_code: *error_code, group_id, ..Default::default() }
        }
    }
}

fn member(member: &group::DescribedMember) -> DescribedGroupMember<'_> {
    DescribedGroupMember {
        member_id: &member.member_id,
        group_instance_id: member.instance_id.as_deref(),
        client_id: &member.client_id,
        client_host: &member.client_host,
        member_metadata: &member.metadata,
        member_assignment: &member.assignment,
    }
}
