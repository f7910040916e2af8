//! The futures of a request that was started: of its answer, or of its having left.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ringlane_reactor::{Notified, OneshotReceiver};
use ringlane_wire::ApiKey;

use super::Shared;
use crate::answer::Answer;
use crate::error::Error;

/// The future of an answer. Dropping it does not take the request back.
pub struct Pending {
    pub(super) shared: Rc<Shared>,
    pub(super) receiver: OneshotReceiver<Bytes>,
    pub(super) api_key: ApiKey,
    pub(super) version: i16,
}

impl Future for Pending {
    type Output = Result<Answer, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(frame) = Pin::new(&mut self.receiver).poll(cx) else {
            return Poll::Pending;
        };
        let Self { shared, api_key, version, .. } = &*self;
        let address = shared.address.clone();
        Poll::Ready(match frame {
            Some(frame) => Ok(Answer { address, api_key: *api_key, version: *version, frame }),
            None => Err(shared.why_closed()),
        })
    }
}

/// Ready once a request without an answer was handed to the kernel.
pub struct Sent {
    pub(super) shared: Rc<Shared>,
    /// The request's place among all of the connection.
    pub(super) number: u64,
    pub(super) notified: Option<Notified>,
}

impl Future for Sent {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let is_written = this.shared.state.borrow().written_count >= this.number;
            if is_written {
                return Poll::Ready(Ok(()));
            }
            if this.shared.state.borrow().closed.is_some() {
                return Poll::Ready(Err(this.shared.why_closed()));
            }
            let notified = this.notified.get_or_insert_with(|| this.shared.written.notified());
            if Pin::new(notified).poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.notified = None;
        }
    }
}
