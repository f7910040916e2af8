//! How fast a data directory's disk is, and the journal sizes that follow: `measure` writes to it within bounds, `choose`
//! decides, `profile` is the file that carries the answer to the broker, `text` tells people.

mod choose;
mod measure;
mod profile;
mod samples;
mod text;

pub use choose::{BufferedWrites, Durability, JournalSizes};
pub use measure::{Bounds, Measured, Progress, measure};
pub use profile::{DiskProfile, FILE, parse};
pub use samples::Latency;
