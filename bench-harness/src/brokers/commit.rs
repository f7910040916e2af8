//! The commit of the work tree that this program was built from, as git tells it.

use std::process::{Command, Stdio};

/// The work tree.
const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Files that change nothing of what is measured, as git's pathspecs.
const HARMLESS: [&str; 3] =
    [":(exclude)docs", ":(exclude)*.md", ":(exclude)bench-harness/history.jsonl"];

/// What is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The whole hash.
    pub(crate) hash: String,
    /// The first line of its message.
    pub(crate) subject: String,
}

impl Commit {
    /// The one that is checked out, and nothing beside it.
    ///
    /// # Errors
    /// A sentence: no git, no work tree, or changes that no commit holds.
    pub(crate) fn checked_out() -> Result<Self, String> {
        let mut status = vec!["status", "--porcelain", "--untracked-files=no", "--", "."];
        status.extend(HARMLESS);
        let changed = git(&status)?;
        if let Some(first) = changed.lines().next() {
            let count = changed.lines().count();
            return Err(format!(
                "{count} files of the work tree are not as the commit has them ({}): commit them first, so that the line says \
                 what was measured",
                first.trim()
            ));
        }
        let told = git(&["log", "-1", "--format=%H%n%s"])?;
        let mut lines = told.lines().map(str::to_owned);
        match (lines.next(), lines.next()) {
            (Some(hash), Some(subject)) => Ok(Self { hash, subject }),
            _ => Err("git does not tell which commit is checked out".into()),
        }
    }
}

fn git(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("git").args(["-C", TREE]).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|_| {
        "there is no git on this host to tell the commit: on Debian `apt-get install git`"
            .to_owned()
    })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(format!("git does not tell the commit of {TREE}: {}", said(&output.stderr))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_tells_or_says_why_not() {
        let error = git(&["no-such-command"]).expect_err("no such command");
        assert!(error.contains("no-such-command"), "{error}");
    }
}
