//! A recorded machine: one text file that is unpacked into a directory.
//!
//! `== PATH` begins a file, `== PATH -> TARGET` is a symbolic link. `{0..3}` in a path makes a file for each number. In a
//! file `{n}` is that number and `{n%4+8}` a figure made from it, from left to right; a line that begins with `@0..3 ` is
//! repeated for each number; `{zeros:4}` and `{cpus:4}` are the columns of /proc/interrupts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ringlane_tuning::{Machine, Root};

pub(crate) const NAMES: [&str; 5] = ["bare-metal", "cloud-vm", "laptop", "container", "tuned"];

/// A directory with a machine in it, which goes when the value goes.
pub(crate) struct Tree {
    pub(crate) path: PathBuf,
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Tree {
    pub(crate) fn empty() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringlane-tree-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        Self { path }
    }

    /// The machine of `trees/NAME.tree`.
    pub(crate) fn named(name: &str) -> Self {
        let tree = Self::empty();
        let text = fs::read_to_string(file(name, "tree")).expect("the recorded machine");
        tree.unpack(&text);
        tree
    }

    pub(crate) fn unpack(&self, text: &str) {
        let parts = format!("\n{text}");
        for part in parts.split("\n== ").skip(1) {
            let (head, content) = part.split_once('\n').unwrap_or((part, ""));
            let (path, target) = match head.split_once(" -> ") {
                Some((path, target)) => (path, Some(target)),
                None => (head, None),
            };
            for (path, n) in expand(path) {
                match target {
                    Some(target) => self.link(&path, &filled(target, n)),
                    None => self.write(&path, lines(content, n).as_bytes()),
                }
            }
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.path.join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("below the root")).expect("a directory");
        place
    }

    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.place(path), content).expect("a file of the tree");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path.join(path.trim_start_matches('/')))
            .expect("a file of the tree")
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        symlink(target, self.place(path)).expect("a link of the tree");
    }

    pub(crate) fn root(&self) -> Root {
        Root::new(&self.path).expect("the tree is there")
    }

    pub(crate) fn machine(&self) -> Machine {
        Machine::read(self.root(), Path::new("/var/lib/ringlane"))
    }

    /// Every directory, file and link with what it holds.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        visit(&self.path, &mut found);
        found
    }
}

fn visit(path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(path).expect("a directory").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() {
            found.insert(path.clone(), b"directory".to_vec());
            visit(&path, found);
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).expect("a target");
            found.insert(path, target.into_os_string().into_encoded_bytes());
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
}

/// A file beside the trees.
pub(crate) fn file(name: &str, extension: &str) -> PathBuf {
    let trees = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees");
    trees.join(format!("{name}.{extension}"))
}

fn range(text: &str) -> Option<(i64, i64)> {
    let (first, last) = text.split_once("..")?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn expand(path: &str) -> Vec<(String, i64)> {
    let Some((before, rest)) = path.split_once('{') else { return vec![(path.to_owned(), 0)] };
    let (inside, after) = rest.split_once('}').expect("a range ends");
    let (first, last) = range(inside).expect("a range of numbers");
    (first..=last)
        .flat_map(|n| {
            // A second range counts on its own.
            expand(after).into_iter().map(move |(after, _)| (format!("{before}{n}{after}"), n))
        })
        .collect()
}

fn lines(content: &str, n: i64) -> String {
    let mut text = String::new();
    for line in content.lines() {
        let repeated = line.strip_prefix('@').and_then(|rest| rest.split_once(' '));
        let repeated = repeated.and_then(|(numbers, line)| Some((range(numbers)?, line)));
        let ((first, last), line) = repeated.unwrap_or(((n, n), line));
        for n in first..=last {
            text.push_str(&filled(line, n));
            text.push('\n');
        }
    }
    text
}

fn filled(text: &str, n: i64) -> String {
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let (inside, after) = part.split_once('}').expect("a figure ends");
        filled.push_str(&figure(inside, n));
        filled.push_str(after);
    }
    filled
}

fn figure(text: &str, n: i64) -> String {
    if let Some((what, count)) = text.split_once(':') {
        let column = |cpu: usize| if what == "cpus" { format!("CPU{cpu}") } else { "0".into() };
        let count = count.parse().expect("a number of columns");
        return (0..count).map(column).collect::<Vec<_>>().join(" ");
    }
    let mut rest = text.strip_prefix('n').expect("a figure made from n");
    let mut value = n;
    while let Some(operator) = rest.chars().next() {
        rest = &rest[1..];
        let end = rest.char_indices().skip(1).find(|(_, c)| "+*/%".contains(*c));
        let (number, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        let number: i64 = number.parse().expect("a number");
        value = match operator {
            '+' => value + number,
            '*' => value * number,
            '/' => value / number,
            '%' => value % number,
            other => panic!("no figure: {other}"),
        };
        rest = after;
    }
    value.to_string()
}

#[test]
fn trees_are_unpacked() {
    let tree = Tree::empty();
    tree.unpack(
        "# what it is\n== /a{1..2}/b\n{n%2+10} {n*2}\n@0..1 x{n} {zeros:2}\n== /c -> a1/b\n== /d\n",
    );
    assert_eq!(tree.read("/a1/b"), "11 2\nx0 0 0\nx1 0 0\n");
    assert_eq!(tree.read("/a2/b"), "10 4\nx0 0 0\nx1 0 0\n");
    assert_eq!(tree.read("/c"), tree.read("/a1/b"));
    assert_eq!(tree.read("/d"), "");
}
