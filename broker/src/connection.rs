//! One client connection: frames in, answers out in the order of the requests. Requests are taken up in the order in which
//! they came, each before the next is: most are then answered; a Produce is appended, and waits for the disk beside its
//! successors. Fetch, JoinGroup and SyncGroup are only decoded by then: they look for records, or ask the group, once they
//! are at the front of the queue of answers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use ringlane_reactor::{Notify, Part, Queue, Stream};
use ringlane_wire::frame::FrameAssembler;
use tracing::{debug, info};

use crate::apis::{self, Answer, Started};
use crate::memory::{Account, Held};
use crate::race::{Either, race};
use crate::shard::Shard;

/// One send takes answers that are ready until it has this much.
const SEND_BYTES: usize = 256 * 1024;

/// At most this much of an answer is given to the kernel at once.
const PIECE_BYTES: usize = 1 << 20;

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

/// An answer that is on its way, and the bytes of its request, which are held until then, or longer by work that goes on
/// without the connection.
struct Pending {
    started: Started,
    _request: Rc<Held>,
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
    let writer = shard.reactor.spawn(Queue::Client, write_answers(connection.clone()));
    let told_to_close = race(connection.account.evicted(), writer);
    let end = match race(read_requests(&connection), told_to_close).await {
        Either::First(end) => end,
        Either::Second(Either::First(())) => End::Closed,
        // Without it nothing is answered any more, and the reader may be waiting for that.
        Either::Second(Either::Second(())) => End::Gone,
    };
    connection.account.leave();
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
    let mut received = connection.account.take(0);
    loop {
        connection.account.wait_to_read(&shard.reactor).await;
        let chunk = match connection.stream.read().await {
            Ok(chunk) if !chunk.is_empty() => chunk,
            Ok(_) | Err(_) => return End::Gone,
        };
        connection.account.progressed(shard.reactor.now());
        shard.metrics.bytes_received.add(chunk.len() as u64);
        received.grow(chunk.len());
        if let Err(error) = assembler.push(&chunk, &mut |frame| frames.push_back(frame)) {
            return End::Refused(error.to_string());
        }
        drop(chunk);
        connection.account.set_receiving(!assembler.is_at_boundary());
        while let Some(frame) = frames.pop_front() {
            // The four bytes of its length came with it.
            drop(received.split(4));
            let request = received.split(frame.len());
            if let Err(reason) = begin(connection, frame, request).await {
                return End::Refused(reason);
            }
        }
    }
}

/// Begins the request in `frame`, whose bytes `held` has, and queues its answer.
async fn begin(connection: &Connection, frame: Bytes, held: Held) -> Result<(), String> {
    let held = Rc::new(held);
    while connection.answers.borrow().len()
        >= connection.shard.config.connection_requests_max as usize
    {
        connection.popped.notified().await;
    }
    let started = apis::start(&connection.shard, &connection.stream, &held, frame).await?;
    connection.answers.borrow_mut().push_back(Pending { started, _request: held });
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
async fn next_answers(connection: &Connection) -> Result<Vec<Part>, String> {
    loop {
        let pushed = connection.pushed.notified();
        let front = connection.answers.borrow_mut().pop_front();
        let Some(mut front) = front else {
            pushed.await;
            continue;
        };
        let mut parts = Vec::new();
        let answer = poll_fn(|cx| front.started.poll(cx)).await;
        take(connection, front, answer, &mut parts)?;
        add_ready(connection, &mut parts).await?;
        if !parts.is_empty() {
            return Ok(parts);
        }
    }
}

/// Adds the answers that are ready behind the first, up to a bound: what a client does not read must not pile up here.
async fn add_ready(connection: &Connection, parts: &mut Vec<Part>) -> Result<(), String> {
    poll_fn(|cx| {
        while parts.iter().map(Part::len).sum::<usize>() < SEND_BYTES {
            // It is out of the queue while it is polled: what that starts may look at the queue.
            let next = connection.answers.borrow_mut().pop_front();
            let Some(mut next) = next else { break };
            let Poll::Ready(answer) = next.started.poll(cx) else {
                connection.answers.borrow_mut().push_front(next);
                break;
            };
            take(connection, next, answer, parts)?;
        }
        Poll::Ready(Ok(()))
    })
    .await
}

fn take(
    connection: &Connection,
    pending: Pending,
    answer: Answer,
    parts: &mut Vec<Part>,
) -> Result<(), String> {
    drop(pending);
    connection.popped.notify_all();
    match answer {
        Answer::Send(answer) => parts.extend(answer),
        Answer::Nothing => {}
        Answer::Close(reason) => return Err(reason),
    }
    Ok(())
}

async fn send(connection: &Connection, mut parts: Vec<Part>) -> io::Result<()> {
    let account = &connection.account;
    let bytes: usize = parts.iter().map(Part::len).sum();
    // What lies in a file is in the page cache, not here.
    let held = account.take(parts.iter().map(Part::memory_bytes).sum());
    account.set_sending(true);
    let mut sent = Ok(());
    // A large answer leaves in pieces, so that a client that takes it slowly is seen to take it.
    while sent.is_ok() && !parts.is_empty() {
        sent = connection.stream.write_parts(piece(&mut parts)).await;
        account.progressed(connection.shard.reactor.now());
    }
    account.set_sending(false);
    drop(held);
    connection.shard.metrics.bytes_sent.add(bytes as u64);
    sent
}

/// Takes at most [`PIECE_BYTES`] from the front of `parts`.
fn piece(parts: &mut Vec<Part>) -> Vec<Part> {
    let mut room = PIECE_BYTES;
    let whole = parts.iter().take_while(|part| {
        let fits = part.len() <= room;
        room -= part.len().min(room);
        fits
    });
    let whole = whole.count();
    if whole == parts.len() {
        return std::mem::take(parts);
    }
    let rest = parts.split_off(whole);
    let mut piece = std::mem::replace(parts, rest);
    let taken: usize = piece.iter().map(Part::len).sum();
    if taken < PIECE_BYTES {
        piece.push(parts[0].split_to(PIECE_BYTES - taken));
    }
    piece
}
