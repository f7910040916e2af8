//! Metadata (key 3): the brokers, and who leads the partitions of topics.

use crate::{ErrorCode, Uuid};

message! {
    /// What a client sends.
    struct MetadataRequest<'a> {
        topics: Option<Vec<MetadataRequestTopic<'a>>> = Some(Vec::new())
            => since(0).nullable_since(1);
        allow_auto_topic_creation: bool = true => since(4);
        include_cluster_authorized_operations: bool => between(8, 10);
        include_topic_authorized_operations: bool => since(8);
    }

    /// An element of `topics` of [`MetadataRequest`].
    struct MetadataRequestTopic<'a> {
        topic_id: Uuid => since(10).ignorable();
        name: Option<&'a str> = Some("") => since(0).nullable_since(10);
    }

    /// What the broker answers.
    struct MetadataResponse<'a> {
        throttle_time_ms: i32 => since(3).ignorable();
        brokers: Vec<MetadataResponseBroker<'a>> => since(0);
        cluster_id: Option<&'a str> => since(2).nullable_since(2).ignorable();
        controller_id: i32 = -1 => since(1).ignorable();
        topics: Vec<MetadataResponseTopic<'a>> => since(0);
        cluster_authorized_operations: i32 = i32::MIN => between(8, 10);
        error_code: ErrorCode => since(13).ignorable();
    }

    /// An element of `brokers` of [`MetadataResponse`].
    struct MetadataResponseBroker<'a> {
        node_id: i32 => since(0);
        host: &'a str => since(0);
        port: i32 => since(0);
        rack: Option<&'a str> => since(1).nullable_since(1).ignorable();
    }

    /// An element of `topics` of [`MetadataResponse`].
    struct MetadataResponseTopic<'a> {
        error_code: ErrorCode => since(0);
        name: Option<&'a str> = Some("") => since(0).nullable_since(12);
        topic_id: Uuid => since(10).ignorable();
        is_internal: bool => since(1).ignorable();
        partitions: Vec<MetadataResponsePartition> => since(0);
        topic_authorized_operations: i32 = i32::MIN => since(8);
    }

    /// An element of `partitions` of [`MetadataResponseTopic`].
    struct MetadataResponsePartition {
        error_code: ErrorCode => since(0);
        partition_index: i32 => since(0);
        leader_id: i32 => since(0);
        leader_epoch: i32 = -1 => since(7).ignorable();
        replica_nodes: Vec<i32> => since(0);
        isr_nodes: Vec<i32> => since(0);
        offline_replicas: Vec<i32> => since(5).ignorable();
    }
}
