//! Sockets before they are streams or listeners: options, addresses, and the reservation of a port.

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, sockaddr, socklen_t};

/// An address as the kernel has it.
pub(super) struct Address {
    storage: libc::sockaddr_storage,
    len: socklen_t,
}

impl Address {
    pub(super) fn as_ptr(&self) -> *const sockaddr {
        (&raw const self.storage).cast()
    }

    pub(super) fn len(&self) -> socklen_t {
        self.len
    }

    /// What `ask` (getsockname(2) and its like) writes.
    fn asked(
        fd: &OwnedFd,
        ask: unsafe extern "C" fn(c_int, *mut sockaddr, *mut socklen_t) -> c_int,
    ) -> io::Result<SocketAddr> {
        // SAFETY: an address of zeros is one of no family.
        let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
        let mut len = size_of_val(&storage) as socklen_t;
        // SAFETY: both pointers are to locals, and `len` is the room there is.
        check(unsafe { ask(fd.as_raw_fd(), (&raw mut storage).cast(), &raw mut len) })?;
        Self { storage, len }.try_into()
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        // SAFETY: an address of zeros is one of no family.
        let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
        let start = &raw mut storage;
        let len = match address {
            SocketAddr::V4(v4) => {
                let v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as _,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                // SAFETY: a sockaddr_storage has room and alignment for every kind of address.
                unsafe { start.cast::<libc::sockaddr_in>().write(v4) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as _,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: as above.
                unsafe { start.cast::<libc::sockaddr_in6>().write(v6) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        Self { storage, len: len as socklen_t }
    }
}

impl TryFrom<Address> for SocketAddr {
    type Error = io::Error;

    fn try_from(address: Address) -> io::Result<Self> {
        match c_int::from(address.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says what it is.
                let v4 = unsafe { address.as_ptr().cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { address.as_ptr().cast::<libc::sockaddr_in6>().read() };
                let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
                Ok(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The other end's address.
pub(super) fn peer(fd: &OwnedFd) -> io::Result<SocketAddr> {
    Address::asked(fd, libc::getpeername)
}

/// This end's address.
pub(super) fn local(fd: &OwnedFd) -> io::Result<SocketAddr> {
    Address::asked(fd, libc::getsockname)
}

/// Ends both directions of a connection, or the listening.
pub(super) fn shut_down(fd: &OwnedFd) {
    // SAFETY: shutdown(2) has no memory to violate. It fails where there is nothing left to end, which is as well.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RDWR) };
}

/// Has system calls on the socket answer EAGAIN in place of waiting.
pub(super) fn never_block(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: fcntl(2) with these commands has no memory to violate.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// A TCP socket for addresses of the kind of `address`, that sends small segments at once.
pub(super) fn stream_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: socket(2) has no memory to violate.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the descriptor is new and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    Ok(fd)
}

/// Sets an option that is on or off.
fn set(fd: &OwnedFd, level: c_int, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    let (value, len) = ((&raw const on).cast(), size_of_val(&on) as socklen_t);
    // SAFETY: the value is a local of that length.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, value, len) }).map(drop)
}

fn bind(fd: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let address = Address::from(address);
    // SAFETY: the address is a local of that length.
    check(unsafe { libc::bind(fd.as_raw_fd(), address.as_ptr(), address.len()) }).map(drop)
}

/// A socket that listens on `address` beside others of this user. What it accepts sends small segments at once as well:
/// connections inherit the option.
pub(super) fn listening_socket(address: SocketAddr, backlog: u32) -> io::Result<OwnedFd> {
    let fd = stream_socket(address)?;
    set(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    set(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    bind(&fd, address)?;
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: listen(2) has no memory to violate.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(fd)
}

/// Keeps an address ours: bound, not listening, so no connection reaches it.
pub(crate) struct ReservedSocket(#[expect(dead_code, reason = "held for its drop")] OwnedFd);

impl ReservedSocket {
    /// Reserves `address`, and says which it is when its port was 0.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<(SocketAddr, Self)> {
        // With SO_REUSEPORT alone the kernel would let us join a port that another process of this user listens on. A
        // probe without it meets everyone; SO_REUSEADDR excepts connections of a former run in TIME_WAIT. The kernel
        // never picks a port that is in use, so port 0 needs no probe.
        if address.port() != 0 {
            let probe = stream_socket(address)?;
            set(&probe, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
            bind(&probe, address)?;
        }
        let fd = stream_socket(address)?;
        set(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        bind(&fd, address)?;
        Ok((local(&fd)?, Self(fd)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn loopback(ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, 0)
    }

    #[test]
    fn an_address_survives_its_passage_through_the_kernel() {
        for address in ["127.1.2.3:45678", "[2001:db8::7]:9092", "[fe80::1%3]:1"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(SocketAddr::try_from(Address::from(address)).unwrap(), address);
        }
    }

    #[test]
    fn a_reserved_port_is_ours_alone_to_listen_on() {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let (address, reserved) = ReservedSocket::bind(loopback(ip)).unwrap();
            assert_ne!(address.port(), 0);
            let taken = ReservedSocket::bind(address).err().expect("a second reservation fails");
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
            let shards = [(); 2].map(|()| listening_socket(address, 8).unwrap());
            drop(reserved);
            let taken = ReservedSocket::bind(address).err().expect("listeners hold the port");
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
            drop(shards);
            ReservedSocket::bind(address).unwrap();
        }
    }
}
