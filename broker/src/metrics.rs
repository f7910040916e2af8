//! What a shard counts. Plain cells: a shard is one thread.

use std::cell::Cell;

/// A count that only rises.
#[derive(Default)]
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    /// One more.
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    /// `count` more.
    pub(crate) fn add(&self, count: u64) {
        self.0.set(self.0.get() + count);
    }

    /// The count so far.
    pub(crate) fn value(&self) -> u64 {
        self.0.get()
    }
}

/// The counters of a shard.
#[derive(Default)]
pub(crate) struct Metrics {
    /// Connections closed because of what the client sent, or of a bound on connections.
    pub(crate) connections_refused: Counter,
    /// Connections closed for being idle or in the way at the memory bound.
    pub(crate) connections_closed: Counter,
    /// Bytes from clients.
    pub(crate) bytes_received: Counter,
    /// Bytes to clients.
    pub(crate) bytes_sent: Counter,
    /// Of these, records that went from file to socket without a copy.
    pub(crate) bytes_spliced: Counter,
    /// Requests begun.
    pub(crate) requests: Counter,
    /// Record batches appended.
    pub(crate) batches_appended: Counter,
    /// Partitions read for fetches, each time that they were.
    pub(crate) partitions_read: Counter,
    /// Bytes that the scrubber read.
    pub(crate) scrubbed_bytes: Counter,
    /// Damaged ranges of logs that the scrubber found.
    pub(crate) damaged_ranges_found: Counter,
}

impl Metrics {
    /// The values, each under its name, in the order of the fields.
    pub(crate) fn values(&self) -> [(&'static str, u64); 10] {
        [
            ("connections_refused", self.connections_refused.value()),
            ("connections_closed", self.connections_closed.value()),
            ("bytes_received", self.bytes_received.value()),
            ("bytes_sent", self.bytes_sent.value()),
            ("bytes_spliced", self.bytes_spliced.value()),
            ("requests", self.requests.value()),
            ("batches_appended", self.batches_appended.value()),
            ("partitions_read", self.partitions_read.value()),
            ("scrubbed_bytes", self.scrubbed_bytes.value()),
            ("damaged_ranges_found", self.damaged_ranges_found.value()),
        ]
    }
}
