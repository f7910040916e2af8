//! No test waits for a while and hopes. A test may sleep only inside a function that polls a condition up to a deadline.

use crate::source::{Source, after_matching, line_of, words};
use crate::{assert_none, tree};

/// A free `sleep(...)` in test code (`reactor.sleep` is a method: the simulation's time costs nothing) outside a function
/// that has both a loop and a deadline.
fn problems(source: &Source) -> Vec<String> {
    let code = source.test_code();
    let mut found = Vec::new();
    for at in words(&code, "sleep") {
        let is_call = code[at + "sleep".len()..].starts_with('(');
        let before = code[..at].trim_end();
        if is_call && !before.ends_with('.') && !before.ends_with("fn") && !polls(&code, at) {
            let line = line_of(&code, at);
            found.push(format!("{}:{line}: sleeps outside a poll with a deadline", source.path));
        }
    }
    found
}

/// True when the innermost function around `at` loops and knows a deadline.
fn polls(code: &str, at: usize) -> bool {
    let start = words(code, "fn").take_while(|&start| start < at).last().unwrap_or(0);
    let open = code[start..].find('{').map_or(start, |i| start + i);
    let function = &code[start..after_matching(code, open)];
    let has = |word: &str| words(function, word).next().is_some();
    has("deadline") && (has("while") || has("loop"))
}

#[test]
fn tests_wait_for_conditions() {
    assert_none(tree::sources().iter().flat_map(problems).collect());
}

#[test]
fn a_bare_sleep_is_found() {
    let count = |text: &str| problems(&Source::new("broker/tests/a.rs".into(), text.into())).len();
    assert_eq!(count("fn a() { thread::sleep(x); }"), 1);
    assert_eq!(count("fn a() { while now() < deadline { thread::sleep(x); } }"), 0);
    assert_eq!(count("fn a() { while x {} }\nfn b() { let deadline = 1; sleep(x); }"), 1);
    assert_eq!(count("fn a() { reactor.sleep(x).await; }\nfn sleep(x: u8) {}"), 0);
}
