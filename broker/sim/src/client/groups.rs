//! The classic consumer group: join, sync, heartbeat, commit, leave.

use ringlane_wire::messages::join_group::JoinGroupRequestProtocol;
use ringlane_wire::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ringlane_wire::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ringlane_wire::messages::sync_group::SyncGroupRequestAssignment;
use ringlane_wire::messages::{
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};

use super::connection::decode;
use super::{Client, Failure, check};

/// A member of a group in one generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its group.
    pub group: String,
    /// The id that the broker gave it.
    pub id: String,
    /// The generation that it joined.
    pub generation: i32,
}

/// What joining gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Who one is now.
    pub member: Member,
    /// The leader's id.
    pub leader: String,
    /// Every member's id, for the leader alone.
    pub members: Vec<String>,
}

const SESSION_TIMEOUT_MS: i32 = 10_000;
const REBALANCE_TIMEOUT_MS: i32 = 10_000;

impl Client {
    /// Asks who coordinates `group`, which creates `__consumer_offsets` where there is none.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn find_coordinator(&mut self, group: &str) -> Result<(), Failure> {
        let request =
            FindCoordinatorRequest { coordinator_keys: vec![group], ..Default::default() };
        let frame = self.ask(&request).await?;
        check(decode::<FindCoordinatorRequest<'_>>(&frame).coordinators[0].error_code)
    }

    /// Joins `group`, as `member_id` or, when that is empty, as someone new.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn join_group(&mut self, group: &str, member_id: &str) -> Result<Joined, Failure> {
        let request = JoinGroupRequest {
            group_id: group,
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id,
            protocol_type: "consumer",
            protocols: vec![JoinGroupRequestProtocol { name: "range", metadata: b"sim" }],
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        let response = decode::<JoinGroupRequest<'_>>(&frame);
        check(response.error_code)?;
        Ok(Joined {
            member: Member {
                group: group.to_owned(),
                id: response.member_id.to_owned(),
                generation: response.generation_id,
            },
            leader: response.leader.to_owned(),
            members: response.members.iter().map(|member| member.member_id.to_owned()).collect(),
        })
    }

    /// Takes one's assignment: the leader brings everyone's, which here is each member's own id.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn sync_group(&mut self, joined: &Joined) -> Result<Vec<u8>, Failure> {
        let assignments = joined
            .members
            .iter()
            .map(|id| SyncGroupRequestAssignment { member_id: id, assignment: id.as_bytes() });
        let request = SyncGroupRequest {
            group_id: &joined.member.group,
            generation_id: joined.member.generation,
            member_id: &joined.member.id,
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            assignments: assignments.collect(),
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        let response = decode::<SyncGroupRequest<'_>>(&frame);
        check(response.error_code)?;
        Ok(response.assignment.to_vec())
    }

    /// Tells the coordinator that `member` is alive.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn heartbeat(&mut self, member: &Member) -> Result<(), Failure> {
        let request = HeartbeatRequest {
            group_id: &member.group,
            generation_id: member.generation,
            member_id: &member.id,
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        check(decode::<HeartbeatRequest<'_>>(&frame).error_code)
    }

    /// Commits `offset` of one partition.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn commit(
        &mut self,
        member: &Member,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), Failure> {
        let partitions = vec![OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            ..Default::default()
        }];
        let request = OffsetCommitRequest {
            group_id: &member.group,
            generation_id_or_member_epoch: member.generation,
            member_id: &member.id,
            topics: vec![OffsetCommitRequestTopic {
                name: topic,
                partitions,
                ..Default::default()
            }],
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        check(decode::<OffsetCommitRequest<'_>>(&frame).topics[0].partitions[0].error_code)
    }

    /// What `group` has committed of one partition; `None` for nothing.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn committed(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<i64>, Failure> {
        let topics = vec![OffsetFetchRequestTopics {
            name: topic,
            partition_indexes: vec![partition],
            ..Default::default()
        }];
        let group =
            OffsetFetchRequestGroup { group_id: group, topics: Some(topics), ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        let frame = self.ask(&request).await?;
        let response = decode::<OffsetFetchRequest<'_>>(&frame);
        check(response.groups[0].error_code)?;
        let found = &response.groups[0].topics[0].partitions[0];
        check(found.error_code)?;
        Ok((found.committed_offset >= 0).then_some(found.committed_offset))
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn leave_group(&mut self, member: &Member) -> Result<(), Failure> {
        let request = LeaveGroupRequest {
            group_id: &member.group,
            member_id: &member.id,
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        check(decode::<LeaveGroupRequest<'_>>(&frame).error_code)
    }
}
