//! One change to the host: which file is to hold what. The kernel's files may read otherwise than they are written: a
//! choice reads with all its alternatives, the chosen one in brackets.

/// A file and what it is to hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The file, an absolute path on the machine.
    pub path: String,
    /// What is written.
    pub value: String,
    /// Whether it is an ordinary file, made where it is missing, and not one of the kernel's.
    pub makes_file: bool,
}

impl Change {
    /// A value for one of the kernel's files.
    pub(crate) fn write(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self { path: path.into(), value: value.into(), makes_file: false }
    }

    /// An ordinary file with this content.
    pub(crate) fn file(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), value: content.into(), makes_file: true }
    }

    /// The bytes that are written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let end = if self.value.ends_with('\n') { "" } else { "\n" };
        format!("{}{end}", self.value).into_bytes()
    }
}

/// What of a choice such as `always [madvise] never` is chosen; a text without brackets is itself.
pub(crate) fn chosen(text: &str) -> &str {
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or(text.trim(), |(chosen, _)| chosen.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_one_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen("madvise\n"), "madvise");
        assert_eq!((chosen("]["), chosen("[]"), chosen("[")), ("][", "", "["));
    }

    #[test]
    fn what_is_written_ends_its_line_once() {
        assert_eq!(Change::write("/sys/x", "1").bytes(), b"1\n");
        assert_eq!(Change::file("/etc/x", "a=1\n").bytes(), b"a=1\n");
    }
}
