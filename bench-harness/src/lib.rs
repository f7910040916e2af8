//! An open-loop load generator for any Kafka-compatible broker. Latency counts from the moment at which a record was meant to
//! be sent; every record is verified when it is consumed; a run that did not measure the target says so.
//!
//! Order of reading: [`settings`] and [`scenario`] say what is wanted, [`schedule`] when each record is sent, [`record`] what
//! it carries; [`generator`] sends, reads and gathers; [`verify`] and [`validity`] judge; [`result`] and [`output`] tell.
//! Only `brokers` and `paper::systems` touch the operating system; everything else sees it through the reactor.

mod brokers;
pub mod cli;
pub mod compare;
pub mod generator;
pub mod history;
pub mod host;
pub mod output;
pub mod page;
pub mod paper;
pub mod percentiles;
pub mod proc;
pub mod record;
pub mod report;
pub mod result;
pub mod scenario;
pub mod schedule;
pub mod search;
pub mod server;
pub mod settings;
pub mod terminal;
pub mod units;
pub mod validity;
pub mod verify;
pub mod workload;
