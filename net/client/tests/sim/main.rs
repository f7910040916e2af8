//! The client in the simulation, against a broker of a page that fails by the seed: what it promises holds whatever the
//! network and the broker do.

mod connecting;
mod consuming;
mod fake;
mod producing;
