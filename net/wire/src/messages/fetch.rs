//! Fetch (key 1): reads record batches from partitions, for consumers and followers.

use crate::{ErrorCode, Records, Uuid};

message! {
    /// What a client sends.
    struct FetchRequest<'a> {
        cluster_id: Option<&'a str> => since(12).nullable_since(12).ignorable().tag(0);
        replica_id: i32 = -1 => between(0, 14);
        replica_state: ReplicaState => since(15).tag(1);
        max_wait_ms: i32 => since(0);
        min_bytes: i32 => since(0);
        max_bytes: i32 = i32::MAX => since(3).ignorable();
        isolation_level: i8 => since(4).ignorable();
        session_id: i32 => since(7).ignorable();
        session_epoch: i32 = -1 => since(7).ignorable();
        topics: Vec<FetchTopic<'a>> => since(0);
        forgotten_topics_data: Vec<ForgottenTopic<'a>> => since(7);
        rack_id: &'a str => since(11).ignorable();
    }

    /// The `replica_state` of [`FetchRequest`].
    struct ReplicaState {
        replica_id: i32 = -1 => since(15);
        replica_epoch: i64 = -1 => since(15);
    }

    /// An element of `topics` of [`FetchRequest`].
    struct FetchTopic<'a> {
        topic: &'a str => between(0, 12).ignorable();
        topic_id: Uuid => since(13).ignorable();
        partitions: Vec<FetchPartition> => since(0);
    }

    /// An element of `partitions` of [`FetchTopic`].
    struct FetchPartition {
        partition: i32 => since(0);
        current_leader_epoch: i32 = -1 => since(9).ignorable();
        fetch_offset: i64 => since(0);
        last_fetched_epoch: i32 = -1 => since(12);
        log_start_offset: i64 = -1 => since(5).ignorable();
        partition_max_bytes: i32 => since(0);
        replica_directory_id: Uuid => since(17).ignorable().tag(0);
        high_watermark: i64 = i64::MAX => since(18).ignorable().tag(1);
    }

    /// An element of `forgotten_topics_data` of [`FetchRequest`].
    struct ForgottenTopic<'a> {
        topic: &'a str => between(7, 12).ignorable();
        topic_id: Uuid => since(13).ignorable();
        partitions: Vec<i32> => since(7);
    }

    /// What the broker answers.
    struct FetchResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        error_code: ErrorCode => since(7).ignorable();
        session_id: i32 => since(7);
        responses: Vec<FetchableTopicResponse<'a>> => since(0);
        node_endpoints: Vec<NodeEndpoint<'a>> => since(16).tag(0);
    }

    /// An element of `responses` of [`FetchResponse`].
    struct FetchableTopicResponse<'a> {
        topic: &'a str => between(0, 12).ignorable();
        topic_id: Uuid => since(13).ignorable();
        partitions: Vec<PartitionData<'a>> => since(0);
    }

    /// An element of `partitions` of [`FetchableTopicResponse`].
    struct PartitionData<'a> {
        partition_index: i32 => since(0);
        error_code: ErrorCode => since(0);
        high_watermark: i64 => since(0);
        last_stable_offset: i64 = -1 => since(4).ignorable();
        log_start_offset: i64 = -1 => since(5).ignorable();
        diverging_epoch: EpochEndOffset => since(12).tag(0);
        current_leader: LeaderIdAndEpoch => since(12).tag(1);
        snapshot_id: SnapshotId => since(12).tag(2);
        aborted_transactions: Option<Vec<AbortedTransaction>> = Some(Vec::new())
            => since(4).nullable_since(4).ignorable();
        preferred_read_replica: i32 = -1 => since(11);
        records: Option<Records<'a>> => since(0).nullable_since(0);
    }

    /// The `diverging_epoch` of [`PartitionData`].
    struct EpochEndOffset {
        epoch: i32 = -1 => since(12);
        end_offset: i64 = -1 => since(12);
    }

    /// The `current_leader` of [`PartitionData`].
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1 => since(12);
        leader_epoch: i32 = -1 => since(12);
    }

    /// The `snapshot_id` of [`PartitionData`].
    struct SnapshotId {
        end_offset: i64 = -1 => since(0);
        epoch: i32 = -1 => since(0);
    }

    /// An element of `aborted_transactions` of [`PartitionData`].
    struct AbortedTransaction {
        producer_id: i64 => since(4);
        first_offset: i64 => since(4);
    }

    /// An element of `node_endpoints` of [`FetchResponse`].
    struct NodeEndpoint<'a> {
        node_id: i32 => since(16);
        host: &'a str => since(16);
        port: i32 => since(16);
        rack: Option<&'a str> => since(16).nullable_since(16);
    }
}
