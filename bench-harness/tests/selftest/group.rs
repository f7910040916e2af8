//! The fake broker's consumer groups: one generation, which begins when all members are there.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ringlane_wire::frame::encode_response;
use ringlane_wire::messages::delete_groups::DeletableGroupResult;
use ringlane_wire::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use ringlane_wire::messages::find_coordinator::Coordinator;
use ringlane_wire::messages::join_group::JoinGroupResponseMember;
use ringlane_wire::messages::leave_group::MemberResponse;
use ringlane_wire::messages::offset_fetch::OffsetFetchResponseGroup;
use ringlane_wire::messages::*;
use ringlane_wire::{ApiKey, Decode, ErrorCode, Message, Reader};

/// The groups of a broker.
#[derive(Default)]
pub(crate) struct Groups {
    /// How many members each has.
    members: usize,
    groups: BTreeMap<String, Group>,
    /// Committed by group, topic and partition.
    pub(crate) committed: BTreeMap<(String, String, i32), i64>,
    /// Groups that were deleted without members in them.
    pub(crate) deleted: Vec<String>,
}

#[derive(Default)]
struct Group {
    /// Ids and subscriptions.
    members: Vec<(String, Bytes)>,
    assignments: BTreeMap<String, Bytes>,
}

/// Until a member asks again that came before the others.
const PAUSE: Duration = Duration::from_millis(5);

fn read<'a, M: Decode<'a>>(body: &mut Reader<'a>, version: i16) -> M {
    M::decode_to_end(body, version).expect("the client's request")
}

impl Groups {
    /// Groups of so many members.
    pub(crate) fn of(members: usize) -> Self {
        Self { members, ..Self::default() }
    }

    /// The answer to a request of a group's member or administrator; none when it is no such request.
    pub(crate) fn answer(
        &mut self,
        api: ApiKey,
        body: &mut Reader<'_>,
        (version, id): (i16, i32),
    ) -> Option<(Duration, Vec<Bytes>)> {
        let now = |response: &dyn Fn() -> Vec<Bytes>| Some((Duration::ZERO, response()));
        fn encode((version, id): (i16, i32), response: &impl Message) -> Vec<Bytes> {
            encode_response(version, id, response).expect("a response")
        }
        let head = (version, id);
        match api {
            ApiKey::FindCoordinator => {
                let request: FindCoordinatorRequest<'_> = read(body, version);
                let (host, port, node_id) = ("10.0.0.1", 9092, 1);
                let of = |&key: &_| Coordinator { key, host, port, node_id, ..Default::default() };
                let coordinators = request.coordinator_keys.iter().map(of).collect();
                let response = FindCoordinatorResponse { coordinators, ..Default::default() };
                now(&|| encode(head, &response))
            }
            ApiKey::JoinGroup => Some((PAUSE, encode(head, &self.join(&read(body, version))))),
            ApiKey::SyncGroup => Some((PAUSE, encode(head, &self.sync(&read(body, version))))),
            ApiKey::Heartbeat => now(&|| encode(head, &HeartbeatResponse::default())),
            ApiKey::OffsetFetch => {
                let request: OffsetFetchRequest<'_> = read(body, version);
                let group_id = request.groups[0].group_id;
                let group = OffsetFetchResponseGroup { group_id, ..Default::default() };
                let response = OffsetFetchResponse { groups: vec![group], ..Default::default() };
                now(&|| encode(head, &response))
            }
            ApiKey::OffsetCommit => {
                self.commit(&read(body, version));
                now(&|| encode(head, &OffsetCommitResponse::default()))
            }
            ApiKey::LeaveGroup => {
                let request: LeaveGroupRequest<'_> = read(body, version);
                let member_id = request.members[0].member_id;
                let group = self.groups.get_mut(request.group_id).expect("it was joined");
                group.members.retain(|(id, _)| id != member_id);
                let members = vec![MemberResponse { member_id, ..Default::default() }];
                let response = LeaveGroupResponse { members, ..Default::default() };
                now(&|| encode(head, &response))
            }
            ApiKey::DescribeGroups => {
                let request: DescribeGroupsRequest<'_> = read(body, version);
                let groups = request.groups.iter().map(|group| self.describe(group)).collect();
                let response = DescribeGroupsResponse { groups, ..Default::default() };
                now(&|| encode(head, &response))
            }
            ApiKey::DeleteGroups => {
                let request: DeleteGroupsRequest<'_> = read(body, version);
                let group_id = request.groups_names[0];
                let is_empty = self.groups[group_id].members.is_empty();
                let error_code =
                    if is_empty { ErrorCode::NONE } else { ErrorCode::NON_EMPTY_GROUP };
                self.deleted.extend(is_empty.then(|| group_id.to_owned()));
                let results = vec![DeletableGroupResult { group_id, error_code }];
                let response = DeleteGroupsResponse { results, ..Default::default() };
                now(&|| encode(head, &response))
            }
            _ => None,
        }
    }

    fn join(&mut self, request: &JoinGroupRequest<'_>) -> JoinGroupResponse<'_> {
        let group = self.groups.entry(request.group_id.to_owned()).or_default();
        let known = group.members.iter().position(|(id, _)| id == request.member_id);
        let number = known.unwrap_or_else(|| {
            let metadata = Bytes::copy_from_slice(request.protocols[0].metadata);
            group.members.push((format!("member-{}", group.members.len()), metadata));
            group.members.len() - 1
        });
        let member_id = group.members[number].0.as_str();
        if group.members.len() < self.members {
            let error_code = ErrorCode::REBALANCE_IN_PROGRESS;
            return JoinGroupResponse { error_code, member_id, ..Default::default() };
        }
        let members = group.members.iter().map(|(member_id, metadata)| JoinGroupResponseMember {
            member_id,
            metadata,
            ..Default::default()
        });
        JoinGroupResponse {
            generation_id: 1,
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            leader: &group.members[0].0,
            member_id,
            members: if number == 0 { members.collect() } else { Vec::new() },
            ..Default::default()
        }
    }

    fn sync(&mut self, request: &SyncGroupRequest<'_>) -> SyncGroupResponse<'_> {
        let group = self.groups.get_mut(request.group_id).expect("it was joined");
        let assignments = request.assignments.iter();
        group.assignments.extend(assignments.map(|assigned| {
            (assigned.member_id.to_owned(), Bytes::copy_from_slice(assigned.assignment))
        }));
        match group.assignments.get(request.member_id) {
            Some(assignment) => SyncGroupResponse { assignment, ..Default::default() },
            None => SyncGroupResponse {
                error_code: ErrorCode::REBALANCE_IN_PROGRESS,
                ..Default::default()
            },
        }
    }

    fn commit(&mut self, request: &OffsetCommitRequest<'_>) {
        for topic in &request.topics {
            for partition in &topic.partitions {
                let (group, name) = (request.group_id.to_owned(), topic.name.to_owned());
                let place = (group, name, partition.partition_index);
                self.committed.insert(place, partition.committed_offset);
            }
        }
    }

    fn describe<'a>(&'a self, group_id: &'a str) -> DescribedGroup<'a> {
        let group = self.groups.get(group_id);
        let members = group.iter().flat_map(|group| {
            group.members.iter().map(|(member_id, _)| DescribedGroupMember {
                member_id,
                member_assignment: group.assignments.get(member_id).map_or(&[], |of| of),
                ..Default::default()
            })
        });
        DescribedGroup {
            group_id,
            group_state: "Stable",
            protocol_type: "consumer",
            members: members.collect(),
            ..Default::default()
        }
    }
}
