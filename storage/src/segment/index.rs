//! A sparse index: fixed-size entries whose keys only grow, in a file that is only appended to. The newest entries wait
//! in memory and are written some at a time: after a crash the shard's checkpoint has them, or they are rebuilt from the
//! batches behind it. So none of them is urgent, and the tail of the log, which is read most, is found without asking the
//! file.

use std::io;

use ringlane_batch::Offset;
use ringlane_reactor::File;

use super::reader::read_fully;

/// As many entries wait in memory before the older half of them is written.
const TAIL_MAX: usize = 128;
/// A search in the file reads this many entries at once when it has come that close.
const BLOCK_ENTRIES: u32 = 256;

/// One entry of an index.
pub(crate) trait Entry: Copy {
    /// Bytes of an entry in the file.
    const LEN: usize;

    /// Adds the entry's bytes; offsets are relative to the segment's base.
    fn encode(&self, base: i64, bytes: &mut Vec<u8>);

    /// The entry in `bytes`, which are `LEN`.
    fn decode(base: i64, bytes: &[u8]) -> Self;
}

/// See the module.
pub(crate) struct Index<E> {
    /// Entries in the file.
    flushed: u32,
    /// The entries behind them.
    tail: Vec<E>,
}

impl<E: Entry> Index<E> {
    /// An index with `flushed` entries in its file, and `tail` behind them.
    pub(crate) fn new(flushed: u32, tail: Vec<E>) -> Self {
        Self { flushed, tail }
    }

    /// All entries, in the file and in memory.
    pub(crate) fn len(&self) -> u32 {
        self.flushed + self.tail.len() as u32
    }

    /// Entries in the file.
    pub(crate) fn flushed(&self) -> u32 {
        self.flushed
    }

    /// Whether an index file of `max_bytes` has no room for one more entry behind `reserved`.
    pub(crate) fn is_full(&self, max_bytes: u32, reserved: u32) -> bool {
        let max = (max_bytes as usize / E::LEN) as u32;
        self.len() + reserved >= max
    }

    /// The entries that wait in memory.
    pub(crate) fn tail(&self) -> &[E] {
        &self.tail
    }

    /// Adds an entry behind all others (the caller knows that it belongs there).
    pub(crate) fn push(&mut self, entry: E) {
        self.tail.push(entry);
    }

    /// The last entry in memory for which `before` holds, if the first one there has it: else the file has to be asked.
    pub(crate) fn find_in_tail(&self, before: impl Fn(&E) -> bool) -> Option<E> {
        let at = self.tail.partition_point(before);
        at.checked_sub(1).map(|at| self.tail[at])
    }

    /// Whether any entry waits in memory.
    pub(crate) fn waits(&self) -> bool {
        !self.tail.is_empty()
    }

    /// Whether enough entries wait in memory for some to be written.
    pub(crate) fn wants_flush(&self) -> bool {
        self.tail.len() >= TAIL_MAX
    }

    /// Writes waiting entries to the file: the older half, or `all`. On an error they go on waiting.
    pub(crate) fn flush(&mut self, file: &File, base: i64, all: bool) -> io::Result<()> {
        let count = if all { self.tail.len() } else { self.tail.len() / 2 };
        if count == 0 {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(count * E::LEN);
        self.tail[..count].iter().for_each(|entry| entry.encode(base, &mut bytes));
        assert_eq!(bytes.len(), count * E::LEN, "entries are fixed-size");
        file.write_at(&bytes, u64::from(self.flushed) * E::LEN as u64)?;
        match all {
            true => self.tail = Vec::new(),
            false => _ = self.tail.drain(..count),
        }
        self.flushed += count as u32;
        Ok(())
    }
}

/// How many of the first `count` entries of a file come before the rest, as `before` tells, and the last of them.
pub(crate) async fn search<E: Entry>(
    file: &File,
    base: i64,
    count: u32,
    before: impl Fn(&E) -> bool,
) -> io::Result<(u32, Option<E>)> {
    // Entries below `low` are before, those from `high` on are not.
    let (mut low, mut high) = (0, count);
    while high - low > BLOCK_ENTRIES {
        let middle = low + (high - low) / 2;
        let entry = read_entries::<E>(file, base, middle, 1).await?[0];
        if before(&entry) {
            low = middle;
        } else {
            high = middle;
        }
    }
    let block = read_entries::<E>(file, base, low, high - low).await?;
    // Where the entries are in no order, entry `low` is before the rest still.
    let within = block.partition_point(&before).max(usize::from(low > 0));
    Ok((low + within as u32, within.checked_sub(1).map(|at| block[at])))
}

/// As [`search`] for the entries below `offset`, in a file that a power cut may have left longer than what was synced of
/// it: behind the synced entries, which all are below `offset`, there may be zeros and entries that are not.
pub(crate) async fn search_synced<E: Entry>(
    file: &File,
    base: Offset,
    count: u32,
    offset: Offset,
    offset_of: impl Fn(&E) -> Offset,
) -> io::Result<(u32, Option<E>)> {
    // Zeros look like the base, so the search may end among them, but never before them.
    let found = search(file, base.0, count, |entry: &E| offset_of(entry) < offset).await?;
    let (mut below, mut last) = found;
    while let Some(entry) = &last {
        let at = offset_of(entry);
        if at < offset && (at > base || below == 1) {
            break;
        }
        below -= 1;
        last = match below {
            0 => None,
            _ => read_entries::<E>(file, base.0, below - 1, 1).await?.pop(),
        };
    }
    Ok((below, last))
}

/// The last of the `count` entries in a file, which were synced.
pub(crate) async fn last<E: Entry>(file: &File, base: Offset, count: u32) -> io::Result<Option<E>> {
    match count.checked_sub(1) {
        Some(at) => Ok(read_entries(file, base.0, at, 1).await?.pop()),
        None => Ok(None),
    }
}

async fn read_entries<E: Entry>(
    file: &File,
    base: i64,
    first: u32,
    count: u32,
) -> io::Result<Vec<E>> {
    let len = count as usize * E::LEN;
    let bytes = read_fully(file, u64::from(first) * E::LEN as u64, len).await?;
    if bytes.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.chunks_exact(E::LEN).map(|entry| E::decode(base, entry)).collect())
}
