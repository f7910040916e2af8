//! One client connection: frames in, answers out in the order of the requests. Requests begin in the order in which they
//! came; what they wait for (the disk, new records, a group) overlaps.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use ringlane_reactor::{Notify, Queue, Stream};
use ringlane_wire::frame::FrameAssembler;
use tracing::{debug, info};

use crate::apis::{self, Answer, Started};
use crate::memory::Account;
use crate::race::{Either, race};
use crate::shard::Shard;

/// Why a connection ended, other than by its client's wish.
enum End {
    /// The client closed it, or its network did.
    Gone,
    /// The client broke the protocol, or asked for the close with its request.
    Refused(String),
    /// It was idle for too long, or in the way at the memory bound.
    Closed,
}

/// What the two tasks of a connection share.
///
/// Contract: the reader pushes answers and waits at the bound on requests in flight; the writer pops them.
struct Connection {
    shard: Rc<Shard>,
    stream: Stream,
    account: Rc<Account>,
    answers: RefCell<VecDeque<Pending>>,
    pushed: Notify,
    popped: Notify,
    refused: RefCell<Option<String>>,
}

/// An answer that is on its way, and the bytes of its request, which are held until then.
struct Pending {
    started: Started,
    request_bytes: usize,
}

/// Serves `stream` until it ends.
pub(crate) async fn run(shard: Rc<Shard>, stream: Stream) {
    let peer = stream.peer();
    let account = shard.memory.open(shard.reactor.now());
    let connection = Rc::new(Connection {
        shard: shard.clone(),
        stream,
        account,
        answers: RefCell::default(),
        pushed: Notify::new(),
        popped: Notify::new(),
        refused: RefCell::default(),
    });
    // Dropped with this function, and with it whatever the client still waits for.
    let _writer = shard.reactor.spawn(Queue::Client, write_answers(connection.clone()));
    let end = match race(read_requests(&connection), connection.account.evicted()).await {
        Either::First(end) => end,
        Either::Second(()) => End::Closed,
    };
    connection.stream.shutdown();
    let refused = connection.refused.take();
    match (end, refused) {
        (End::Refused(reason), _) | (_, Some(reason)) => {
            shard.metrics.connections_refused.increment();
            info!(%peer, "connection closed: {reason}");
        }
        (End::Closed, None) => {
            shard.metrics.connections_closed.increment();
            info!(%peer, "connection closed: idle, or in the way at the memory bound");
        }
        (End::Gone, None) => debug!(%peer, "connection ended"),
    }
}

async fn read_requests(connection: &Rc<Connection>) -> End {
    let shard = &connection.shard;
    let mut assembler = FrameAssembler::new(shard.config.socket_request_max_bytes as usize);
    let mut frames: VecDeque<Bytes> = VecDeque::new();
    let mut partial_bytes = 0;
    loop {
        connection.account.wait_for_room(partial_bytes > 0).await;
        let chunk = match connection.stream.read().await {
            Ok(chunk) if !chunk.is_empty() => chunk,
            Ok(_) | Err(_) => return End::Gone,
        };
        connection.account.progressed(shard.reactor.now());
        shard.metrics.bytes_received.add(chunk.len() as u64);
        connection.account.add(chunk.len());
        partial_bytes += chunk.len();
        if let Err(error) = assembler.push(&chunk, &mut |frame| frames.push_back(frame)) {
            return End::Refused(error.to_string());
        }
        drop(chunk);
        while let Some(frame) = frames.pop_front() {
            // The four bytes of its length came with it.
            partial_bytes -= frame.len() + 4;
            connection.account.release(4);
            if let Err(reason) = begin(connection, frame).await {
                return End::Refused(reason);
            }
        }
    }
}

/// Begins one request and queues its answer.
async fn begin(connection: &Rc<Connection>, frame: Bytes) -> Result<(), String> {
    let request_bytes = frame.len();
    while connection.answers.borrow().len()
        >= connection.shard.config.connection_requests_max as usize
    {
        connection.popped.notified().await;
    }
    let started = apis::start(&connection.shard, &connection.stream, frame).await?;
    connection.answers.borrow_mut().push_back(Pending { started, request_bytes });
    connection.pushed.notify_all();
    Ok(())
}

async fn write_answers(connection: Rc<Connection>) {
    loop {
        let parts = match next_answers(&connection).await {
            Ok(parts) => parts,
            Err(reason) => {
                *connection.refused.borrow_mut() = Some(reason);
                return connection.stream.shutdown();
            }
        };
        if send(&connection, parts).await.is_err() {
            return connection.stream.shutdown();
        }
    }
}

/// Every answer that is ready at the front of the queue, at least one: they leave in one vectored send.
async fn next_answers(connection: &Connection) -> Result<Vec<Bytes>, String> {
    loop {
        let pushed = connection.pushed.notified();
        if connection.answers.borrow().is_empty() {
            pushed.await;
            continue;
        }
        let parts = ready_answers(connection).await?;
        if !parts.is_empty() {
            return Ok(parts);
        }
    }
}

async fn ready_answers(connection: &Connection) -> Result<Vec<Bytes>, String> {
    // The front is taken out while it is polled: polling it may push to this very queue's bells.
    let front: Cell<Option<Pending>> = Cell::new(None);
    let mut parts = Vec::new();
    let mut finished = false;
    poll_fn(|cx| {
        loop {
            let next = front.take().or_else(|| connection.answers.borrow_mut().pop_front());
            let Some(mut pending) = next else { return Poll::Ready(Ok(())) };
            match pending.started.poll(cx) {
                Poll::Pending => {
                    if finished {
                        connection.answers.borrow_mut().push_front(pending);
                        return Poll::Ready(Ok(()));
                    }
                    front.set(Some(pending));
                    return Poll::Pending;
                }
                Poll::Ready(answer) => {
                    finished = true;
                    connection.account.release(pending.request_bytes);
                    connection.popped.notify_all();
                    match answer {
                        Answer::Send(answer) => parts.extend(answer),
                        Answer::Nothing => {}
                        Answer::Close(reason) => return Poll::Ready(Err(reason)),
                    }
                }
            }
        }
    })
    .await?;
    Ok(parts)
}

async fn send(connection: &Connection, parts: Vec<Bytes>) -> io::Result<()> {
    let bytes: usize = parts.iter().map(Bytes::len).sum();
    connection.account.add(bytes);
    let sent = connection.stream.write_all(parts).await;
    connection.account.release(bytes);
    connection.account.progressed(connection.shard.reactor.now());
    connection.shard.metrics.bytes_sent.add(bytes as u64);
    sent
}
