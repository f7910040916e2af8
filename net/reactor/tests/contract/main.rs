//! The contract of the reactor: every test runs on the real ring and, with several seeds, in the simulation. Code that
//! keeps to what is tested here cannot tell the two apart.

mod cancellation;
mod direct;
mod directories;
mod files;
mod listeners;
mod mailboxes;
mod ranges;
mod setting;
mod streams;
mod tasks;
mod timers;
mod waiting;
