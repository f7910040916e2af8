//! Settings: the two tables, and how they are filled from `server.properties` and the command line.

#[cfg(test)]
mod bounds;
mod broker;
mod disk_profile;
mod load;
mod other_keys;
mod policy;
mod properties;
pub(crate) mod table;
mod topic;
pub(crate) mod value;

pub use broker::BrokerConfig;
pub use load::{ConfigError, Loaded, load};
pub use policy::{CleanupPolicy, CompressionType};
pub use table::Setting;
pub use topic::{TopicConfig, broker_synonym};
pub use value::{Endpoint, Type};
