//! Compaction (Kafka's log cleaner): of each key the last record stays. `plan` says which log and which part of it,
//! `offset_map` remembers the last offset of each key, `filter` decides on one batch, `rewrite` turns segments into new
//! ones, `swap` and `Log::replace_segments` put them in the place of the old, and [`Cleaner`] does all that in the
//! background. Only segments wholly below the recovery point are touched.

mod cleaner;
mod cleaning;
mod filter;
mod offset_map;
mod pace;
mod plan;
mod rewrite;
mod source;
pub(crate) mod swap;

pub use cleaner::{Cleanable, Cleaned, Cleaner};
pub(crate) use cleaning::{Cleaning, lower_checkpoint};
pub(crate) use filter::LastBatch;
pub(crate) use plan::SegmentView;
