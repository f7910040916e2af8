//! The format of `server.properties`, as `java.util.Properties` reads it: `key=value`, `key: value` or `key value`, comments
//! with `#` or `!`, a backslash at the end of a line to go on, and backslash escapes.

/// One entry of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// The line it starts on, from 1.
    pub(super) line: usize,
    /// The key.
    pub(super) key: String,
    /// The value, without the white space around it.
    pub(super) value: String,
}

/// The entries of `text`, in order.
pub(super) fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while goes_on(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let (key, value) = split(&logical);
        entries.push(Entry {
            line: number + 1,
            key: unescape(key),
            value: unescape(value).trim_end().to_owned(),
        });
    }
    entries
}

/// Whether a line ends with an odd number of backslashes.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or white space that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if !escaped && (matches!(c, '=' | ':') || c.is_whitespace()) {
            let rest = line[at..].trim_start();
            let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..at], value.trim_start());
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('t')) => plain.push('\t'),
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('r')) => plain.push('\r'),
            ('\\', Some('u')) => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            ('\\', Some(other)) => plain.push(other),
            (c, _) => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse(text).into_iter().map(|entry| (entry.line, entry.key, entry.value)).collect()
    }

    #[test]
    fn every_form_of_an_entry_is_read() {
        let text = "# comment\n! comment\n\na=1\nb : 2 \n  c 3\nd\ne=x=y\n";
        let expected = [(4, "a", "1"), (5, "b", "2"), (6, "c", "3"), (7, "d", ""), (8, "e", "x=y")];
        let expected: Vec<_> =
            expected.iter().map(|(line, k, v)| (*line, (*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn a_backslash_continues_a_line_or_escapes_a_character() {
        let text = "list=a,\\\n    b\npath=C\\:\\\\x\\u0041\n";
        let expected =
            [(1, "list".to_owned(), "a,b".to_owned()), (3, "path".to_owned(), "C:\\xA".to_owned())];
        assert_eq!(pairs(text), expected);
    }
}
