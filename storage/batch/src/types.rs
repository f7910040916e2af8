//! Newtypes for every kind of offset and identity a partition's log deals in, so that the compiler refuses to
//! compare a high watermark with a recovery point by accident. All are plain integers of Kafka's own widths.
//!
//! How the offsets of one partition stand to each other, at any moment:
//!
//! ```text
//! log start offset <= recovery point                                  <= log end offset
//! log start offset <= last stable offset <= high watermark <= durable end offset <= log end offset
//!                                                          (on topics whose acks wait for the disk;
//!                                                           elsewhere high watermark <= log end offset)
//! ```
//!
//! Every end offset is exclusive: it is the offset the next record gets.

mod topic_id;

use std::fmt;

pub use topic_id::{ParseTopicIdError, TopicId};

macro_rules! integer_newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

/// A boundary in a log: its own type, with explicit ways from and to a record's [`Offset`].
macro_rules! log_boundary {
    ($(#[$doc:meta])* $name:ident) => {
        integer_newtype!($(#[$doc])* $name(i64));

        impl $name {
            /// The boundary at `offset`.
            pub const fn at(offset: Offset) -> Self {
                Self(offset.0)
            }

            /// The position this boundary stands at.
            pub const fn offset(self) -> Offset {
                Offset(self.0)
            }
        }
    };
}

integer_newtype! {
    /// A record's position in its partition's log; the first record of a new partition has 0.
    Offset(i64)
}

impl Offset {
    /// The first position of a new log.
    pub const ZERO: Self = Self(0);

    /// The position `count` records further on; saturates, since no log reaches `i64::MAX`.
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many positions lie in `earlier..self`; negative when `earlier` is the later one.
    pub const fn distance_from(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

log_boundary! {
    /// The first offset a consumer may still read (`log_start_offset` in the protocol): retention and DeleteRecords
    /// advance it. At most the high watermark.
    LogStartOffset
}
log_boundary! {
    /// Everything before it is in a majority's hands as the topic's durability asks: what a plain consumer may see.
    /// At least the last stable offset, at most the durable end offset (durable topics) or the log end offset.
    HighWatermark
}
log_boundary! {
    /// Everything before it is decided: committed or aborted (KIP-98). What a `read_committed` consumer may see.
    /// At most the high watermark.
    LastStableOffset
}
log_boundary! {
    /// The offset the next appended record gets. The upper bound of all the others.
    LogEndOffset
}
log_boundary! {
    /// Everything before it survives a power cut on this replica. At most the log end offset.
    DurableEndOffset
}
log_boundary! {
    /// Where the scan after an unclean stop starts: all before it is synced in the segments themselves. At least the
    /// log start offset, at most the durable end offset.
    RecoveryPoint
}

integer_newtype! {
    /// The leadership generation of a partition (KIP-101). Stamped on every batch by the leader that appended it.
    LeaderEpoch(i32)
}

impl LeaderEpoch {
    /// "Unknown": what producers write in a batch, and what a request says that does not care.
    pub const NONE: Self = Self(-1);
}

integer_newtype! {
    /// Identity of an idempotent or transactional producer (KIP-98).
    ProducerId(i64)
}

impl ProducerId {
    /// The producer is not idempotent.
    pub const NONE: Self = Self(-1);

    /// Whether it names a producer.
    pub const fn is_some(self) -> bool {
        self.0 > Self::NONE.0
    }
}

integer_newtype! {
    /// Generation of a producer id: a higher one fences the lower ones (KIP-98).
    ProducerEpoch(i16)
}

impl ProducerEpoch {
    /// The producer is not idempotent.
    pub const NONE: Self = Self(-1);
}

integer_newtype! {
    /// A record's number in what one producer id wrote to one partition (KIP-98). After `i32::MAX` comes 0.
    Sequence(i32)
}

impl Sequence {
    /// The producer is not idempotent.
    pub const NONE: Self = Self(-1);

    /// The sequence `count` records after this one; after `i32::MAX` comes 0, as in Kafka.
    ///
    /// # Panics
    /// When either is negative: a batch that says so is refused before its sequence is looked at.
    pub const fn plus(self, count: i32) -> Self {
        assert!(self.0 >= 0, "only a real sequence can be advanced");
        assert!(count >= 0, "sequences only move forward");
        Self((self.0 as u32).wrapping_add(count as u32) as i32 & i32::MAX)
    }
}

integer_newtype! {
    /// Milliseconds since 1970-01-01 UTC, as the client or the broker's wall clock set it.
    TimestampMs(i64)
}

impl TimestampMs {
    /// The record has no timestamp.
    pub const NONE: Self = Self(-1);
}

integer_newtype! {
    /// A partition's number within its topic, from 0.
    PartitionIndex(i32)
}

#[cfg(test)]
mod tests;
