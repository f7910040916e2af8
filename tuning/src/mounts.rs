//! What is mounted where, and how (proc_pid_mounts(5), fstab(5)).

use std::path::Path;

/// One mounted file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mount {
    pub(crate) device: String,
    pub(crate) point: String,
    pub(crate) file_system: String,
    pub(crate) options: Vec<String>,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace().map(unescape);
        let (device, point) = (fields.next()?, fields.next()?);
        let (file_system, options) = (fields.next()?, fields.next()?);
        let options = options.split(',').map(str::to_owned).collect();
        Some(Self { device, point, file_system, options })
    }

    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|has| has == option)
    }
}

/// The mount that holds `path`: the deepest, and of those on one point the last.
pub(crate) fn of(text: &str, path: &str) -> Option<Mount> {
    let holds = |mount: &Mount| Path::new(path).starts_with(&mount.point);
    let mounts = text.lines().filter_map(Mount::parse).filter(holds);
    // Of several that are equal, `max_by_key` gives the last.
    mounts.max_by_key(|mount| Path::new(&mount.point).components().count())
}

/// Blanks, tabs, newlines and backslashes are written in octal.
fn unescape(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        match after.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) if byte.is_ascii() => {
                text.push(char::from(byte));
                rest = &after[3..];
            }
            _ => {
                text.push('\\');
                rest = after;
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let text = "/dev/a / ext4 rw 0 0\n/dev/b /var/lib xfs rw,noatime 0 0\n\
            /dev/c /var/lib/ring ext4 rw 0 0\n/dev/d /var/lib btrfs rw 0 0\nbroken\n";
        let device = |path| of(text, path).map(|mount| mount.device);
        assert_eq!(device("/var/lib/ringlane").as_deref(), Some("/dev/d"));
        assert_eq!(device("/var/lib/ring/x").as_deref(), Some("/dev/c"));
        assert_eq!(device("/home").as_deref(), Some("/dev/a"));
        assert_eq!(of("", "/x"), None);
    }

    #[test]
    fn blanks_in_names_are_octal() {
        assert_eq!(unescape(r"/a\040b\134"), r"/a b\");
        assert_eq!(unescape(r"/a\9\400é\04"), r"/a\9\400é\04");
    }
}
