//! OffsetForLeaderEpoch (key 23): where the records of a leader epoch end (KIP-101, KIP-320).

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct OffsetForLeaderEpochRequest<'a> {
        replica_id: i32 = -2 => since(3).ignorable();
        topics: Vec<OffsetForLeaderTopic<'a>> => since(0);
    }

    /// An element of `topics` of [`OffsetForLeaderEpochRequest`].
    struct OffsetForLeaderTopic<'a> {
        topic: &'a str => since(0);
        partitions: Vec<OffsetForLeaderPartition> => since(0);
    }

    /// An element of `partitions` of [`OffsetForLeaderTopic`].
    struct OffsetForLeaderPartition {
        partition: i32 => since(0);
        current_leader_epoch: i32 = -1 => since(2).ignorable();
        leader_epoch: i32 => since(0);
    }

    /// What the broker answers.
    struct OffsetForLeaderEpochResponse<'a> {
        throttle_time_ms: i32 => since(2).ignorable();
        topics: Vec<OffsetForLeaderTopicResult<'a>> => since(0);
    }

    /// An element of `topics` of [`OffsetForLeaderEpochResponse`].
    struct OffsetForLeaderTopicResult<'a> {
        topic: &'a str => since(0);
        partitions: Vec<EpochEndOffset> => since(0);
    }

    /// An element of `partitions` of [`OffsetForLeaderTopicResult`].
    struct EpochEndOffset {
        error_code: ErrorCode => since(0);
        partition: i32 => since(0);
        leader_epoch: i32 = -1 => since(1).ignorable();
        end_offset: i64 = -1 => since(0);
    }
}
