//! What a host must offer, and the sentences that mend what it does not: said once, for the check at a broker's start
//! (`preflight.rs`) and for whoever looks at a host without starting one.

/// What glommio insists on for its own rings: memory that may be locked, in bytes.
pub const MEMLOCK_BYTES_MIN: u64 = 512 << 10;

/// Locked memory that leaves each shard its registered buffers, of which there is half of the limit at most, in bytes.
pub const MEMLOCK_BYTES_PER_SHARD: u64 = 2 * crate::uring::FIXED_BYTES_PER_SHARD as u64;

/// What raises the limit of locked memory.
pub const MEMLOCK_REMEDY: &str =
    "raise the limit with `ulimit -l unlimited`, or LimitMEMLOCK=infinity in the systemd unit";

/// Descriptors of a process: what a start looks at together, and a first few connections.
pub const FILES_PER_PROCESS: u64 = 128;

/// Descriptors of a shard itself: its rings, eventfds, listeners, and a first few files.
pub const FILES_PER_SHARD: u64 = 64;

/// Below this many descriptors a broker of ordinary size meets the limit.
pub const FILES_WANTED: u64 = 65_536;

/// What raises the limit of open files.
pub const FILES_REMEDY: &str =
    "raise the limit with `ulimit -n 1048576`, or LimitNOFILE=1048576 in the systemd unit";

/// The value of the sysctl kernel.io_uring_disabled that lets every process make rings.
pub const IO_URING_DISABLED_WANTED: u32 = 0;

/// The first kernel with DEFER_TASKRUN; multishot receive and buffer rings are older.
pub const KERNEL_MIN: (u32, u32) = (6, 1);

/// What mends an older kernel.
pub const OLD_KERNEL_REMEDY: &str = "boot Linux 6.1 or newer";

/// Whether a kernel's release (uname(2)) is below [`KERNEL_MIN`]; one that cannot be read is not.
pub fn is_too_old(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < KERNEL_MIN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert!(is_too_old("5.19.17") && is_too_old("6.0.0-rc1"));
        assert!(!is_too_old("6.1.0") && !is_too_old("6.10") && !is_too_old("?"));
    }

    #[test]
    fn the_remedy_names_the_kernel_that_is_needed() {
        let (major, minor) = KERNEL_MIN;
        assert!(OLD_KERNEL_REMEDY.contains(&format!("Linux {major}.{minor} ")));
    }
}
