//! The bare device: one durable direct write after the other, of one size, in a file filled with zeros; alone, or with as
//! many bytes written beside them, not durably and in large pieces. The second is what a broker asks of the device that
//! keeps its records in segments, too.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{DirectBuffer, DirectFile, Notify, OpenOptions, Queue, Reactor};

use crate::args::Args;

const PIECE_BYTES: usize = 1 << 20;

/// What the device did.
pub(crate) struct Device {
    pub(crate) writes: u64,
    pub(crate) write_bytes: usize,
    pub(crate) elapsed: Duration,
    /// In µs and in order.
    pub(crate) waits: Vec<u32>,
}

impl Device {
    pub(crate) fn writes_per_second(&self) -> f64 {
        self.writes as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn bytes_per_second(&self) -> f64 {
        (self.writes as usize * self.write_bytes) as f64 / self.elapsed.as_secs_f64()
    }
}

/// What the two writers tell each other.
#[derive(Default)]
struct Progress {
    durable_bytes: Cell<u64>,
    ended: Cell<bool>,
    moved: Notify,
}

pub(crate) async fn run(
    reactor: Reactor,
    args: Args,
    dir: PathBuf,
    write_bytes: usize,
    twice: bool,
) -> io::Result<Device> {
    crate::fresh(&reactor, &dir).await?;
    let (file, mut buffer) = zeroed(&reactor, &dir.join("device"), &args, write_bytes).await?;
    let progress = Rc::new(Progress::default());
    let beside = match twice {
        false => None,
        true => {
            let (file, buffer) = zeroed(&reactor, &dir.join("beside"), &args, PIECE_BYTES).await?;
            let beside = follow(file, buffer, args.file_bytes, progress.clone());
            Some(reactor.spawn(Queue::Client, beside))
        }
    };
    let mut waits = Vec::new();
    let (begin, mut now) = (reactor.now(), reactor.now());
    let mut at = 0;
    while now - begin < args.seconds {
        if at + write_bytes as u64 > args.file_bytes {
            at = 0;
        }
        let written;
        (written, buffer) = file.write_durable(buffer, write_bytes, at).await;
        written?;
        at += write_bytes as u64;
        progress.durable_bytes.set(progress.durable_bytes.get() + write_bytes as u64);
        progress.moved.notify_all();
        let before = std::mem::replace(&mut now, reactor.now());
        waits.push(u32::try_from((now - before).as_micros()).unwrap_or(u32::MAX));
    }
    progress.ended.set(true);
    progress.moved.notify_all();
    if let Some(beside) = beside {
        beside.await?;
    }
    // What was written beside and is not done by now counts as the time that it takes.
    let elapsed = reactor.now() - begin;
    drop(file);
    crate::remove(&reactor, &dir).await?;
    let writes = waits.len() as u64;
    waits.sort_unstable();
    Ok(Device { writes, write_bytes, elapsed, waits })
}

/// A file filled with zeros, and a buffer to write to it from.
async fn zeroed(
    reactor: &Reactor,
    path: &Path,
    args: &Args,
    write_bytes: usize,
) -> io::Result<(DirectFile, DirectBuffer)> {
    let file = reactor.disk().open_direct(path, OpenOptions::CREATE_NEW).await?;
    file.allocate(args.file_bytes).await?;
    let mut buffer = reactor.direct_buffer(PIECE_BYTES.max(write_bytes));
    let mut at = 0;
    while at < args.file_bytes {
        let piece = PIECE_BYTES.min((args.file_bytes - at) as usize);
        let written;
        (written, buffer) = file.write(buffer, piece, at).await;
        written?;
        at += piece as u64;
    }
    file.sync_data().await?;
    buffer.fill(b'x');
    Ok((file, buffer))
}

/// Writes as many bytes as the durable writer, in pieces and behind it, until that has ended.
async fn follow(
    file: DirectFile,
    mut buffer: DirectBuffer,
    file_bytes: u64,
    progress: Rc<Progress>,
) -> io::Result<()> {
    let (mut bytes, mut at) = (0, 0);
    loop {
        let moved = progress.moved.notified();
        let is_behind = bytes + PIECE_BYTES as u64 <= progress.durable_bytes.get();
        if !is_behind && progress.ended.get() {
            return file.sync_data().await;
        }
        if !is_behind {
            moved.await;
            continue;
        }
        if at + PIECE_BYTES as u64 > file_bytes {
            at = 0;
        }
        let written;
        (written, buffer) = file.write(buffer, PIECE_BYTES, at).await;
        written?;
        at += PIECE_BYTES as u64;
        bytes += PIECE_BYTES as u64;
    }
}
