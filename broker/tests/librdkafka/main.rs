//! The real binary against librdkafka (through the `rdkafka` crate) and against raw bytes: what clients rely on, what
//! they must not be able to do, and what a crash must not lose.
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes and opens sockets, outside any reactor"
)]

mod bad_batches;
mod bad_frames;
mod broker;
mod clients;
mod copied_directory;
mod crash;
mod few_descriptors;
mod groups;
mod log_dirs;
mod raw;
mod retention;
mod round_trip;
mod slow_clients;
mod startup;
mod zero_copy;
