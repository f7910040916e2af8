//! What a process asks of its host before it has a shard: a configuration file, a name's address, its own name. Inline and
//! blocking; a running shard has better ways.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// The text of a small file.
///
/// # Errors
/// As open(2) and read(2); `InvalidData` when it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
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
