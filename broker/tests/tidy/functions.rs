//! Functions stay short: nine in ten within 30 lines, and next to none over 70. Test code is not counted.

use crate::source::{Source, after_matching, is_word, line_of, words};
use crate::{assert_none, tree};

const P90_LINES_MAX: usize = 30;
const LONG_LINES: usize = 70;
const LONG_SHARE_MAX: f64 = 0.015;

/// A function with a body: where it is and how many lines it spans.
struct Function {
    at: String,
    lines: usize,
}

fn functions(source: &Source) -> Vec<Function> {
    let code = &source.production;
    words(code, "fn").filter_map(|start| function(&source.path, code, start)).collect()
}

/// The function whose `fn` is at `start`; none for a pointer type or a declaration without a body.
fn function(path: &str, code: &str, start: usize) -> Option<Function> {
    let name = code[start + 2..].trim_start();
    if !name.bytes().next().is_some_and(is_word) {
        return None;
    }
    let end = after_matching(code, body(code, start)?);
    let first = line_of(code, start);
    Some(Function { at: format!("{path}:{first}"), lines: line_of(code, end) - first + 1 })
}

/// The position of the `{` that opens the body.
fn body(code: &str, start: usize) -> Option<usize> {
    let mut i = start;
    loop {
        match code.as_bytes().get(i)? {
            b'{' => return Some(i),
            b';' => return None,
            b'(' | b'[' => i = after_matching(code, i),
            _ => i += 1,
        }
    }
}

fn problems(mut functions: Vec<Function>) -> Vec<String> {
    functions.sort_by_key(|function| function.lines);
    let mut problems = Vec::new();
    let p90 = functions.get(functions.len() * 9 / 10).map_or(0, |function| function.lines);
    if p90 > P90_LINES_MAX {
        problems.push(format!("one function in ten has {p90} lines or more, not {P90_LINES_MAX}"));
    }
    let long: Vec<&Function> = functions.iter().filter(|f| f.lines > LONG_LINES).collect();
    if long.len() as f64 > LONG_SHARE_MAX * functions.len() as f64 {
        let list = long.iter().map(|f| format!("{}: a function of {} lines", f.at, f.lines));
        problems.extend(list);
    }
    problems
}

#[test]
fn functions_stay_short() {
    let all: Vec<Function> = tree::sources().iter().flat_map(functions).collect();
    assert!(all.len() > 50, "the scanner found {} functions only: it is broken", all.len());
    assert_none(problems(all));
}

#[test]
fn the_scanner_measures_functions() {
    let text =
        "trait T { fn a(x: [u8; 4]); }\nfn b(f: fn(u8)) -> u8 {\n  if true { 1 } else { 2 }\n}\n";
    let found = functions(&Source::new("a.rs".to_string(), text.to_string()));
    assert_eq!(found.iter().map(|f| f.lines).collect::<Vec<_>>(), [3]);
    let of = |lines: usize| Function { at: "a.rs:1".to_string(), lines };
    assert!(problems((0..100).map(|_| of(30)).collect()).is_empty());
    assert_eq!(problems((0..10).map(|i| of(22 + i)).collect()).len(), 1);
    assert!(problems((0..100).map(|i| of(if i == 0 { 71 } else { 3 })).collect()).is_empty());
    assert_eq!(problems((0..100).map(|i| of(if i < 2 { 71 } else { 3 })).collect()).len(), 2);
}
