//! A connected TCP socket: reading through [`Receiving`], writing with as few vectored sends as the kernel allows, and from files
//! by way of `splice.rs`.

use std::cell::Cell;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use bytes::{Buf, Bytes};
use io_uring::opcode;
use io_uring::types::Fd;

use super::Shard;
pub(crate) use super::receive::Chunk;
use super::receive::Receiving;
use super::socket::{self, Address};
use crate::Part;

/// The most parts that one sendmsg(2) takes (UIO_MAXIOV).
const PARTS_MAX: usize = 1024;

/// The most bytes that one send takes, well below the kernel's 2 GiB.
const SEND_BYTES_MAX: usize = 1 << 30;

/// See [`crate::Stream`].
#[derive(Clone)]
pub(crate) struct Stream(Rc<Connected>);

struct Connected {
    shard: Rc<Shard>,
    fd: Rc<OwnedFd>,
    receiving: Rc<Receiving>,
    peer: SocketAddr,
    local: SocketAddr,
    never_blocks_inline: Cell<bool>,
}

impl Stream {
    /// Wraps a socket that is connected to `peer`.
    pub(super) fn new(shard: &Rc<Shard>, fd: OwnedFd, peer: SocketAddr) -> io::Result<Self> {
        let local = socket::local(&fd)?;
        let fd = Rc::new(fd);
        let receiving = Receiving::new(fd.clone());
        let (shard, never_blocks_inline) = (shard.clone(), Cell::new(false));
        let connected = Connected { shard, fd, receiving, peer, local, never_blocks_inline };
        Ok(Self(Rc::new(connected)))
    }

    pub(crate) async fn connect(shard: &Rc<Shard>, address: SocketAddr) -> io::Result<Self> {
        let fd = Rc::new(socket::stream_socket(address)?);
        let target = Box::new(Address::from(address));
        let connect = opcode::Connect::new(Fd(fd.as_raw_fd()), target.as_ptr(), target.len());
        let resources = (target, fd);
        // SAFETY: the boxed address and the descriptor belong to the operation.
        let (connected, (_, fd)) = unsafe { shard.start(connect.build(), resources) }.await;
        connected?;
        let fd = Rc::into_inner(fd).expect("the operation gave back the only owner");
        Self::new(shard, fd, address)
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.0.local
    }

    pub(crate) async fn read(&self) -> io::Result<Chunk> {
        self.0.receiving.read(&self.0.shard).await
    }

    pub(crate) async fn write_all(&self, parts: Vec<Bytes>) -> io::Result<()> {
        self.write_bytes(parts, false).await
    }

    pub(crate) async fn write_parts(&self, parts: Vec<Part>) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(parts.len());
        let mut parts = parts.into_iter();
        while let Some(part) = parts.next() {
            match part {
                Part::Bytes(part) => bytes.push(part),
                Part::File(range) => {
                    self.write_bytes(mem::take(&mut bytes), true).await?;
                    self.send_range(range, parts.len() > 0).await?;
                }
            }
        }
        self.write_bytes(bytes, false).await
    }

    pub(super) fn shard(&self) -> &Rc<Shard> {
        &self.0.shard
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0.fd
    }

    /// From now on system calls on the socket itself do not wait: splice(2) has no flag for that. The ring's operations go on
    /// waiting for the peer.
    pub(super) fn never_block_inline(&self) -> io::Result<()> {
        if !self.0.never_blocks_inline.replace(true) {
            socket::never_block(&self.0.fd)?;
        }
        Ok(())
    }

    /// Ready when the socket has room.
    pub(super) async fn writable(&self) -> io::Result<()> {
        let poll = opcode::PollAdd::new(Fd(self.0.fd.as_raw_fd()), libc::POLLOUT as u32).build();
        // SAFETY: the operation holds the descriptor, and there is no memory.
        unsafe { self.0.shard.start(poll, self.0.fd.clone()) }.await.0.map(drop)
    }

    /// `more` says whether something follows at once: the kernel may wait for it.
    async fn write_bytes(&self, parts: Vec<Bytes>, more: bool) -> io::Result<()> {
        let mut parts = parts;
        parts.retain(|part| !part.is_empty());
        parts.reverse();
        while !parts.is_empty() {
            let (sent, unsent) = self.send(parts, more).await;
            parts = unsent;
            advance(&mut parts, sent?);
        }
        Ok(())
    }

    /// Sends a beginning of `parts`, which are in reverse order.
    async fn send(&self, parts: Vec<Bytes>, more: bool) -> (io::Result<usize>, Vec<Bytes>) {
        let (shard, fd) = (&self.0.shard, Fd(self.0.fd.as_raw_fd()));
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL | if more { libc::MSG_MORE } else { 0 };
        let (sent, parts) = if let [part] = &parts[..] {
            let len = part.len().min(SEND_BYTES_MAX) as u32;
            let send = opcode::Send::new(fd, part.as_ptr(), len).flags(flags).build();
            let resources = (parts, self.0.fd.clone());
            // SAFETY: the bytes are on the heap, and the operation owns them and the descriptor.
            let (sent, (parts, _)) = unsafe { shard.start(send, resources) }.await;
            (sent, parts)
        } else {
            let message = Message::new(&parts);
            let send = opcode::SendMsg::new(fd, &raw const message.header).flags(flags as u32);
            let resources = (parts, message, self.0.fd.clone());
            // SAFETY: as above; the header is boxed and points to a vector beside it.
            let (sent, (parts, ..)) = unsafe { shard.start(send.build(), resources) }.await;
            (sent, parts)
        };
        (sent.map(|sent| sent as usize), parts)
    }

    pub(crate) fn shutdown(&self) {
        socket::shut_down(&self.0.fd);
        self.0.receiving.abort(&self.0.shard);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // The receive holds the socket: it closes with the cancelled receive's last completion.
        self.receiving.stop(&self.shard);
    }
}

/// The header of a vectored send.
struct Message {
    header: libc::msghdr,
    _parts: Vec<libc::iovec>,
}

impl Message {
    /// Of the first parts, which are the last in `parts`.
    fn new(parts: &[Bytes]) -> Box<Self> {
        let mut left = SEND_BYTES_MAX;
        let vector = |part: &Bytes| {
            let len = part.len().min(left);
            left -= len;
            libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: len }
        };
        let mut vectors: Vec<_> = parts.iter().rev().take(PARTS_MAX).map(vector).collect();
        // SAFETY: a header of zeros is one without address, parts and control data.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = vectors.len();
        Box::new(Self { header, _parts: vectors })
    }
}

/// Takes the first `sent` bytes off `parts`, which are in reverse order.
fn advance(parts: &mut Vec<Bytes>, mut sent: usize) {
    while let Some(part) = parts.last_mut() {
        if sent < part.len() {
            return part.advance(sent);
        }
        sent -= part.len();
        parts.pop();
    }
    assert_eq!(sent, 0, "no more is sent than there was");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_send_goes_on_where_it_ended() {
        let parts = || vec![Bytes::from_static(b"ghi"), Bytes::from_static(b"abcdef")];
        for sent in 0..=9 {
            let mut rest = parts();
            advance(&mut rest, sent);
            let rest: Vec<u8> = rest.iter().rev().flat_map(|part| part.to_vec()).collect();
            assert_eq!(rest, b"abcdefghi"[sent..]);
        }
    }
}
