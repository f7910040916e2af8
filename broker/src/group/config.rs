//! The settings of the group coordinator, with Kafka's names and defaults.

use std::time::Duration;

/// How long a new member's first JoinGroup may stay parked (Kafka's fixed five minutes): its session timeout does not
/// count yet, because it cannot send heartbeats before it knows its member id.
pub(super) const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Settings of the group coordinator. Times are milliseconds, as in the properties file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members (KIP-134).
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`: members a group may have (KIP-389).
    pub max_size: usize,
    /// `ringlane.group.max.pending.members`: members of one group that were given an id and have not joined with it.
    pub pending_members_max: usize,
    /// `ringlane.group.max.groups.per.partition`: groups of one `__consumer_offsets` partition. Beyond it a new
    /// group is refused with COORDINATOR_NOT_AVAILABLE, which clients retry.
    pub groups_max: usize,
    /// `offset.metadata.max.bytes` (counted, as Kafka does, in UTF-16 code units).
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval_ms: u64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            max_size: i32::MAX as usize,
            pending_members_max: 10_000,
            groups_max: 100_000,
            offset_metadata_max_bytes: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            offsets_retention_check_interval_ms: 600_000,
        }
    }
}

/// A client's claim of milliseconds as a duration; a negative one is none at all.
pub(super) fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
