//! DescribeLogDirs (key 35): a broker's log directories and the size of each log in them (KIP-113, KIP-827).

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct DescribeLogDirsRequest<'a> {
        topics: Option<Vec<DescribableLogDirTopic<'a>>> = Some(Vec::new())
            => since(0).nullable_since(0);
    }

    /// An element of `topics` of [`DescribeLogDirsRequest`].
    struct DescribableLogDirTopic<'a> {
        topic: &'a str => since(0);
        partitions: Vec<i32> => since(0);
    }

    /// What the broker answers.
    struct DescribeLogDirsResponse<'a> {
        throttle_time_ms: i32 => since(0);
        error_code: ErrorCode => since(3).ignorable();
        results: Vec<DescribeLogDirsResult<'a>> => since(0);
    }

    /// An element of `results` of [`DescribeLogDirsResponse`].
    struct DescribeLogDirsResult<'a> {
        error_code: ErrorCode => since(0);
        log_dir: &'a str => since(0);
        topics: Vec<DescribeLogDirsTopic<'a>> => since(0);
        total_bytes: i64 = -1 => since(4).ignorable();
        usable_bytes: i64 = -1 => since(4).ignorable();
        is_cordoned: bool => since(5).ignorable();
    }

    /// An element of `topics` of [`DescribeLogDirsResult`].
    struct DescribeLogDirsTopic<'a> {
        name: &'a str => since(0);
        partitions: Vec<DescribeLogDirsPartition> => since(0);
    }

    /// An element of `partitions` of [`DescribeLogDirsTopic`].
    struct DescribeLogDirsPartition {
        partition_index: i32 => since(0);
        partition_size: i64 => since(0);
        offset_lag: i64 => since(0);
        is_future_key: bool => since(0);
    }
}
