//! The measurements, through the reactor as the broker's own journal and segments are written: write bandwidth, durable
//! direct writes by size and depth, plain ones beside them, buffered writes inline and through the ring, and a sync of the
//! file system. Bounded in time and bytes; its files are removed whatever happens.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{DirectFile, Instant, OpenOptions, Queue, Reactor};

use super::samples::{Latency, Samples};

/// What the measurements may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Time for all of them.
    pub time: Duration,
    /// Bytes on the disk at any moment. At most fifteen times as many are written.
    pub file_bytes: u64,
}

/// How far they are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    /// What is measured now.
    pub what: &'static str,
    /// How much of the time is over, from 0 to 1.
    pub part: f64,
}

/// What was measured.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Measured {
    /// Whether writes went past the page cache: not every file system can.
    pub is_direct: bool,
    /// Large writes: of a new file, synced at the end, or durable ones where these are faster.
    pub write_bytes_per_second: u64,
    /// Durable writes: their size in bytes, how many were under way at a time, and their latency.
    pub durable: Vec<(usize, usize, Latency)>,
    /// Writes of 4 KiB without durability.
    pub plain_write: Latency,
    /// Appends of 4 KiB to the page cache by pwrite(2).
    pub inline_write: Latency,
    /// The same by IORING_OP_WRITE.
    pub ring_write: Latency,
    /// How long the file system took to sync what these had written.
    pub sync_seconds: f64,
}

impl Measured {
    /// Durable writes of the smallest size, one at a time: what an idle broker's acknowledgement waits for.
    pub fn smallest_durable(&self) -> Latency {
        self.durable.first().map_or(Latency::default(), |&(_, _, latency)| latency)
    }
}

/// A group of the journal has one block at least, and 1 MiB when it is busy.
const SIZES: [usize; 4] = [4 << 10, 16 << 10, 128 << 10, 1 << 20];
/// A shard has one group in flight: the depth is the number of busy shards.
const DEPTHS: [usize; 3] = [1, 4, 16];
const FILL_BYTES: usize = 1 << 20;
/// Each writer of 1 MiB needs a place of its own.
const FILE_BYTES_MIN: u64 = 16 << 20;
/// Buffered writes beyond this would measure the device again.
const BUFFERED_BYTES_MAX: u64 = 64 << 20;

/// Parts of the time: filling, durable writes of each kind together, plain ones, buffered ones of both kinds together.
const FILL_PART: f64 = 0.2;
const DURABLE_PART: f64 = 0.6;
const PLAIN_PART: f64 = 0.05;
const BUFFERED_PART: f64 = 0.1;

/// Measures the disk of the directory `dir`, which exists. `tell` hears of the progress.
///
/// # Errors
/// The disk's; `Interrupted` when the process is asked to end.
pub async fn measure(
    reactor: &Reactor,
    dir: &Path,
    bounds: Bounds,
    tell: impl FnMut(Progress),
) -> io::Result<Measured> {
    let files =
        ["ringlane-disk.direct.tmp", "ringlane-disk.buffered.tmp"].map(|name| dir.join(name));
    let stopped = Rc::new(Cell::new(false));
    let watch = {
        let (reactor, stopped) = (reactor.clone(), stopped.clone());
        async move {
            reactor.terminated().await;
            stopped.set(true);
        }
    };
    let _watch = reactor.spawn(Queue::Background, watch);
    let mut run = Run { reactor, files: &files, bounds, tell, stopped, start: reactor.now() };
    let measured = run.all().await;
    for file in &files {
        let _ = reactor.disk().remove_file(file).await;
    }
    measured
}

struct Run<'a, T> {
    reactor: &'a Reactor,
    files: &'a [PathBuf; 2],
    bounds: Bounds,
    tell: T,
    stopped: Rc<Cell<bool>>,
    start: Instant,
}

impl<T: FnMut(Progress)> Run<'_, T> {
    async fn all(&mut self) -> io::Result<Measured> {
        let file =
            self.reactor.disk().open_direct(&self.files[0], OpenOptions::CREATE_EMPTY).await?;
        let mut measured = Measured { is_direct: file.is_direct(), ..Measured::default() };
        let (filled, per_second) = self.fill(&file).await?;
        measured.write_bytes_per_second = per_second;
        let share = DURABLE_PART / (SIZES.len() * DEPTHS.len()) as f64;
        for size in SIZES {
            for depth in DEPTHS {
                let kind = Kind { size, depth, durable: true };
                let latency = self.direct(&file, filled, kind, share).await?;
                measured.durable.push((size, depth, latency));
                // The file was filled by one write at a time: several may be faster.
                let per_second = (latency.per_second * size as f64) as u64;
                measured.write_bytes_per_second = measured.write_bytes_per_second.max(per_second);
            }
        }
        let plain = Kind { size: SIZES[0], depth: 1, durable: false };
        measured.plain_write = self.direct(&file, filled, plain, PLAIN_PART).await?;
        (measured.inline_write, measured.ring_write) = self.buffered().await?;
        measured.sync_seconds = self.sync().await?;
        Ok(measured)
    }

    fn told(&mut self, what: &'static str) {
        let elapsed = self.reactor.now() - self.start;
        let part = elapsed.as_secs_f64() / self.bounds.time.as_secs_f64().max(1e-9);
        (self.tell)(Progress { what, part: part.min(1.0) });
    }

    fn until(&self, part: f64) -> Instant {
        self.reactor.now() + self.bounds.time.mul_f64(part)
    }

    fn go_on(&self) -> io::Result<()> {
        match self.stopped.get() {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => Ok(()),
        }
    }

    /// Fills the file, until it is as long as allowed or the time is over: how long it is, and bytes in a second.
    async fn fill(&mut self, file: &DirectFile) -> io::Result<(u64, u64)> {
        let mut buffer = self.reactor.direct_buffer(FILL_BYTES);
        let (begin, until) = (self.reactor.now(), self.until(FILL_PART));
        let most = self.bounds.file_bytes.max(FILE_BYTES_MIN);
        let mut filled = 0;
        while filled + FILL_BYTES as u64 <= most
            && (filled < FILE_BYTES_MIN || self.reactor.now() < until)
        {
            self.go_on()?;
            self.told("write bandwidth");
            let (written, back) = file.write(buffer, FILL_BYTES, filled).await;
            written?;
            buffer = back;
            filled += FILL_BYTES as u64;
        }
        file.sync_data().await?;
        let seconds = (self.reactor.now() - begin).as_secs_f64().max(1e-9);
        Ok((filled, (filled as f64 / seconds) as u64))
    }

    /// Direct writes of one kind, over what was filled.
    async fn direct(
        &mut self,
        file: &DirectFile,
        filled: u64,
        kind: Kind,
        part: f64,
    ) -> io::Result<Latency> {
        self.told(if kind.durable { "durable writes" } else { "plain writes" });
        let (begin, until) = (self.reactor.now(), self.until(part));
        // No more than was filled: the bytes are bounded as the time is.
        let writes = (filled / kind.depth as u64 / kind.size as u64).max(1);
        let writers: Vec<_> = (0..kind.depth as u64)
            .map(|writer| {
                let region = filled / kind.depth as u64 / 4096 * 4096;
                let place = Place { start: writer * region, writes, until };
                let (reactor, file, stopped) =
                    (self.reactor.clone(), file.clone(), self.stopped.clone());
                self.reactor.spawn(Queue::Client, write(reactor, file, kind, place, stopped))
            })
            .collect();
        let mut samples = Samples::default();
        for writer in writers {
            samples.merge(writer.await?);
        }
        self.go_on()?;
        Ok(samples.latency(self.reactor.now() - begin))
    }

    /// Appends through the page cache, inline and through the ring, in turn: both see the same state of it.
    async fn buffered(&mut self) -> io::Result<(Latency, Latency)> {
        self.told("buffered writes");
        let disk = self.reactor.disk();
        let inline = disk.open(&self.files[1], OpenOptions::CREATE_EMPTY).await?;
        let ring = disk.open_cached(&self.files[1], OpenOptions::WRITE).await?;
        let until = self.until(BUFFERED_PART);
        let size = SIZES[0] as u64;
        let mut buffer = self.reactor.direct_buffer(SIZES[0]);
        let (mut inline_samples, mut ring_samples) = (Samples::default(), Samples::default());
        let (mut inline_time, mut ring_time) = (Duration::ZERO, Duration::ZERO);
        let mut at = 0;
        while at + 2 * size <= BUFFERED_BYTES_MAX.min(self.bounds.file_bytes)
            && (at == 0 || self.reactor.now() < until)
        {
            self.go_on()?;
            let begin = self.reactor.now();
            inline.write_at(&buffer, at)?;
            let between = self.reactor.now();
            let (written, back) = ring.write(buffer, SIZES[0], at + size).await;
            written?;
            buffer = back;
            let end = self.reactor.now();
            inline_samples.add(between - begin);
            ring_samples.add(end - between);
            inline_time += between - begin;
            ring_time += end - between;
            at += 2 * size;
        }
        Ok((inline_samples.latency(inline_time), ring_samples.latency(ring_time)))
    }

    async fn sync(&mut self) -> io::Result<f64> {
        self.told("sync");
        let begin = self.reactor.now();
        let dir = self.files[0].parent().unwrap_or(Path::new("."));
        self.reactor.disk().sync_file_system(dir).await?;
        Ok((self.reactor.now() - begin).as_secs_f64())
    }
}

/// A kind of direct write.
#[derive(Clone, Copy)]
struct Kind {
    size: usize,
    depth: usize,
    durable: bool,
}

/// What one of several writers writes over: from `start`, so many writes, no longer than `until`.
#[derive(Clone, Copy)]
struct Place {
    start: u64,
    writes: u64,
    until: Instant,
}

async fn write(
    reactor: Reactor,
    file: DirectFile,
    kind: Kind,
    place: Place,
    stopped: Rc<Cell<bool>>,
) -> io::Result<Samples> {
    let mut buffer = reactor.direct_buffer(kind.size);
    let mut samples = Samples::default();
    for number in 0..place.writes {
        let begin = reactor.now();
        // One at least, however slow the disk is.
        if stopped.get() || (number > 0 && begin >= place.until) {
            break;
        }
        let at = place.start + number * kind.size as u64;
        let (written, back) = match kind.durable {
            true => file.write_durable(buffer, kind.size, at).await,
            false => file.write(buffer, kind.size, at).await,
        };
        written?;
        buffer = back;
        samples.add(reactor.now() - begin);
    }
    Ok(samples)
}
