//! OffsetFetch (key 9): the offsets that groups have committed.

use crate::{ErrorCode, Uuid};

message! {
    /// What a client sends.
    struct OffsetFetchRequest<'a> {
        group_id: &'a str => between(0, 7);
        topics: Option<Vec<OffsetFetchRequestTopic<'a>>> = Some(Vec::new())
            => between(0, 7).nullable_between(2, 7);
        groups: Vec<OffsetFetchRequestGroup<'a>> => since(8);
        require_stable: bool => since(7);
    }

    /// An element of `topics` of [`OffsetFetchRequest`].
    struct OffsetFetchRequestTopic<'a> {
        name: &'a str => between(0, 7);
        partition_indexes: Vec<i32> => between(0, 7);
    }

    /// An element of `groups` of [`OffsetFetchRequest`].
    struct OffsetFetchRequestGroup<'a> {
        group_id: &'a str => since(8);
        member_id: Option<&'a str> => since(9).nullable_since(9).ignorable();
        member_epoch: i32 = -1 => since(9).ignorable();
        topics: Option<Vec<OffsetFetchRequestTopics<'a>>> = Some(Vec::new())
            => since(8).nullable_since(8);
    }

    /// An element of `topics` of [`OffsetFetchRequestGroup`].
    struct OffsetFetchRequestTopics<'a> {
        name: &'a str => between(8, 9).ignorable();
        topic_id: Uuid => since(10).ignorable();
        partition_indexes: Vec<i32> => since(8);
    }

    /// What the broker answers.
    struct OffsetFetchResponse<'a> {
        throttle_time_ms: i32 => since(3).ignorable();
        topics: Vec<OffsetFetchResponseTopic<'a>> => between(0, 7);
        error_code: ErrorCode => between(2, 7).ignorable();
        groups: Vec<OffsetFetchResponseGroup<'a>> => since(8);
    }

    /// An element of `topics` of [`OffsetFetchResponse`].
    struct OffsetFetchResponseTopic<'a> {
        name: &'a str => between(0, 7);
        partitions: Vec<OffsetFetchResponsePartition<'a>> => between(0, 7);
    }

    /// An element of `partitions` of [`OffsetFetchResponseTopic`].
    struct OffsetFetchResponsePartition<'a> {
        partition_index: i32 => between(0, 7);
        committed_offset: i64 => between(0, 7);
        committed_leader_epoch: i32 = -1 => between(5, 7).ignorable();
        metadata: Option<&'a str> = Some("") => between(0, 7).nullable_between(0, 7);
        error_code: ErrorCode => between(0, 7);
    }

    /// An element of `groups` of [`OffsetFetchResponse`].
    struct OffsetFetchResponseGroup<'a> {
        group_id: &'a str => since(8);
        topics: Vec<OffsetFetchResponseTopics<'a>> => since(8);
        error_code: ErrorCode => since(8);
    }

    /// An element of `topics` of [`OffsetFetchResponseGroup`].
    struct OffsetFetchResponseTopics<'a> {
        name: &'a str => between(8, 9).ignorable();
        topic_id: Uuid => since(10).ignorable();
        partitions: Vec<OffsetFetchResponsePartitions<'a>> => since(8);
    }

    /// An element of `partitions` of [`OffsetFetchResponseTopics`].
    struct OffsetFetchResponsePartitions<'a> {
        partition_index: i32 => since(8);
        committed_offset: i64 => since(8);
        committed_leader_epoch: i32 = -1 => since(8).ignorable();
        metadata: Option<&'a str> = Some("") => since(8).nullable_since(8);
        error_code: ErrorCode => since(8);
    }
}
