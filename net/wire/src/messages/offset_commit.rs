//! OffsetCommit (key 8): stores the offsets that a group has consumed up to.

use crate::{ErrorCode, Uuid};

message! {
    /// What a client sends.
    struct OffsetCommitRequest<'a> {
        group_id: &'a str => since(0);
        generation_id_or_member_epoch: i32 = -1 => since(1).ignorable();
        member_id: &'a str => since(1).ignorable();
        group_instance_id: Option<&'a str> => since(7).nullable_since(7);
        retention_time_ms: i64 = -1 => between(2, 4).ignorable();
        topics: Vec<OffsetCommitRequestTopic<'a>> => since(0);
    }

    /// An element of `topics` of [`OffsetCommitRequest`].
    struct OffsetCommitRequestTopic<'a> {
        name: &'a str => between(0, 9).ignorable();
        topic_id: Uuid => since(10).ignorable();
        partitions: Vec<OffsetCommitRequestPartition<'a>> => since(0);
    }

    /// An element of `partitions` of [`OffsetCommitRequestTopic`].
    struct OffsetCommitRequestPartition<'a> {
        partition_index: i32 => since(0);
        committed_offset: i64 => since(0);
        committed_leader_epoch: i32 = -1 => since(6).ignorable();
        committed_metadata: Option<&'a str> = Some("") => since(0).nullable_since(0);
    }

    /// What the broker answers.
    struct OffsetCommitResponse<'a> {
        throttle_time_ms: i32 => since(3).ignorable();
        topics: Vec<OffsetCommitResponseTopic<'a>> => since(0);
    }

    /// An element of `topics` of [`OffsetCommitResponse`].
    struct OffsetCommitResponseTopic<'a> {
        name: &'a str => between(0, 9).ignorable();
        topic_id: Uuid => since(10).ignorable();
        partitions: Vec<OffsetCommitResponsePartition> => since(0);
    }

    /// An element of `partitions` of [`OffsetCommitResponseTopic`].
    struct OffsetCommitResponsePartition {
        partition_index: i32 => since(0);
        error_code: ErrorCode => since(0);
    }
}
