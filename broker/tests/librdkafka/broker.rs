//! A broker process of the test's own: a free port, an empty data directory, ended and cleaned up with the value.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// Polls `condition` until it gives a value; fails the test, naming `what`, when it takes too long.
pub(crate) fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A directory that goes when the value goes.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringlane-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A broker process that has not (yet) said that it is ready.
pub(crate) struct Launch {
    process: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Launch {
    /// Starts `ringlane start` with these arguments; its output goes to files in `directory`.
    pub(crate) fn new(directory: &Directory, arguments: &[String]) -> Self {
        Self::by(Command::new(env!("CARGO_BIN_EXE_ringlane")), directory, arguments)
    }

    /// The same in a process that may have so many files and connections open.
    pub(crate) fn limited(files: u32, directory: &Directory, arguments: &[String]) -> Self {
        let mut shell = Command::new("sh");
        let limit = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        shell.args(["-c", &limit, env!("CARGO_BIN_EXE_ringlane")]);
        Self::by(shell, directory, arguments)
    }

    fn by(mut command: Command, directory: &Directory, arguments: &[String]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let out = directory.path(&format!("stdout-{number}"));
        let err = directory.path(&format!("stderr-{number}"));
        let process = command
            .arg("start")
            .args(arguments)
            .stdout(File::create(&out).expect("a file for stdout"))
            .stderr(File::create(&err).expect("a file for stderr"))
            .spawn()
            .expect("the broker's binary starts");
        Self { process, out, err }
    }

    /// Waits until the process ends of itself; its exit status and what it wrote to stderr.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = wait_until("the process ends", || self.status());
        (status, self.log())
    }

    /// The number of the process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// The address in the ready line, once it is there.
    pub(crate) fn address(&mut self) -> Option<String> {
        if let Some(status) = self.status() {
            panic!("the broker ended with {status}:\n{}", self.log());
        }
        self.ready_line()
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a child")
    }

    /// The address in the ready line, also of a process that has ended since.
    pub(crate) fn ready_line(&self) -> Option<String> {
        let out = fs::read_to_string(&self.out).unwrap_or_default();
        let line = out.lines().find_map(|line| line.strip_prefix("ringlane ready on "));
        line.filter(|_| out.ends_with('\n')).map(str::to_string)
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `--set key=value` for each setting.
pub(crate) fn set(settings: &[&str]) -> Vec<String> {
    settings.iter().flat_map(|setting| ["--set".to_string(), setting.to_string()]).collect()
}

/// A broker that serves requests.
pub(crate) struct Broker {
    launch: Launch,
    directory: Directory,
    settings: Vec<String>,
    files_max: Option<u32>,
    /// `host:port`, as a client wants it.
    pub(crate) address: String,
}

impl Broker {
    /// Starts a broker with an empty data directory and these settings (`key=value`).
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_in(Directory::new(), set(settings))
    }

    /// Starts a broker on what is in this directory, with settings as [`set`] makes them.
    pub(crate) fn start_in(directory: Directory, settings: Vec<String>) -> Self {
        Self::start_limited(None, directory, settings)
    }

    /// The same in a process that may have so many files and connections open, if that is said.
    pub(crate) fn start_limited(
        files_max: Option<u32>,
        directory: Directory,
        settings: Vec<String>,
    ) -> Self {
        let data = format!("log.dirs={}", Self::data(&directory).display());
        let fixed =
            ["listeners=PLAINTEXT://127.0.0.1:0", &data, "group.initial.rebalance.delay.ms=0"];
        let arguments = [set(&fixed), settings.clone()].concat();
        let mut launch = match files_max {
            Some(files) => Launch::limited(files, &directory, &arguments),
            None => Launch::new(&directory, &arguments),
        };
        let address = wait_until("the broker is ready", || launch.address());
        Self { launch, directory, settings, files_max, address }
    }

    fn data(directory: &Directory) -> PathBuf {
        directory.path("data")
    }

    /// The data directory.
    pub(crate) fn data_directory(&self) -> PathBuf {
        Self::data(&self.directory)
    }

    /// Kills the process as `kill -9` does, and starts it anew on the same data.
    pub(crate) fn kill_and_restart(self) -> Self {
        let (files_max, settings) = (self.files_max, self.settings.clone());
        Self::start_limited(files_max, self.kill(), settings)
    }

    /// Kills the process as `kill -9` does; the directory with what it leaves.
    pub(crate) fn kill(self) -> Directory {
        drop(self.launch); // SIGKILL, and waits for the end
        self.directory
    }

    /// What the broker wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.launch.log()
    }

    /// The number of the process.
    pub(crate) fn process_id(&self) -> u32 {
        self.launch.process_id()
    }

    /// The most memory that the process has held so far, in KiB.
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process_id());
        let status = fs::read_to_string(Path::new(&path)).expect("the broker runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }
}
