//! A connected byte stream (TCP).
//!
//! Contract: at most one task reads and at most one writes at a time; both may hold a clone. Received bytes that nobody
//! reads are bounded per stream: at the bound the stream stops receiving, and the peer's window closes.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;

use bytes::Bytes;

use crate::part::Part;
use crate::reactor::{Reactor, Side};
use crate::{sim, uring};

/// A connection. Clones share the socket; it closes with the last of them, or with [`Stream::shutdown`].
#[derive(Clone)]
pub struct Stream(pub(crate) StreamSide);

#[derive(Clone)]
pub(crate) enum StreamSide {
    Uring(uring::Stream),
    Sim(sim::Stream),
}

impl Stream {
    pub(crate) async fn connect(reactor: &Reactor, address: SocketAddr) -> io::Result<Self> {
        Ok(Self(match &reactor.0 {
            Side::Uring(shard) => StreamSide::Uring(uring::Stream::connect(shard, address).await?),
            Side::Sim(shard) => StreamSide::Sim(sim::Stream::connect(shard, address).await?),
        }))
    }

    /// The other end's address.
    pub fn peer(&self) -> SocketAddr {
        match &self.0 {
            StreamSide::Uring(stream) => stream.peer(),
            StreamSide::Sim(stream) => stream.peer(),
        }
    }

    /// This end's address: what the peer connected to.
    pub fn local(&self) -> SocketAddr {
        match &self.0 {
            StreamSide::Uring(stream) => stream.local(),
            StreamSide::Sim(stream) => stream.local(),
        }
    }

    /// The next bytes; an empty chunk once the peer has ended its side.
    ///
    /// # Errors
    /// As recv(2), and `ConnectionAborted` after [`Stream::shutdown`].
    pub async fn read(&self) -> io::Result<Chunk> {
        Ok(Chunk(match &self.0 {
            StreamSide::Uring(stream) => ChunkSide::Uring(stream.read().await?),
            StreamSide::Sim(stream) => ChunkSide::Sim(stream.read().await?),
        }))
    }

    /// Sends all of `parts` in order, with as few vectored sends as the kernel allows. Waits while the peer does not read.
    ///
    /// # Errors
    /// As send(2); how much was sent is then unknown and the stream is of no further use.
    pub async fn write_all(&self, parts: Vec<Bytes>) -> io::Result<()> {
        match &self.0 {
            StreamSide::Uring(stream) => stream.write_all(parts).await,
            StreamSide::Sim(stream) => stream.write_all(parts).await,
        }
    }

    /// Sends all of `parts` in order: what lies in files without copying it, as far as the shard's pipes go.
    ///
    /// # Errors
    /// As [`Stream::write_all`], and `UnexpectedEof` where a file has become shorter than its range.
    pub async fn write_parts(&self, parts: Vec<Part>) -> io::Result<()> {
        match &self.0 {
            StreamSide::Uring(stream) => stream.write_parts(parts).await,
            StreamSide::Sim(stream) => stream.write_parts(parts).await,
        }
    }

    /// Ends both directions: a waiting read or write fails.
    pub fn shutdown(&self) {
        match &self.0 {
            StreamSide::Uring(stream) => stream.shutdown(),
            StreamSide::Sim(stream) => stream.shutdown(),
        }
    }
}

/// Received bytes. Holds one of the shard's receive buffers until dropped: copy out what must last.
pub struct Chunk(ChunkSide);

enum ChunkSide {
    Uring(uring::Chunk),
    Sim(Vec<u8>),
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            ChunkSide::Uring(chunk) => chunk,
            ChunkSide::Sim(bytes) => bytes,
        }
    }
}
