//! What is asked of a group: the requests, free of protocol versions (the handlers translate those), and their
//! identity.

use bytes::Bytes;
use ringlane_reactor::Instant;

/// Names a request that waits for its answer. The shell chooses it, unique among those waiting on one [`Groups`].
///
/// [`Groups`]: super::Groups
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestToken(pub u64);

/// The generation of a classic group: one more for every completed rebalance. -1 stands for none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Generation(pub i32);

impl Generation {
    /// What a client without group membership sends.
    pub const NONE: Self = Self(-1);

    /// The generation after this one.
    pub(super) fn next(self) -> Self {
        // A record with the highest number is corrupt or two billion rebalances old: begin again rather than panic.
        Self(self.0.checked_add(1).unwrap_or(1))
    }
}

/// Both clocks at the moment of a request: deadlines live on the monotonic one, records carry the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// The shard's monotonic clock.
    pub instant: Instant,
    /// Milliseconds since the Unix epoch.
    pub wall_clock_ms: i64,
}

/// Who asks: a member id, empty for one that has none yet, and the instance id of a static member (KIP-345).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct MemberIdentity {
    /// The id that the coordinator gave the member; empty for none.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
}

/// One way to assign partitions that a member supports, with the member's metadata for it (its subscription).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    /// The assignor's name, e.g. `range`.
    pub name: String,
    /// Opaque to the coordinator, apart from the topics of a `consumer` subscription.
    pub metadata: Bytes,
}

/// JoinGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinRequest {
    /// Names the waiting request.
    pub token: RequestToken,
    /// The group.
    pub group_id: String,
    /// Who joins.
    pub identity: MemberIdentity,
    /// The id to give to a member that comes without one (see [`new_member_id`]); the core has no randomness.
    pub new_member_id: String,
    /// `client.id`
    pub client_id: String,
    /// The client's address, written as Java does: `/127.0.0.1`.
    pub client_host: String,
    /// `session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `max.poll.interval.ms` (KIP-62); version 0 has none and uses the session timeout.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect`, ...
    pub protocol_type: String,
    /// In the member's order of preference.
    pub protocols: Vec<Protocol>,
    /// Version 4 and later (KIP-394): a member without an id is given one and told to join with it.
    pub requires_known_member_id: bool,
    /// Version 9 and later (KIP-814): the leader can be told to skip the assignment.
    pub supports_skip_assignment: bool,
}

/// SyncGroup. Only the leader's assignments count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncRequest {
    /// Names the waiting request.
    pub token: RequestToken,
    /// The group.
    pub group_id: String,
    /// Who asks.
    pub identity: MemberIdentity,
    /// The generation of its JoinGroup answer.
    pub generation: Generation,
    /// Version 5 and later (KIP-559): must be the group's, if given.
    pub protocol_type: Option<String>,
    /// Version 5 and later (KIP-559): must be the group's, if given.
    pub protocol_name: Option<String>,
    /// Member id and assignment.
    pub assignments: Vec<(String, Bytes)>,
}

/// Heartbeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: String,
    /// Who asks.
    pub identity: MemberIdentity,
    /// The generation that the member believes in.
    pub generation: Generation,
}

/// LeaveGroup, of one member or of many (version 3, KIP-345). Reasons (KIP-800) are for the handler's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaveRequest {
    /// The group.
    pub group_id: String,
    /// Who leaves; an administrator names static members by instance id alone.
    pub members: Vec<MemberIdentity>,
}

/// A member id in Kafka's form: the prefix (instance id, else client id), a dash and a random UUID of version 4
/// made from `random`.
pub fn new_member_id(client_id: &str, instance_id: Option<&str>, random: u128) -> String {
    let version = random & !(0xf << 76) | (0x4 << 76);
    let id = version & !(0x3 << 62) | (0x2 << 62);
    format!(
        "{}-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        instance_id.unwrap_or(client_id),
        (id >> 96) as u32,
        (id >> 80) as u16,
        (id >> 64) as u16,
        (id >> 48) as u16,
        id & 0xffff_ffff_ffff
    )
}
