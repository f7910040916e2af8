//! What a process asks of its host before it has a shard: a configuration file, a name's address, its own name, its limits.
//! Inline and blocking; a running shard has better ways.

use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The text of a small file.
///
/// # Errors
/// As open(2) and read(2); `InvalidData` when it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// How much a file system holds, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Used or not.
    pub total_bytes: u64,
    /// What is left for this process.
    pub free_bytes: u64,
}

/// The space of the file system of `path`.
///
/// # Errors
/// As statvfs(3).
pub fn space(path: &Path) -> io::Result<Space> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: a path that ends in zero, and room for the answer.
    if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeros are a value of it, and the call has filled it.
    let stat = unsafe { stat.assume_init() };
    let bytes = |blocks: libc::fsblkcnt_t| blocks.saturating_mul(stat.f_frsize);
    Ok(Space { total_bytes: bytes(stat.f_blocks), free_bytes: bytes(stat.f_bavail) })
}

/// How many files and connections this process can have open at once (RLIMIT_NOFILE of getrlimit(2)); [`preflight`] raises it.
///
/// [`preflight`]: crate::preflight
pub fn open_files_max() -> u64 {
    limit(libc::RLIMIT_NOFILE).map_or(u64::MAX, |limit| limit.rlim_cur)
}

/// Whether something could not be opened because this process, or the host, has as much open as it may: nothing has happened
/// then, and later it may go.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether a thread could not be made because this process, or the host, has as many as it may (EAGAIN of pthread_create(3)):
/// nothing has happened then, and later it may go.
pub fn is_out_of_threads(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAGAIN)
}

/// A limit of this process; `None` where it cannot be read, which is judged as none.
pub(crate) fn limit(resource: libc::__rlimit_resource_t) -> Option<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local of the right type.
    let known = unsafe { libc::getrlimit(resource, &raw mut limit) } == 0;
    known.then_some(limit)
}

/// The first address that `host` has, with `port`.
///
/// # Errors
/// When the name has none (getaddrinfo(3)).
pub fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

/// This host's name, for clients on other hosts.
///
/// # Errors
/// As read(2) of /proc/sys/kernel/hostname.
pub fn hostname() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned())
}
