//! Changes and describes what a cluster has: topics, partitions, settings, groups.

mod configs;
mod groups;
mod topics;

use crate::client::Client;

pub use configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};
pub use groups::{GroupDescription, GroupListing, GroupMember, GroupOffset};
pub use topics::{CreatedTopic, NewTopic};

/// How long a broker may take to carry out a change, in ms.
const CHANGE_TIMEOUT_MS: i32 = 30_000;

/// See the file's head. Every call is tried again while its error may pass, until the client's retry timeout.
#[derive(Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    /// On `client`.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }
}
