//! Kafka's error code for what the layers below refuse.

use ringlane_controller::CommandError;
use ringlane_storage::{AppendError, ReadError};
use ringlane_wire::ErrorCode;

/// The code of a refused command.
pub(super) fn of_command(error: &CommandError) -> ErrorCode {
    match error {
        CommandError::TopicAlreadyExists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
        CommandError::InvalidTopic(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        CommandError::InvalidPartitions(_) => ErrorCode::INVALID_PARTITIONS,
        CommandError::InvalidReplicationFactor(_) => ErrorCode::INVALID_REPLICATION_FACTOR,
        CommandError::InvalidReplicaAssignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        CommandError::InvalidRequest(_) => ErrorCode::INVALID_REQUEST,
        CommandError::InvalidConfig(_) => ErrorCode::INVALID_CONFIG,
        CommandError::PolicyViolation(_) => ErrorCode::POLICY_VIOLATION,
        CommandError::UnknownTopicOrPartition(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        CommandError::UnknownTopicId => ErrorCode::UNKNOWN_TOPIC_ID,
        CommandError::BrokerIdNotRegistered(_) => ErrorCode::BROKER_ID_NOT_REGISTERED,
        CommandError::StaleBrokerEpoch(_) => ErrorCode::STALE_BROKER_EPOCH,
        CommandError::InconsistentClusterId(_) => ErrorCode::INCONSISTENT_CLUSTER_ID,
        CommandError::UnknownServerError(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

/// The code of a refused append; `None` for a duplicate, which is a success.
pub(super) fn of_append(error: &AppendError) -> Option<ErrorCode> {
    Some(match error {
        AppendError::Duplicate(_) => return None,
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        AppendError::LargerThanSegment { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
        AppendError::FencedLeaderEpoch { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        AppendError::Malformed(_) => ErrorCode::CORRUPT_MESSAGE,
        AppendError::StorageFull | AppendError::Offline(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        AppendError::UnexpectedOffset { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
    })
}

/// The code of a failed read.
pub(super) fn of_read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadError::Disk(_) | ReadError::Damaged(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        ReadError::Closed => ErrorCode::NOT_LEADER_OR_FOLLOWER,
    }
}
