//! The shard's journal: what every durable append is written to, in groups, before it is acknowledged. Read in this
//! order: the bytes (`format.rs`), the writer (here, `group.rs`, `files.rs`), and what a start finds again (`scan.rs`).
//!
//! Knows logs by topic id, partition and their own sequence only; what an entry means is theirs.

mod format;
mod names;
mod scan;

pub use format::{
    BLOCK_BYTES, ENTRY_HEADER_BYTES, Entry, EntryHead, EntryKind, Fault, GROUP_HEADER_BYTES,
    GroupBuilder, GroupHeader, GroupView, LISTED_LOG_BYTES, ListedLog, Place, Readable,
    entry_bytes, parse_group,
};
pub use names::{ShardJournal, journals, remove_journal};
pub use scan::{Damage, Group, Reader};
