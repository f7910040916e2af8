//! A listening socket: a multishot accept that fills the queue of connections nobody has taken yet, ends at its bound and
//! starts again once the queue is empty.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use io_uring::types::Fd;
use io_uring::{cqueue, opcode};

use super::ring::{Multishot, Slot};
use super::slab::Key;
use super::{Shard, Stream, op, socket};

/// See [`crate::Listener`].
pub(crate) struct Listener {
    shard: Rc<Shard>,
    accepting: Rc<Accepting>,
}

struct Accepting {
    fd: OwnedFd,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    accepted: VecDeque<io::Result<OwnedFd>>,
    /// The accept under way.
    armed: Option<Key>,
    cancelling: bool,
    taker: Option<Waker>,
}

impl Listener {
    pub(crate) fn open(shard: &Rc<Shard>, address: SocketAddr, backlog: u32) -> io::Result<Self> {
        let fd = socket::listening_socket(address, backlog)?;
        let accepting = Rc::new(Accepting { fd, state: RefCell::default() });
        Ok(Self { shard: shard.clone(), accepting })
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        loop {
            let fd = poll_fn(|cx| self.poll_accept(cx)).await?;
            match socket::peer(&fd) {
                Ok(peer) => return Stream::new(&self.shard, fd, peer),
                // The peer has left already.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn poll_accept(&self, cx: &Context<'_>) -> Poll<io::Result<OwnedFd>> {
        let mut state = self.accepting.state.borrow_mut();
        if let Some(accepted) = state.accepted.pop_front() {
            return Poll::Ready(accepted);
        }
        state.taker = Some(cx.waker().clone());
        if state.armed.is_none() {
            self.accepting.arm(&self.shard, &mut state);
        }
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.accepting.state.borrow_mut();
        // Nobody takes connections any more, so that the cancelled accept is not followed by another.
        state.taker = None;
        // The accept under way holds the socket, but it ends for the peers now.
        socket::shut_down(&self.accepting.fd);
        self.accepting.disarm(&self.shard, &mut state);
    }
}

impl Accepting {
    fn arm(self: &Rc<Self>, shard: &Rc<Shard>, state: &mut State) {
        let accept = opcode::AcceptMulti::new(Fd(self.fd.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
        let slot = Slot::Multishot(self.clone());
        // SAFETY: the kernel touches no memory of ours; the slot holds us, and we hold the descriptor.
        state.armed = Some(unsafe { shard.ring.start(accept.build(), slot) });
        state.cancelling = false;
    }

    fn disarm(&self, shard: &Shard, state: &mut State) {
        if let Some(key) = state.armed
            && !std::mem::replace(&mut state.cancelling, true)
        {
            shard.ring.cancel(key);
        }
    }
}

impl Multishot for Accepting {
    fn completed(self: Rc<Self>, shard: &Rc<Shard>, result: i32, flags: u32) {
        let mut state = self.state.borrow_mut();
        if !cqueue::more(flags) {
            state.armed = None;
        }
        if result != -libc::ECANCELED {
            // SAFETY: the kernel just made this descriptor for us.
            let accepted = op::outcome(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
            state.accepted.push_back(accepted);
        }
        if state.accepted.len() >= shard.config.accepted_max {
            self.disarm(shard, &mut state);
        }
        let wanted = state.taker.is_some() && !shard.ring.is_ending();
        if state.accepted.is_empty() && state.armed.is_none() && wanted {
            return self.arm(shard, &mut state);
        }
        let taker = state.taker.take();
        drop(state);
        taker.into_iter().for_each(Waker::wake);
    }
}
