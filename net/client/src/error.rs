//! What can go wrong between a client and a cluster, and who is at fault: the caller, the network, the broker, or what a
//! broker stores.

use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use ringlane_wire::{ApiKey, ErrorCode};

/// Why a call failed. Cheap to clone: one failed batch tells all its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller asked for what cannot be; the sentence says what to change.
    Invalid(String),
    /// The name in an address has no address.
    Resolve {
        /// `host:port` as it was given.
        address: Rc<str>,
        /// What the resolver said.
        reason: String,
    },
    /// No connection to a broker could be made.
    Connect {
        /// `host:port` of the broker.
        address: Rc<str>,
        /// What the network said.
        reason: String,
    },
    /// A connection ended before the answer arrived: whether the request was carried out is unknown.
    Disconnected {
        /// `host:port` of the broker.
        address: Rc<str>,
        /// Who ended it, and why.
        reason: String,
    },
    /// A broker did not answer in time: whether the request was carried out is unknown.
    TimedOut {
        /// `host:port` of the broker.
        address: Rc<str>,
        /// What was asked.
        api_key: ApiKey,
        /// How long it was waited for.
        after: Duration,
    },
    /// A broker's bytes are not the Kafka protocol.
    Protocol {
        /// `host:port` of the broker.
        address: Rc<str>,
        /// What is wrong with them.
        reason: String,
    },
    /// A broker has no version of an API that this client speaks.
    Unsupported {
        /// `host:port` of the broker.
        address: Rc<str>,
        /// The API.
        api_key: ApiKey,
        /// The broker's versions, if it has the API at all.
        theirs: Option<RangeInclusive<i16>>,
    },
    /// The broker refuses.
    Refused(Refusal),
    /// A batch was not acknowledged within its delivery timeout.
    NotDelivered {
        /// The delivery timeout.
        within: Duration,
        /// What stood in the way last, if anything was tried.
        last: Option<Rc<Error>>,
    },
    /// What a broker stores is no valid record batch.
    Data {
        /// Where: `topic-partition`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A broker's answer that is an error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `host:port` of the broker.
    pub address: Rc<str>,
    /// What was asked.
    pub api_key: ApiKey,
    /// About what: a topic, a partition, a group; empty for the request as a whole.
    pub subject: String,
    /// The code.
    pub code: ErrorCode,
    /// The broker's own words, where it has any.
    pub message: Option<String>,
}

impl Error {
    /// Whether the same request may succeed later, perhaps at another broker.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Resolve { .. }
            | Self::Disconnected { .. }
            | Self::TimedOut { .. } => true,
            Self::Refused(refusal) => refusal.code.is_retriable(),
            Self::Invalid(_)
            | Self::Protocol { .. }
            | Self::Unsupported { .. }
            | Self::NotDelivered { .. }
            | Self::Data { .. } => false,
        }
    }

    /// The broker's error code, where it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::NotDelivered { last: Some(last), .. } => last.code(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(sentence) => f.write_str(sentence),
            Self::Resolve { address, reason } => {
                write!(f, "the host in {address} has no address: {reason}")
            }
            Self::Connect { address, reason } => {
                write!(f, "no broker can be reached at {address}: {reason}")
            }
            Self::Disconnected { address, reason } => {
                write!(f, "the connection to {address} ended before it answered: {reason}")
            }
            Self::TimedOut { address, api_key, after } => {
                write!(f, "{address} did not answer {} within {after:?}", api_key.name())
            }
            Self::Protocol { address, reason } => {
                write!(f, "{address} does not speak the Kafka protocol: {reason}")
            }
            Self::Unsupported { address, api_key, theirs: Some(theirs) } => write!(
                f,
                "{address} has {} in versions {} to {} only, none of which is spoken here",
                api_key.name(),
                theirs.start(),
                theirs.end()
            ),
            Self::Unsupported { address, api_key, theirs: None } => {
                write!(f, "{address} does not have the API {}", api_key.name())
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotDelivered { within, last: None } => {
                write!(f, "not acknowledged within {within:?}")
            }
            Self::NotDelivered { within, last: Some(last) } => {
                write!(f, "not acknowledged within {within:?}: {last}")
            }
            Self::Data { place, reason } => {
                write!(f, "what is stored in {place} cannot be read: {reason}")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, api_key, subject, code, message } = self;
        let separator = if subject.is_empty() { "" } else { " of " };
        write!(f, "{address} refuses {}{separator}{subject}: {}", api_key.name(), code.name())?;
        match message.as_deref().filter(|message| !message.is_empty()) {
            Some(message) => write!(f, " ({message})"),
            None => write!(f, " ({})", code.message()),
        }
    }
}

impl std::error::Error for Error {}
