//! The broker, whole, in the deterministic simulation: virtual time, a disk, a network and clocks with faults, and one seed
//! that replays one run.
//!
//! Order of reading: [`seeds`] draws a run; [`cluster`] boots and kills the broker; [`workload`] has its clients, each a
//! [`client`]; [`oracle`] notes what they were told, [`audit`] reads what is there, [`invariants`] compares the two.
//! `stories/` are single scenarios, each a few lines.

pub mod audit;
pub mod client;
pub mod cluster;
pub mod invariants;
pub mod oracle;
pub mod seeds;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;
pub mod workload;
