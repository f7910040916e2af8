//! The `ringlane` binary.
fn main() {}
