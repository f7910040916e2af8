//! The three tasks of a connection: one writes what is queued, one reads answers, one watches the deadlines.

use std::rc::Rc;

use ringlane_wire::FrameAssembler;
use ringlane_wire::frame::correlation_id;

use super::Shared;
use crate::error::Error;

/// Writes everything that is queued with one send, again and again: requests started in one turn leave together.
pub(super) async fn write(shared: Rc<Shared>) {
    loop {
        let more = shared.to_write.notified();
        let (parts, count) = {
            let mut state = shared.state.borrow_mut();
            if state.closed.is_some() {
                return;
            }
            (std::mem::take(&mut state.outgoing), state.queued_count)
        };
        if parts.is_empty() {
            more.await;
            continue;
        }
        if let Err(error) = shared.stream.write_all(parts).await {
            return shared.close(format!("writing failed: {error}"));
        }
        {
            let mut state = shared.state.borrow_mut();
            assert!(state.written_count < count, "frames are written once, in order");
            state.written_count = count;
        }
        shared.written.notify_all();
    }
}

/// Hands each answer to who waits for it, until the broker ends the connection or sends what is no answer.
pub(super) async fn read(shared: Rc<Shared>, frame_bytes_max: usize) {
    let mut assembler = FrameAssembler::new(frame_bytes_max);
    let mut frames = Vec::new();
    loop {
        let chunk = match shared.stream.read().await {
            Ok(chunk) if chunk.is_empty() => return shared.close("the broker closed it".into()),
            Ok(chunk) => chunk,
            Err(error) => return shared.close(format!("reading failed: {error}")),
        };
        let pushed = assembler.push(&chunk, &mut |frame| frames.push(frame));
        drop(chunk);
        for frame in frames.drain(..) {
            let id = correlation_id(&frame).ok();
            let waiting = id.and_then(|id| shared.state.borrow_mut().waiting.remove(&id));
            let Some(waiting) = waiting else {
                return not_the_protocol(&shared, "an answer to a request that was never sent");
            };
            // Whoever asked may have stopped waiting: then nobody takes it.
            let _ = waiting.answer.send(frame);
        }
        if let Err(error) = pushed {
            return not_the_protocol(&shared, &error.to_string());
        }
    }
}

fn not_the_protocol(shared: &Shared, reason: &str) {
    let address = shared.address.clone();
    shared.close_with(Error::Protocol { address, reason: reason.to_owned() });
}

/// Ends the connection when a request has waited too long.
pub(super) async fn watch(shared: Rc<Shared>) {
    loop {
        let earlier = shared.earlier_deadline.notified();
        let now = shared.reactor.now();
        let (deadline, overdue) = {
            let mut state = shared.state.borrow_mut();
            if state.closed.is_some() {
                return;
            }
            let first = state.waiting.values().min_by_key(|waiting| waiting.deadline);
            let overdue = first.filter(|first| first.deadline <= now);
            let late = overdue.map(|first| Error::TimedOut {
                address: shared.address.clone(),
                api_key: first.api_key,
                after: first.timeout,
            });
            let next = first.map(|first| first.deadline);
            state.watched = next;
            (next, late)
        };
        if let Some(error) = overdue {
            return shared.close_with(error);
        }
        match deadline {
            // A wake at a deadline that was met meanwhile finds the next one.
            Some(deadline) => drop(shared.reactor.timeout(deadline - now, earlier).await),
            None => earlier.await,
        }
    }
}
