//! The journal in the simulation: stories of its writer (`stories.rs`), crashes at any of its operations (`crash.rs`),
//! disks that lie or decay (`damage.rs`); and on the real disk (`real_disk.rs`). `RINGLANE_SEED` replays one, `RINGLANE_SEEDS` runs that many.

#[path = "../common/mod.rs"]
mod common;
mod crash;
mod damage;
mod real_disk;
mod stories;
mod world;
