//! Receiving on one socket: a multishot receive that fills the stream's queue of unread chunks, ends at the stream's bound
//! and starts again once the queue is drained.
//!
//! Bounds: a stream holds at most `unread_bytes_max`, plus what the kernel delivers before it sees the cancellation. A
//! stream that is not read gives its buffers back as soon as they run low, by copying what it holds; so streams that
//! nobody reads do not stop those that someone does.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use io_uring::types::Fd;
use io_uring::{cqueue, opcode};

use super::Shard;
use super::buffers::{Buffers, GROUP};
use super::ring::{Multishot, Ring, Slot};
use super::slab::Key;

/// See [`crate::Chunk`].
pub(crate) struct Chunk(Bytes);

enum Bytes {
    Buffer { buffers: Rc<Buffers>, id: u16, len: usize },
    Copied(Vec<u8>),
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Buffer { buffers, id, len } => buffers.bytes(*id, *len),
            Bytes::Copied(bytes) => bytes,
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Bytes::Buffer { buffers, id, .. } = &self.0 {
            buffers.give_back(*id);
        }
    }
}

/// The receiving half of a stream.
pub(super) struct Receiving {
    fd: Rc<OwnedFd>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    unread: VecDeque<Chunk>,
    unread_bytes: usize,
    end: Option<End>,
    /// The receive under way.
    armed: Option<Key>,
    cancelling: bool,
    /// Found no buffer, and is started again when one is back.
    starved: bool,
    reader: Option<Waker>,
}

#[derive(Clone, Copy)]
enum End {
    Closed,
    Failed(i32),
}

impl Receiving {
    pub(super) fn new(fd: Rc<OwnedFd>) -> Rc<Self> {
        Rc::new(Self { fd, state: RefCell::default() })
    }

    /// See [`crate::Stream::read`].
    pub(super) async fn read(self: &Rc<Self>, shard: &Rc<Shard>) -> io::Result<Chunk> {
        poll_fn(|cx| self.poll_read(shard, cx)).await
    }

    fn poll_read(self: &Rc<Self>, shard: &Rc<Shard>, cx: &Context<'_>) -> Poll<io::Result<Chunk>> {
        let mut state = self.state.borrow_mut();
        let chunk = state.unread.pop_front();
        if let Some(chunk) = &chunk {
            assert!(state.unread_bytes >= chunk.len(), "every unread chunk was counted");
            state.unread_bytes -= chunk.len();
        }
        // Receive on with half the bound drained, but not before someone asked for bytes at all.
        let drained = state.unread_bytes <= shard.config.unread_bytes_max / 2;
        if state.end.is_none() && state.armed.is_none() && drained && !state.starved {
            self.arm(shard, &mut state);
        }
        match (chunk, state.end) {
            (Some(chunk), _) => Poll::Ready(Ok(chunk)),
            (None, Some(End::Closed)) => Poll::Ready(Ok(Chunk(Bytes::Copied(Vec::new())))),
            (None, Some(End::Failed(code))) => Poll::Ready(Err(io::Error::from_raw_os_error(code))),
            (None, None) => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn arm(self: &Rc<Self>, shard: &Rc<Shard>, state: &mut State) {
        let receive = opcode::RecvMulti::new(Fd(self.fd.as_raw_fd()), GROUP).build();
        let slot = Slot::Multishot(self.clone());
        // SAFETY: the kernel writes to the ring's own buffers only; the slot holds us, and we hold the descriptor.
        state.armed = Some(unsafe { shard.ring.start(receive, slot) });
        state.cancelling = false;
    }

    /// Fails the reader, now and later, and forgets what was not read.
    pub(super) fn abort(&self, shard: &Shard) {
        let (unread, reader) = {
            let mut state = self.state.borrow_mut();
            state.end = Some(End::Failed(libc::ECONNABORTED));
            state.unread_bytes = 0;
            self.disarm(shard, &mut state);
            (std::mem::take(&mut state.unread), state.reader.take())
        };
        drop(unread);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Stops receiving: the stream is gone.
    pub(super) fn stop(&self, shard: &Shard) {
        let mut state = self.state.borrow_mut();
        state.reader = None;
        self.disarm(shard, &mut state);
    }

    fn disarm(&self, shard: &Shard, state: &mut State) {
        if let Some(key) = state.armed
            && !std::mem::replace(&mut state.cancelling, true)
        {
            shard.ring.cancel(key);
        }
    }

    /// Queues a chunk. One that nobody waits for is copied where buffers are low, so that it does not keep one.
    fn push(state: &mut State, chunk: Chunk, buffers_low: bool) {
        state.unread_bytes += chunk.len();
        let waits = state.reader.is_none() || !state.unread.is_empty();
        if !waits || !buffers_low {
            return state.unread.push_back(chunk);
        }
        // Small pieces are gathered: a peer that sends single bytes must not cost an allocation for each.
        if let Some(Chunk(Bytes::Copied(last))) = state.unread.back_mut()
            && last.len() + chunk.len() <= last.capacity().max(1024)
        {
            return last.extend_from_slice(&chunk);
        }
        state.unread.push_back(Chunk(Bytes::Copied(chunk.to_vec())));
    }
}

impl Multishot for Receiving {
    fn completed(self: Rc<Self>, shard: &Rc<Shard>, result: i32, flags: u32) {
        let buffers = &shard.ring.buffers;
        let chunk = cqueue::buffer_select(flags).map(|id| {
            buffers.taken();
            let len = usize::try_from(result).unwrap_or(0);
            Chunk(Bytes::Buffer { buffers: buffers.clone(), id, len })
        });
        let mut state = self.state.borrow_mut();
        if !cqueue::more(flags) {
            state.armed = None;
        }
        let aborted = matches!(state.end, Some(End::Failed(_)));
        match result {
            _ if aborted => {}
            1.. => Self::push(&mut state, chunk.expect("bytes come in a buffer"), buffers.is_low()),
            0 => state.end = Some(End::Closed),
            // Our own cancellation, or no buffer was free.
            _ if [libc::ECANCELED, libc::ENOBUFS].contains(&-result) => {}
            _ => state.end = Some(End::Failed(-result)),
        }
        let full = state.unread_bytes >= shard.config.unread_bytes_max;
        if full && state.end.is_none() {
            self.disarm(shard, &mut state);
        }
        if state.armed.is_none() && state.end.is_none() && state.unread.is_empty() {
            // Whoever waits must not wait for a receive that has ended.
            match result {
                _ if result == -libc::ENOBUFS => {
                    state.starved = true;
                    shard.ring.starved.borrow_mut().push(Rc::downgrade(&self));
                }
                _ if shard.ring.is_ending() => {}
                _ if state.reader.is_some() => self.arm(shard, &mut state),
                _ => {}
            }
            return;
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Ring {
    /// Starts the receives that had found no buffer, if there are buffers now.
    pub(super) fn rearm_starved(&self, shard: &Rc<Shard>) {
        if self.buffers.free() == 0 || self.starved.borrow().is_empty() || self.is_ending() {
            return;
        }
        let starved = std::mem::take(&mut *self.starved.borrow_mut());
        for receiving in starved.iter().filter_map(Weak::upgrade) {
            let mut state = receiving.state.borrow_mut();
            state.starved = false;
            if state.armed.is_none() && state.end.is_none() && state.unread.is_empty() {
                receiving.arm(shard, &mut state);
            }
        }
    }
}
