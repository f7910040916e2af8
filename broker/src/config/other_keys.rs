//! Kafka's settings that are none here: other names for one that is, and those without meaning, so that a stock
//! `server.properties` starts with a warning for each line that it loses and not with an error.

/// What a Kafka key comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// It is another name of this setting, of lower rank.
    Alias(&'static str),
    /// It is this setting in another unit: its value times this many milliseconds.
    InUnits(&'static str, i64),
    /// It has no effect, for this reason.
    WithoutEffect(&'static str),
}

const THREADS: &str = "there is one shard a core, see ringlane.shards";
const CONTROLLER: &str = "the controller is embedded";
const NOT_YET: &str = "what it controls is not built yet, see docs/compatibility.md";

/// What is known of a key that is no setting here.
pub(super) fn find(key: &str) -> Option<Known> {
    Some(match key {
        "broker.id" => Known::Alias("node.id"),
        "log.dir" => Known::Alias("log.dirs"),
        "log.roll.jitter.hours" => Known::InUnits("log.roll.jitter.ms", 3_600_000),
        // In the order of their names the later one wins: minutes over hours, and the setting's own over both.
        "log.retention.hours" => Known::InUnits("log.retention.ms", 3_600_000),
        "log.retention.minutes" => Known::InUnits("log.retention.ms", 60_000),
        "log.roll.hours" => Known::InUnits("log.roll.ms", 3_600_000),
        "num.network.threads"
        | "num.io.threads"
        | "log.cleaner.threads"
        | "background.threads"
        | "num.recovery.threads.per.data.dir"
        | "num.replica.fetchers"
        | "queued.max.requests" => Known::WithoutEffect(THREADS),
        "process.roles"
        | "controller.quorum.voters"
        | "controller.quorum.bootstrap.servers"
        | "inter.broker.listener.name"
        | "listener.security.protocol.map" => Known::WithoutEffect(CONTROLLER),
        "socket.send.buffer.bytes" | "socket.receive.buffer.bytes" => {
            Known::WithoutEffect("the kernel sizes socket buffers by itself")
        }
        "message.max.bytes.per.partition" => return None,
        key if NOT_BUILT_YET.iter().any(|prefix| key.starts_with(prefix)) => {
            Known::WithoutEffect(NOT_YET)
        }
        _ => return None,
    })
}

const NOT_BUILT_YET: &[&str] = &[
    "log.flush.",
    "transaction.",
    "transactional.",
    "share.",
    "group.consumer.",
    "group.share.",
    "group.streams.",
    "group.coordinator.",
    "replica.",
    "ssl.",
    "sasl.",
    "security.",
    "authorizer.",
    "quota.",
    "metric",
    "kafka.metrics.",
    "offsets.commit.",
    "offsets.load.",
    "offsets.retention.check",
    "offsets.topic.",
    "remote.log.",
    "leader.imbalance.",
    "auto.leader.rebalance",
    "unclean.leader.election",
    "broker.rack",
    "max.incremental.fetch.session.cache.slots",
    "delegation.token.",
    "principal.builder",
];
