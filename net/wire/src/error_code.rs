//! Kafka's error codes: name, number, whether the same request may succeed later, and a sentence.

use std::fmt;

use crate::error::{DecodeError, EncodeError};
use crate::field::{Context, Kind, ReadField, WriteField};
use crate::reader::Reader;
use crate::writer::Writer;

/// An error code of the protocol. A number and not an enum, so that a code of a later Kafka survives being passed on.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

struct Row {
    name: &'static str,
    retriable: bool,
    message: &'static str,
}

macro_rules! error_codes {
    ($($name:ident = $code:literal, $kind:ident, $message:literal;)+) => {
        impl ErrorCode {
            $(
                #[doc = $message]
                pub const $name: ErrorCode = ErrorCode($code);
            )+

            /// Every code that Kafka 4.3 knows, ascending.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name),+];

            fn row(self) -> Option<Row> {
                match self {
                    $(ErrorCode::$name => Some(Row {
                        name: stringify!($name),
                        retriable: error_codes!(@ $kind),
                        message: $message,
                    }),)+
                    _ => None,
                }
            }
        }
    };
    (@ retriable) => { true };
    (@ final) => { false };
}

error_codes! {
    UNKNOWN_SERVER_ERROR = -1, final, "The broker failed unexpectedly.";
    NONE = 0, final, "No error.";
    OFFSET_OUT_OF_RANGE = 1, final, "The offset is outside the partition's range.";
    CORRUPT_MESSAGE = 2, retriable, "The batch is corrupt: bad CRC, bad size, or a null key for a compacted topic.";
    UNKNOWN_TOPIC_OR_PARTITION = 3, retriable, "This broker does not host the topic or partition.";
    INVALID_FETCH_SIZE = 4, final, "The fetch size is invalid.";
    LEADER_NOT_AVAILABLE = 5, retriable, "The partition has no leader while one is being elected.";
    NOT_LEADER_OR_FOLLOWER = 6, retriable, "This broker is not the leader, or not a replica, of the partition.";
    REQUEST_TIMED_OUT = 7, retriable, "The request timed out.";
    BROKER_NOT_AVAILABLE = 8, final, "The broker is not available.";
    REPLICA_NOT_AVAILABLE = 9, retriable, "The replica is not available.";
    MESSAGE_TOO_LARGE = 10, final, "The message is larger than the broker accepts.";
    STALE_CONTROLLER_EPOCH = 11, final, "The controller moved to another broker.";
    OFFSET_METADATA_TOO_LARGE = 12, final, "The metadata of the committed offset is too large.";
    NETWORK_EXCEPTION = 13, retriable, "The connection broke before an answer arrived.";
    COORDINATOR_LOAD_IN_PROGRESS = 14, retriable, "The coordinator is still loading.";
    COORDINATOR_NOT_AVAILABLE = 15, retriable, "The coordinator is not available.";
    NOT_COORDINATOR = 16, retriable, "This broker is not the coordinator.";
    INVALID_TOPIC_EXCEPTION = 17, final, "The topic name is invalid.";
    RECORD_LIST_TOO_LARGE = 18, final, "The batch is larger than a segment may be.";
    NOT_ENOUGH_REPLICAS = 19, retriable, "Fewer replicas are in sync than required; nothing was written.";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, retriable, "Fewer replicas are in sync than required; the records were written.";
    INVALID_REQUIRED_ACKS = 21, final, "The value of acks is invalid.";
    ILLEGAL_GENERATION = 22, final, "The generation is not the group's.";
    INCONSISTENT_GROUP_PROTOCOL = 23, final, "The member's protocols do not fit those of the group, or it named none.";
    INVALID_GROUP_ID = 24, final, "The group id is invalid.";
    UNKNOWN_MEMBER_ID = 25, final, "The coordinator does not know the member.";
    INVALID_SESSION_TIMEOUT = 26, final, "The session timeout is outside the range that the broker allows.";
    REBALANCE_IN_PROGRESS = 27, final, "The group is rebalancing; join again.";
    INVALID_COMMIT_OFFSET_SIZE = 28, final, "The size of the committed offset is invalid.";
    TOPIC_AUTHORIZATION_FAILED = 29, final, "Not authorized for the topic.";
    GROUP_AUTHORIZATION_FAILED = 30, final, "Not authorized for the group.";
    CLUSTER_AUTHORIZATION_FAILED = 31, final, "Not authorized for the cluster.";
    INVALID_TIMESTAMP = 32, final, "The timestamp is outside the accepted range.";
    UNSUPPORTED_SASL_MECHANISM = 33, final, "The broker does not support the SASL mechanism.";
    ILLEGAL_SASL_STATE = 34, final, "The request does not fit the state of the SASL exchange.";
    UNSUPPORTED_VERSION = 35, final, "The version of the API is not supported.";
    TOPIC_ALREADY_EXISTS = 36, final, "A topic of this name exists.";
    INVALID_PARTITIONS = 37, final, "The number of partitions is invalid.";
    INVALID_REPLICATION_FACTOR = 38, final, "The replication factor is below 1 or above the number of brokers.";
    INVALID_REPLICA_ASSIGNMENT = 39, final, "The replica assignment is invalid.";
    INVALID_CONFIG = 40, final, "The configuration is invalid.";
    NOT_CONTROLLER = 41, retriable, "This is not the cluster's controller.";
    INVALID_REQUEST = 42, final, "The request is malformed or does not fit this broker.";
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, final, "The message format does not support the request.";
    POLICY_VIOLATION = 44, final, "A policy forbids it.";
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, final, "The sequence number is out of order.";
    DUPLICATE_SEQUENCE_NUMBER = 46, final, "The sequence number was used before.";
    INVALID_PRODUCER_EPOCH = 47, final, "The producer's epoch is old.";
    INVALID_TXN_STATE = 48, final, "The operation does not fit the state of the transaction.";
    INVALID_PRODUCER_ID_MAPPING = 49, final, "The producer id is not that of the transactional id.";
    INVALID_TRANSACTION_TIMEOUT = 50, final, "The transaction timeout is above the broker's maximum.";
    CONCURRENT_TRANSACTIONS = 51, retriable, "Another operation on the same transaction is under way.";
    TRANSACTION_COORDINATOR_FENCED = 52, final, "The transaction coordinator was replaced by a newer one.";
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, final, "Not authorized for the transactional id.";
    SECURITY_DISABLED = 54, final, "Security features are disabled.";
    OPERATION_NOT_ATTEMPTED = 55, final, "The broker did not try this operation, because another of the same request failed.";
    KAFKA_STORAGE_ERROR = 56, retriable, "The disk failed.";
    LOG_DIR_NOT_FOUND = 57, final, "The log directory is not in the broker's configuration.";
    SASL_AUTHENTICATION_FAILED = 58, final, "SASL authentication failed.";
    UNKNOWN_PRODUCER_ID = 59, final, "The broker has no state of the producer id.";
    REASSIGNMENT_IN_PROGRESS = 60, final, "A reassignment of the partition is under way.";
    DELEGATION_TOKEN_AUTH_DISABLED = 61, final, "Delegation tokens are disabled.";
    DELEGATION_TOKEN_NOT_FOUND = 62, final, "The delegation token is unknown.";
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, final, "The principal may not use the delegation token.";
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, final, "Delegation tokens cannot be requested on this kind of connection.";
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, final, "Not authorized for the delegation token.";
    DELEGATION_TOKEN_EXPIRED = 66, final, "The delegation token has expired.";
    INVALID_PRINCIPAL_TYPE = 67, final, "The principal type is not supported.";
    NON_EMPTY_GROUP = 68, final, "The group is not empty.";
    GROUP_ID_NOT_FOUND = 69, final, "The group does not exist.";
    FETCH_SESSION_ID_NOT_FOUND = 70, retriable, "The fetch session is unknown.";
    INVALID_FETCH_SESSION_EPOCH = 71, retriable, "The epoch of the fetch session is invalid.";
    LISTENER_NOT_FOUND = 72, retriable, "The leader has no listener like the one that was asked.";
    TOPIC_DELETION_DISABLED = 73, final, "Deleting topics is disabled.";
    FENCED_LEADER_EPOCH = 74, retriable, "The leader epoch is older than the broker's.";
    UNKNOWN_LEADER_EPOCH = 75, retriable, "The leader epoch is newer than the broker's.";
    UNSUPPORTED_COMPRESSION_TYPE = 76, final, "The compression type is not supported.";
    STALE_BROKER_EPOCH = 77, final, "The broker epoch has changed.";
    OFFSET_NOT_AVAILABLE = 78, retriable, "The high watermark has not caught up since the leader was elected.";
    MEMBER_ID_REQUIRED = 79, final, "The member needs an id before it can join.";
    PREFERRED_LEADER_NOT_AVAILABLE = 80, retriable, "The preferred leader is not available.";
    GROUP_MAX_SIZE_REACHED = 81, final, "The group is full.";
    FENCED_INSTANCE_ID = 82, final, "Another member has registered the same group instance id.";
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, retriable, "No eligible leader is available.";
    ELECTION_NOT_NEEDED = 84, retriable, "No election is needed.";
    NO_REASSIGNMENT_IN_PROGRESS = 85, final, "No reassignment of the partition is under way.";
    GROUP_SUBSCRIBED_TO_TOPIC = 86, final, "The group is subscribed to the topic.";
    INVALID_RECORD = 87, final, "The broker rejects the record as invalid.";
    UNSTABLE_OFFSET_COMMIT = 88, retriable, "An offset has a pending transactional commit.";
    THROTTLING_QUOTA_EXCEEDED = 89, retriable, "A quota is exceeded.";
    PRODUCER_FENCED = 90, final, "A newer producer has the same transactional id.";
    RESOURCE_NOT_FOUND = 91, final, "The resource does not exist.";
    DUPLICATE_RESOURCE = 92, final, "The request names a resource twice.";
    UNACCEPTABLE_CREDENTIAL = 93, final, "The credential is not acceptable.";
    INCONSISTENT_VOTER_SET = 94, final, "A sender or receiver is not one of the expected voters.";
    INVALID_UPDATE_VERSION = 95, final, "The update version is invalid.";
    FEATURE_UPDATE_FAILED = 96, final, "The features could not be updated.";
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, final, "The forwarded principal cannot be read.";
    SNAPSHOT_NOT_FOUND = 98, final, "The snapshot does not exist.";
    POSITION_OUT_OF_RANGE = 99, final, "The position is outside the snapshot.";
    UNKNOWN_TOPIC_ID = 100, retriable, "This broker does not host the topic id.";
    DUPLICATE_BROKER_REGISTRATION = 101, final, "The broker id is in use.";
    BROKER_ID_NOT_REGISTERED = 102, final, "The broker id is not registered.";
    INCONSISTENT_TOPIC_ID = 103, retriable, "The topic id is not that of the log.";
    INCONSISTENT_CLUSTER_ID = 104, final, "The cluster id is another cluster's.";
    TRANSACTIONAL_ID_NOT_FOUND = 105, final, "The transactional id does not exist.";
    FETCH_SESSION_TOPIC_ID_ERROR = 106, retriable, "The fetch session mixes topic names and ids.";
    INELIGIBLE_REPLICA = 107, final, "The new ISR holds a replica that is not eligible.";
    NEW_LEADER_ELECTED = 108, final, "The partition was changed, but its leader is another one now.";
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, final, "The offset is in tiered storage.";
    FENCED_MEMBER_EPOCH = 110, final, "The member epoch is fenced; give up all partitions and join again.";
    UNRELEASED_INSTANCE_ID = 111, final, "Another member still uses the group instance id.";
    UNSUPPORTED_ASSIGNOR = 112, final, "The assignor is not supported.";
    STALE_MEMBER_EPOCH = 113, final, "The member epoch is old; retry with the one of the next heartbeat.";
    MISMATCHED_ENDPOINT_TYPE = 114, final, "The request went to the wrong kind of endpoint.";
    UNSUPPORTED_ENDPOINT_TYPE = 115, final, "The kind of endpoint is not supported.";
    UNKNOWN_CONTROLLER_ID = 116, final, "The controller id is unknown.";
    UNKNOWN_SUBSCRIPTION_ID = 117, final, "The telemetry subscription id is invalid or outdated.";
    TELEMETRY_TOO_LARGE = 118, final, "The telemetry is larger than the broker accepts.";
    INVALID_REGISTRATION = 119, final, "The controller rejects the broker's registration.";
    TRANSACTION_ABORTABLE = 120, final, "The transaction failed; abort it to go on.";
    INVALID_RECORD_STATE = 121, final, "The state of the record does not allow the acknowledgement.";
    SHARE_SESSION_NOT_FOUND = 122, retriable, "The share session is unknown.";
    INVALID_SHARE_SESSION_EPOCH = 123, retriable, "The epoch of the share session is invalid.";
    FENCED_STATE_EPOCH = 124, final, "The epoch of the share group's state does not match.";
    INVALID_VOTER_KEY = 125, final, "The voter's key is not the receiving replica's.";
    DUPLICATE_VOTER = 126, final, "The voter is in the set already.";
    VOTER_NOT_FOUND = 127, final, "The voter is not in the set.";
    INVALID_REGULAR_EXPRESSION = 128, final, "The regular expression is invalid.";
    REBOOTSTRAP_REQUIRED = 129, final, "The client's metadata is too old; bootstrap again.";
    STREAMS_INVALID_TOPOLOGY = 130, final, "The topology is invalid.";
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, final, "The epoch of the topology is invalid.";
    STREAMS_TOPOLOGY_FENCED = 132, final, "The epoch of the topology is outdated.";
    SHARE_SESSION_LIMIT_REACHED = 133, retriable, "There are too many share sessions.";
}

impl ErrorCode {
    /// Whether this is [`ErrorCode::NONE`].
    #[must_use]
    pub fn is_none(self) -> bool {
        self == ErrorCode::NONE
    }

    /// Kafka's name of it; that of UNKNOWN_SERVER_ERROR for a code of a later Kafka, as its clients take it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("UNKNOWN_SERVER_ERROR", |row| row.name)
    }

    /// What it means, as a sentence.
    #[must_use]
    pub fn message(self) -> &'static str {
        self.row()
            .map_or("The broker answered with an error code of a later version.", |row| row.message)
    }

    /// Whether the same request may succeed when sent again, perhaps after a refresh of the metadata.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        self.row().is_some_and(|row| row.retriable)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.name),
            None => write!(f, "ErrorCode({})", self.0),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}: {}", self.message())
    }
}

impl From<ErrorCode> for i16 {
    fn from(code: ErrorCode) -> i16 {
        code.0
    }
}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> ErrorCode {
        ErrorCode(code)
    }
}

impl std::error::Error for ErrorCode {}

impl<'de> ReadField<'de> for ErrorCode {
    fn read(r: &mut Reader<'de>, context: Context) -> Result<Self, DecodeError> {
        i16::read(r, context).map(ErrorCode)
    }

    fn size_min(context: Context) -> usize {
        i16::size_min(context)
    }
}

impl WriteField for ErrorCode {
    const KIND: Kind = i16::KIND;

    fn write(&self, w: &mut Writer, context: Context) -> Result<(), EncodeError> {
        self.0.write(w, context)
    }
}
