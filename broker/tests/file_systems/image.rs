//! A file system of the test's own, in a file that is mounted.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::broker::Directory;

/// XFS wants 300 MB at least. The file is sparse.
const IMAGE_BYTES: u64 = 400 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    fn mkfs(self) -> [&'static str; 3] {
        match self {
            Self::Ext4 => ["mkfs.ext4", "-q", "-F"],
            Self::Xfs => ["mkfs.xfs", "-q", "-f"],
        }
    }
}

/// See the module. Unmounted and removed with the value; what runs on it must have ended before.
pub(crate) struct Image {
    kind: Kind,
    directory: Directory,
}

impl Image {
    /// A new file system, mounted; `None` where that cannot be done here, which is said in a line.
    pub(crate) fn mounted(kind: Kind) -> Option<Self> {
        Self::mounted_with(kind, &[])
    }

    /// A new ext4 that has room for so many files, whatever their size.
    pub(crate) fn of_few_files(count: u32) -> Option<Self> {
        Self::mounted_with(Kind::Ext4, &["-N", &count.to_string()])
    }

    fn mounted_with(kind: Kind, options: &[&str]) -> Option<Self> {
        match Self::try_mounted(kind, options) {
            Ok(image) => Some(image),
            Err(reason) => {
                let reason = reason.trim().replace('\n', " ");
                // Not with a macro: those are silent in a test that passes.
                let _ = writeln!(std::io::stderr(), "not tested on {}: {reason}", kind.name());
                None
            }
        }
    }

    fn try_mounted(kind: Kind, options: &[&str]) -> Result<Self, String> {
        let image = Self { kind, directory: Directory::new() };
        let file = File::create(image.file()).map_err(|error| error.to_string())?;
        file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        fs::create_dir(image.mount_point()).map_err(|error| error.to_string())?;
        let [program, arguments @ ..] = kind.mkfs();
        run(Command::new(program).args(arguments).args(options).arg(image.file()))?;
        image.try_mount("rw")?;
        Ok(image)
    }

    fn try_mount(&self, mode: &str) -> Result<(), String> {
        let options = match self.kind {
            Kind::Ext4 => format!("loop,{mode},errors=remount-ro"),
            Kind::Xfs => format!("loop,{mode}"),
        };
        let mut mount = Command::new("mount");
        mount.args(["-t", self.kind.name(), "-o", &options]).arg(self.file());
        run(mount.arg(self.mount_point())).map(drop)
    }

    /// Unmounts it, and mounts it again: `rw` or `ro`.
    pub(crate) fn mount_again(&self, mode: &str) {
        run(Command::new("umount").arg(self.mount_point())).expect("nothing runs on it");
        self.try_mount(mode).expect("it was mounted before");
    }

    /// Has the kernel find an error in the file system, after which it takes no writes until it is mounted again. Answers
    /// whether there was a way to.
    pub(crate) fn break_down(&self) -> bool {
        match self.kind {
            Kind::Ext4 => {
                let mut find = Command::new("findmnt");
                let found = run(find.args(["-n", "-o", "SOURCE"]).arg(self.mount_point()));
                let Ok(device) = found else { return false };
                let device = device.trim().trim_start_matches("/dev/");
                fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "test").is_ok()
            }
            Kind::Xfs => {
                let mut shutdown = Command::new("xfs_io");
                run(shutdown.args(["-x", "-c", "shutdown"]).arg(self.mount_point())).is_ok()
            }
        }
    }

    /// A file that leaves `free_bytes` to others; as much is free again when it is removed.
    pub(crate) fn add_ballast(&self, free_bytes: u64) -> PathBuf {
        let mut df = Command::new("df");
        let table = run(df.args(["-B1", "--output=avail"]).arg(self.mount_point())).expect("df");
        let available = table.lines().nth(1).expect("a second line").trim();
        let available: u64 = available.parse().expect("a number of bytes");
        let path = self.mount_point().join("ballast");
        let len = (available - free_bytes).to_string();
        run(Command::new("fallocate").args(["-l", &len]).arg(&path)).expect("there is room");
        path
    }

    /// Makes empty files in a directory until no more can be made: no inode is left until it is removed.
    pub(crate) fn add_file_ballast(&self) -> PathBuf {
        let path = self.mount_point().join("files");
        fs::create_dir_all(&path).expect("a directory");
        let error = (0..).find_map(|n: u32| File::create(path.join(n.to_string())).err());
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::StorageFull));
        path
    }

    /// Where a broker's output may go: outside of the image.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The broker's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.mount_point().join("data")
    }

    fn mount_point(&self) -> PathBuf {
        self.directory.path("mounted")
    }

    fn file(&self) -> PathBuf {
        self.directory.path("image")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // It may never have been mounted. Lazily, so that the directory's removal reaches nothing that is still there.
        let _ = run(Command::new("umount").arg("-l").arg(self.mount_point()));
        assert!(!is_mounted(&self.mount_point()), "still mounted");
    }
}

fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str())
}

/// Runs a command to its end: what it printed, or what it complained of.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{name}: {}", text(&output.stderr))),
    }
}
