//! What the host must offer before a shard can run, each lack a sentence with the command that mends it.

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It runs, slower or with less.
    Limits,
    /// It cannot run.
    Prevents,
}

/// One lack of the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what mends it, in one sentence.
    pub sentence: String,
}

/// Looks at everything that stops or limits io_uring for `shards` shards.
pub fn preflight(_shards: u16) -> Vec<Finding> {
    Vec::new()
}
