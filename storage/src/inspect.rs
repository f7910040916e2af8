//! Looking at a data directory that no broker runs on: what its files hold, whether they agree, and indexes built anew.
//! Everything is read through the reactor, a piece at a time, and nothing is changed except by [`rebuild_index`].
//!
//! [`Target`] tells what a path is, [`SegmentScan`] and [`IndexEntries`] read one file, [`verify_log`] checks a partition,
//! [`log_recoveries`] says what a start would do.

mod batch;
mod entries;
mod index_check;
mod outlook;
mod overlay;
mod problem;
mod rebuild;
mod recovery;
mod scan;
mod tables;
mod target;
mod unserved;
mod verify;
mod walk;
mod writable;

pub use batch::Batch;
pub use problem::{Problem, Remedy, unread_sentence};
pub use rebuild::{IndexState, check_index, rebuild_index};
pub use recovery::{LogRecovery, Reach, log_recoveries};
pub use scan::{Damage, Found, SegmentScan};
pub use tables::{IndexEntries, OffsetIndexEntry, ProducerEntry, TimeIndexEntry, producers};
pub use target::{FileKind, PartitionPath, Target, lock};
pub use unserved::unserved;
pub use verify::{LogReport, verify_log};
