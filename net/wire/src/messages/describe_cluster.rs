//! DescribeCluster (key 60): the brokers and the controller.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct DescribeClusterRequest {
        include_cluster_authorized_operations: bool => since(0);
        endpoint_type: i8 = 1 => since(1);
        include_fenced_brokers: bool => since(2);
    }

    /// What the broker answers.
    struct DescribeClusterResponse<'a> {
        throttle_time_ms: i32 => since(0);
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> => since(0).nullable_since(0);
        endpoint_type: i8 = 1 => since(1);
        cluster_id: &'a str => since(0);
        controller_id: i32 = -1 => since(0);
        brokers: Vec<DescribeClusterBroker<'a>> => since(0);
        cluster_authorized_operations: i32 = i32::MIN => since(0);
    }

    /// An element of `brokers` of [`DescribeClusterResponse`].
    struct DescribeClusterBroker<'a> {
        broker_id: i32 => since(0);
        host: &'a str => since(0);
        port: i32 => since(0);
        rack: Option<&'a str> => since(0).nullable_since(0);
        is_fenced: bool => since(2);
    }
}
