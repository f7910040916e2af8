//! The command line against the real broker: what goes in comes out, ends have their exit codes, and errors say what to do.

#![expect(clippy::disallowed_methods, reason = "a test of the binary stands outside the reactor")]

#[expect(dead_code, reason = "the librdkafka tests use the rest of it")]
#[path = "../librdkafka/broker.rs"]
mod broker;
mod command;
mod dump;
mod endings;
mod groups;
mod logs;
mod records;
mod topics;
mod tune;
mod unreadable;
mod verify;
