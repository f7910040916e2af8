//! What the host must offer before a shard can run, each lack a sentence with the command that mends it. Facts are read
//! first and judged by a plain function, so that tests can judge hosts there are none of.

use std::io;

use crate::host::limit;
use crate::requirements::{
    FILES_PER_PROCESS, FILES_PER_SHARD, FILES_REMEDY, FILES_WANTED, IO_URING_DISABLED_WANTED,
    MEMLOCK_BYTES_MIN, MEMLOCK_REMEDY, OLD_KERNEL_REMEDY, is_too_old,
};
use crate::uring;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It runs, slower or with less.
    Limits,
    /// It cannot run.
    Prevents,
}

/// One lack of the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what mends it, in one sentence.
    pub sentence: String,
}

/// Looks at everything that stops or limits io_uring for `shards` shards. The soft limits of locked memory and of open
/// files are raised to the hard ones first: that needs no privilege.
pub fn preflight(shards: u16) -> Vec<Finding> {
    judge(&read_facts(shards))
}

/// What was read of the host.
struct Facts {
    shards: u16,
    /// The kernel's release, as uname(2) gives it.
    release: String,
    /// The sysctl kernel.io_uring_disabled, where there is one.
    io_uring_disabled: Option<u32>,
    /// The error number of making a ring as a shard does.
    ring: Result<(), i32>,
    /// The error number of registering the memory of the shards' direct writes.
    fixed_buffers: Result<(), i32>,
    memlock_bytes: u64,
    files: u64,
}

/// A call's outcome as a fact.
fn code<T>(result: io::Result<T>) -> Result<(), i32> {
    result.map(drop).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
}

fn read_facts(shards: u16) -> Facts {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // Before the ring, whose memory counts.
    let memlock_bytes = raise(libc::RLIMIT_MEMLOCK);
    Facts {
        shards,
        release: release.trim().to_owned(),
        io_uring_disabled: disabled.ok().and_then(|text| text.trim().parse().ok()),
        ring: code(uring::try_ring()),
        fixed_buffers: code(uring::try_fixed_buffers(shards)),
        memlock_bytes,
        files: raise(libc::RLIMIT_NOFILE),
    }
}

/// Raises a soft limit to the hard one and gives what it is then.
fn raise(resource: libc::__rlimit_resource_t) -> u64 {
    let Some(limit) = limit(resource) else { return libc::RLIM_INFINITY };
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: the pointer is to a local of the right type.
    let is_raised = unsafe { libc::setrlimit(resource, &raw const raised) } == 0;
    if is_raised { raised.rlim_cur } else { limit.rlim_cur }
}

/// Says what the facts mean, the worst first.
fn judge(facts: &Facts) -> Vec<Finding> {
    let findings = [
        judge_memlock(facts).or_else(|| judge_fixed_buffers(facts)),
        judge_ring(facts),
        judge_files(facts),
    ];
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn prevents(sentence: impl Into<String>) -> Option<Finding> {
    Some(Finding { severity: Severity::Prevents, sentence: sentence.into() })
}

fn judge_ring(facts: &Facts) -> Option<Finding> {
    let code = facts.ring.err()?;
    let release = &facts.release;
    if is_too_old(release) {
        return prevents(format!(
            "Linux {release} is too old for multishot receives, buffer rings and deferred task \
            work of io_uring: {OLD_KERNEL_REMEDY}"
        ));
    }
    match (code, facts.io_uring_disabled) {
        (_, Some(2)) => prevents(format!(
            "io_uring is disabled on this host (kernel.io_uring_disabled = 2): run `sysctl -w \
            kernel.io_uring_disabled={IO_URING_DISABLED_WANTED}` as root",
        )),
        (libc::EPERM, Some(1)) => prevents(format!(
            "io_uring is only for privileged processes on this host (kernel.io_uring_disabled = \
            1): run `sysctl -w kernel.io_uring_disabled={IO_URING_DISABLED_WANTED}` as root, or \
            add this user to the group named by kernel.io_uring_group",
        )),
        (libc::EPERM | libc::EACCES | libc::ENOSYS, _) => prevents(
            "io_uring is blocked for this process, most likely by the container's seccomp \
            profile: run it with `--security-opt seccomp=unconfined`, or with a profile that \
            allows io_uring_setup, io_uring_enter and io_uring_register",
        ),
        (libc::ENOMEM, _) => {
            prevents(format!("there is not enough memory to lock for io_uring: {MEMLOCK_REMEDY}"))
        }
        (libc::EMFILE | libc::ENFILE, _) => {
            prevents(format!("no file descriptor is left for io_uring: {FILES_REMEDY}"))
        }
        (code, _) => prevents(format!(
            "io_uring cannot be set up on Linux {release} ({}): look for the reason with `strace \
            -e io_uring_setup,io_uring_register`",
            io::Error::from_raw_os_error(code)
        )),
    }
}

fn judge_memlock(facts: &Facts) -> Option<Finding> {
    if facts.memlock_bytes >= MEMLOCK_BYTES_MIN {
        return None;
    }
    prevents(format!(
        "only {} KiB of memory may be locked (RLIMIT_MEMLOCK) where {} are needed: \
        {MEMLOCK_REMEDY}",
        facts.memlock_bytes >> 10,
        MEMLOCK_BYTES_MIN >> 10,
    ))
}

/// Without registered buffers everything works: only a limit that forbids them, and can be raised, is worth a word.
fn judge_fixed_buffers(facts: &Facts) -> Option<Finding> {
    if facts.ring.is_err() || facts.fixed_buffers != Err(libc::ENOMEM) {
        return None;
    }
    let sentence = format!(
        "only {} KiB of memory may be locked (RLIMIT_MEMLOCK), of which the registered write \
        buffers of {} shards need more than half, without which writes cost more CPU: {MEMLOCK_REMEDY}",
        facts.memlock_bytes >> 10,
        facts.shards,
    );
    Some(Finding { severity: Severity::Limits, sentence })
}

fn judge_files(facts: &Facts) -> Option<Finding> {
    let needed = FILES_PER_PROCESS + FILES_PER_SHARD * u64::from(facts.shards);
    let severity = match facts.files {
        files if files < needed => Severity::Prevents,
        files if files < FILES_WANTED => Severity::Limits,
        _ => return None,
    };
    let sentence = format!(
        "at most {} files and connections can be open at once (RLIMIT_NOFILE): {FILES_REMEDY}",
        facts.files
    );
    Some(Finding { severity, sentence })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Facts {
        Facts {
            shards: 4,
            release: "6.18.44-generic".into(),
            io_uring_disabled: Some(0),
            ring: Ok(()),
            fixed_buffers: Ok(()),
            memlock_bytes: libc::RLIM_INFINITY,
            files: 1 << 20,
        }
    }

    /// The one finding.
    fn found(facts: &Facts) -> (Severity, String) {
        let mut findings = judge(facts);
        let finding = findings.pop().expect("something is found");
        assert!(findings.is_empty(), "and nothing else: {findings:?}");
        (finding.severity, finding.sentence)
    }

    #[test]
    fn a_sound_host_needs_no_words() {
        assert_eq!(judge(&sound()), []);
    }

    #[test]
    fn each_way_to_be_without_io_uring_has_its_own_remedy() {
        let cases = [
            (libc::EPERM, Some(2), "6.18.0", "kernel.io_uring_disabled=0"),
            (libc::EPERM, Some(1), "6.18.0", "io_uring_group"),
            (libc::EPERM, Some(0), "6.18.0", "seccomp"),
            (libc::ENOSYS, None, "6.5.0", "seccomp"),
            (libc::EINVAL, None, "5.15.0-91-generic", "Linux 6.1 or newer"),
            (libc::ENOMEM, Some(0), "6.18.0", "ulimit -l"),
            (libc::EMFILE, Some(0), "6.18.0", "ulimit -n"),
            (libc::EIO, Some(0), "6.18.0", "strace"),
        ];
        for (code, io_uring_disabled, release, remedy) in cases {
            let release = release.to_owned();
            let facts = Facts { ring: Err(code), io_uring_disabled, release, ..sound() };
            let (severity, sentence) = found(&facts);
            assert_eq!(severity, Severity::Prevents);
            assert!(sentence.contains(remedy), "{remedy}: {sentence}");
        }
    }

    #[test]
    fn a_setting_that_does_not_stop_us_is_not_mentioned() {
        assert_eq!(judge(&Facts { io_uring_disabled: Some(1), ..sound() }), []);
    }

    #[test]
    fn low_limits_are_told_with_their_figures() {
        let (severity, sentence) = found(&Facts { memlock_bytes: 64 << 10, ..sound() });
        assert_eq!(severity, Severity::Prevents);
        assert!(sentence.contains("64 KiB"), "{sentence}");
        let (severity, sentence) = found(&Facts { files: 1024, ..sound() });
        assert_eq!(severity, Severity::Limits);
        assert!(sentence.contains("1024"), "{sentence}");
        assert_eq!(found(&Facts { files: 383, ..sound() }).0, Severity::Prevents, "4 shards");
        assert_eq!(found(&Facts { files: 384, ..sound() }).0, Severity::Limits);
    }

    #[test]
    fn buffers_that_cannot_be_registered_are_told_once_and_only_for_the_limit() {
        let scarce = Facts { memlock_bytes: 1 << 20, fixed_buffers: Err(libc::ENOMEM), ..sound() };
        let (severity, sentence) = found(&scarce);
        assert_eq!(severity, Severity::Limits);
        assert!(sentence.contains("1024 KiB") && sentence.contains("ulimit -l"), "{sentence}");
        assert_eq!(judge(&Facts { fixed_buffers: Err(libc::EINVAL), ..sound() }), []);
        let (severity, _) = found(&Facts { memlock_bytes: 64 << 10, ..scarce });
        assert_eq!(severity, Severity::Prevents, "the greater lack of the same thing");
    }

    #[test]
    fn this_host_runs_the_tests_and_thus_prevents_nothing() {
        let prevents = |finding: &Finding| finding.severity == Severity::Prevents;
        assert!(!preflight(2).iter().any(prevents));
    }
}
