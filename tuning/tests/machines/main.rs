//! Knobs, topology, apply and revert on recorded machines: what `check` and `host` say is golden text, and a machine is
//! byte for byte what it was after `apply` and `revert`. `RINGLANE_UPDATE=1` writes the golden texts anew.

mod disk;
mod golden;
mod odd;
mod revert;
mod tree;
