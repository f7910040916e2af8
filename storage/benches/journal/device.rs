//! The bare device: one durable direct write after the other, of one size, in a file filled with zeros.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ringlane_reactor::{OpenOptions, Reactor};

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
    pub(crate) fn bytes_per_second(&self) -> f64 {
        (self.writes as usize * self.write_bytes) as f64 / self.elapsed.as_secs_f64()
    }
}

pub(crate) async fn run(
    reactor: Reactor,
    args: Args,
    dir: PathBuf,
    write_bytes: usize,
) -> io::Result<Device> {
    crate::fresh(&reactor, &dir).await?;
    let path = dir.join("device");
    let file = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await?;
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
        let before = std::mem::replace(&mut now, reactor.now());
        waits.push(u32::try_from((now - before).as_micros()).unwrap_or(u32::MAX));
    }
    let elapsed = now - begin;
    drop(file);
    crate::remove(&reactor, &dir).await?;
    let writes = waits.len() as u64;
    waits.sort_unstable();
    Ok(Device { writes, write_bytes, elapsed, waits })
}
