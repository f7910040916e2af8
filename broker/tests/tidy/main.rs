//! The house rules that a machine can check, over every file of the work tree. One file a rule; each holds the rule as
//! a function over text, a test that it finds what it must, and the test that runs it over the tree.
#![expect(clippy::disallowed_methods, reason = "reads the work tree itself, outside any reactor")]

mod arrows;
mod functions;
mod layout;
mod links;
mod names;
mod sizes;
mod sleeps;
mod source;
mod tree;

/// Fails with every problem on a line of its own: one run shows all there is to mend.
fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} problem(s):\n  {}", problems.len(), problems.join("\n  "));
}
