//! What the paper reports: J. Kreps, N. Narkhede, J. Rao, "Kafka: a Distributed Messaging System for Log Processing", NetDB 2011,
//! section 5 (figures 4 and 5). Two machines with 8 cores of 2 GHz, 16 GB and 6 disks in RAID 10, a link of 1 Gb/s between them;
//! all brokers flushed to disk asynchronously, and Kafka's producer did not wait for acknowledgements.

use std::fmt;

use crate::terminal::thousands;

/// What the paper says of one quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A figure, an average.
    Figure(f64),
    /// A proportion.
    Words(&'static str),
}

impl Told {
    /// The figure, if it is one.
    pub fn figure(self) -> Option<f64> {
        match self {
            Self::Figure(figure) => Some(figure),
            Self::Words(_) => None,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Figure(figure) => f.pad(&thousands(*figure)),
            Self::Words(words) => f.pad(words),
        }
    }
}

/// A row of the paper's results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperRow {
    /// The broker, as tested.
    pub broker: &'static str,
    /// Messages in a batch.
    pub batch: u64,
    /// Messages a second, sent.
    pub produce: Told,
    /// Messages a second, consumed.
    pub consume: Told,
    /// Bytes of storage beyond the message.
    pub overhead: Told,
}

const LESS_CONSUMED: Told = Told::Words("under a quarter of Kafka's");

/// The paper's results.
pub const PAPER: [PaperRow; 4] = [
    PaperRow {
        broker: "Kafka of 2011",
        batch: 1,
        produce: Told::Figure(50_000.0),
        consume: Told::Figure(22_000.0),
        overhead: Told::Figure(9.0),
    },
    PaperRow {
        broker: "Kafka of 2011",
        batch: 50,
        produce: Told::Figure(400_000.0),
        consume: Told::Figure(22_000.0),
        overhead: Told::Figure(9.0),
    },
    PaperRow {
        broker: "ActiveMQ 5.4",
        batch: 1,
        produce: Told::Words("orders of magnitude less"),
        consume: LESS_CONSUMED,
        overhead: Told::Figure(144.0),
    },
    PaperRow {
        broker: "RabbitMQ 2.4",
        batch: 1,
        produce: Told::Words("at most half of Kafka's"),
        consume: LESS_CONSUMED,
        overhead: Told::Words("not told"),
    },
];
