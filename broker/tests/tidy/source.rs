//! A Rust file in three views of equal length: as written, without comments and literals, and without test code. The
//! views are found by a small scanner, not a parser: it knows comments, literals, attributes and matching braces.

/// One `.rs` file.
pub(crate) struct Source {
    /// From the root of the work tree, with `/`.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// Comments and the insides of literals blanked.
    pub(crate) code: String,
    /// `code` with everything under `#[cfg(test)]` blanked; all blank in a test file.
    pub(crate) production: String,
    test_modules: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let code = blank_literals(&text);
        let (production, names) = blank_tests(&code);
        let folder = module_folder(&path);
        let test_modules = names.iter().map(|name| format!("{folder}/{name}")).collect();
        let mut source = Self { path, text, code, production, test_modules };
        if is_test_path(&source.path) || source.code.contains("#![cfg(test)]") {
            source.mark_as_test();
        }
        source
    }

    /// Where modules that only tests compile live: a path without `.rs`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        self.test_modules.clone()
    }

    pub(crate) fn mark_as_test(&mut self) {
        self.production = blank(&self.code);
    }

    /// What only tests compile: the part of `code` that `production` lacks.
    pub(crate) fn test_code(&self) -> String {
        let pairs = self.code.bytes().zip(self.production.bytes());
        let bytes =
            pairs.map(|(code, kept)| if code == kept && code != b'\n' { b' ' } else { code });
        String::from_utf8(bytes.collect()).expect("blanking keeps UTF-8")
    }
}

fn is_test_path(path: &str) -> bool {
    let test_folder = |part: &str| matches!(part, "tests" | "benches" | "examples");
    path.split('/')
        .any(|part| test_folder(part) || part == "tests.rs" || part.ends_with("_tests.rs"))
}

/// The folder in which the modules declared by the file at `path` live.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_string(),
        _ => path.trim_end_matches(".rs").to_string(),
    }
}

/// The 1-based line of a byte position.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// True when the byte can be part of a Rust identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands in `code` with no identifier character on either side.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let end = at + word.len();
        let before = at > 0 && is_word(bytes[at - 1]) && is_word(bytes[at]);
        let after = end < bytes.len() && is_word(bytes[end]) && is_word(bytes[end - 1]);
        !before && !after
    })
}

/// The position after the bracket that closes the one at `open`; the end of the text when nothing does.
pub(crate) fn after_matching(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (i, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

fn blank(text: &str) -> String {
    let bytes = text.bytes().map(|byte| if byte == b'\n' { b'\n' } else { b' ' });
    String::from_utf8(bytes.collect()).expect("spaces and line ends are UTF-8")
}

/// Blanks comments and the insides of string and character literals; line ends stay.
fn blank_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(text, at).unwrap_or(at);
        if end > at {
            out.push_str(&blank(&text[at..end]));
            at = end;
        } else {
            let next = text[at..].chars().next().expect("inside the text");
            if next.is_ascii() {
                out.push(next);
            } else {
                out.push_str(&" ".repeat(next.len_utf8()));
            }
            at += next.len_utf8();
        }
    }
    out
}

/// The end of the comment or literal that starts at `at`, if one does.
fn literal_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let starts_word = at == 0 || !is_word(text.as_bytes()[at - 1]);
    if rest.starts_with("//") {
        return Some(at + rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_end(text, at));
    }
    let raw = rest.trim_start_matches(['b', 'c']);
    if starts_word && rest.len() - raw.len() <= 1 && raw.starts_with('r') {
        let hashes = raw[1..].bytes().take_while(|&byte| byte == b'#').count();
        if raw[1 + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = rest.len() - raw.len() + hashes + 2;
            let end = rest[open..].find(&close).map_or(rest.len(), |i| open + i + close.len());
            return Some(at + end);
        }
    }
    match rest.as_bytes()[0] {
        b'"' => Some(quoted_end(text, at, b'"')),
        b'\'' => is_char_literal(rest).then(|| quoted_end(text, at, b'\'')),
        _ => None,
    }
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => true,
        (Some(_), Some(close)) => close == '\'',
        _ => false,
    }
}

fn quoted_end(text: &str, at: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut i = at + 1;
    while i < bytes.len() && bytes[i] != quote {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    // An escape may end inside a character; what follows a quote never does.
    (i + 1).min(bytes.len())
}

fn block_comment_end(text: &str, at: usize) -> usize {
    let mut depth = 0usize;
    let mut i = at;
    while i < text.len() {
        let pair = text.as_bytes().get(i..i + 2);
        depth = match pair {
            Some(b"/*") => depth + 1,
            Some(b"*/") => depth - 1,
            _ => {
                i += 1;
                continue;
            }
        };
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    text.len()
}

/// Blanks each item under a `#[cfg(test)]`; also says which modules of other files are under one.
fn blank_tests(code: &str) -> (String, Vec<String>) {
    let mut out = code.to_string();
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("#[cfg(") {
        let condition_end = after_matching(code, at + "#[cfg".len());
        let condition = &code[at..condition_end];
        if words(condition, "test").next().is_none() || condition.contains("not(test)") {
            continue;
        }
        let end = item_end(code, after_matching(code, at + 1));
        out.replace_range(at..end, &blank(&code[at..end]));
        let item = code[at..end].trim_end();
        if let Some((_, name)) = item.rsplit_once("mod ").filter(|_| item.ends_with(';')) {
            modules.push(name.trim_end_matches(';').trim().to_string());
        }
    }
    (out, modules)
}

/// The end of the item that starts at `at`: after its body, or after its semicolon.
fn item_end(code: &str, at: usize) -> usize {
    let bytes = code.as_bytes();
    let mut i = at;
    while i < bytes.len() {
        match bytes[i] {
            b'{' => return after_matching(code, i),
            b';' => return i + 1,
            b'(' | b'[' => i = after_matching(code, i),
            _ => i += 1,
        }
    }
    bytes.len()
}

#[test]
fn literals_and_comments_are_blanked() {
    let text = "a /* b /* c */ d */ 'e' \"f\\\"g\" r#\"h\"i\"# 'life b'\\'' // j\nk";
    let kept: Vec<&str> = blank_literals(text).leak().split_whitespace().collect();
    assert_eq!(kept, ["a", "'life", "b", "k"]);
    assert_eq!(blank_literals(text).len(), text.len());
}

#[test]
fn test_code_is_told_from_production() {
    let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n fn b() {}\n}\n#[cfg(test)]\nmod c;\nfn d() {}\n";
    let source = Source::new("x/src/e.rs".to_string(), text.to_string());
    let production: Vec<&str> = source.production.split_whitespace().collect();
    assert_eq!(production.concat(), "fna(){}fnd(){}");
    assert!(source.test_code().contains("fn b()") && !source.test_code().contains("fn a()"));
    assert_eq!(source.test_modules(), ["x/src/e/c"]);
    assert!(Source::new("x/tests/y.rs".into(), text.into()).production.trim().is_empty());
}
