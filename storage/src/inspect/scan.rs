//! The batches of one segment in order, and the stretches between them that hold none that can be trusted.
//!
//! A batch is trusted when its checksum holds and its offsets follow those before it. Where one does not, the scan goes on
//! at the first trusted batch behind it that is reached from length to length; where a length cannot be right, at a batch
//! that the offset index names. It never searches byte by byte: a value may hold something that looks like a batch.

use std::io;
use std::path::Path;

use ringlane_batch::Offset;
use ringlane_reactor::{Disk, File, OpenOptions};

use super::Batch;
use super::entries::Entries;
use super::walk::{Step, Walk};
use crate::error::StorageError;
use crate::names::Kind;
use crate::segment::OffsetEntry;

/// No batch is read whole that is larger: 256 MiB is far beyond what `max.message.bytes` is set to.
const BATCH_BYTES_MAX: u64 = 256 << 20;

/// As many index entries are tried at once.
const ENTRIES_MAX: usize = 1 << 20;

/// Bytes of a segment that hold no batch that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's byte where they begin.
    pub position: u64,
    /// How many they are.
    pub len: u64,
    /// The first offset that may lie in them.
    pub first_offset: Offset,
    /// The offset behind them; `None` where nothing tells.
    pub next_offset: Option<Offset>,
    /// What is wrong with the first of them.
    pub what: String,
}

impl Damage {
    /// The byte behind them.
    pub fn end(&self) -> u64 {
        self.position + self.len
    }
}

/// What a scan comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A batch that can be trusted.
    Batch(Batch),
    /// Bytes that cannot.
    Damage(Damage),
}

/// See the module.
pub struct SegmentScan {
    walk: Walk,
    file: File,
    index: Option<File>,
    base: Offset,
    position: u64,
    next_offset: Offset,
    /// What lies at a position that was looked at before its turn.
    ahead: Option<(u64, Step)>,
    /// No offset of the segment reaches this.
    end: Offset,
}

impl SegmentScan {
    /// Scans the `.log` file at `path`, named by its base offset, with the offset index that lies beside it.
    ///
    /// # Errors
    /// The disk's; `Corrupt` when the name is no segment's.
    pub async fn open(disk: &Disk, path: &Path) -> Result<Self, StorageError> {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(Kind::parse);
        let Some((Kind::Log, base)) = name else {
            return Err(StorageError::corrupt(path, "is not named as a segment is"));
        };
        let failed = || StorageError::io("open", path);
        let file = disk.open(path, OpenOptions::READ).await.map_err(failed())?;
        let len = file.len().map_err(StorageError::io("look at", path))?;
        let index = Kind::OffsetIndex.path(path.parent().unwrap_or(Path::new(".")), base);
        let index = disk.open(&index, OpenOptions::READ).await.ok();
        Ok(Self::over(file, index, base, len, Offset(i64::MAX)))
    }

    /// Scans `len` bytes of `file`, a segment whose offsets lie in `base..end`.
    pub(crate) fn over(
        file: File,
        index: Option<File>,
        base: Offset,
        len: u64,
        end: Offset,
    ) -> Self {
        let walk = Walk::new(file.clone(), len);
        Self { walk, file, index, base, position: 0, next_offset: base, ahead: None, end }
    }

    /// The segment's base offset.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// The offset behind the last batch so far.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The byte that the scan has come to.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file.
    pub fn len_bytes(&self) -> u64 {
        self.walk.limit()
    }

    /// How many bytes were read since this was last asked.
    pub fn take_read_bytes(&mut self) -> u64 {
        self.walk.take_read_bytes()
    }

    /// The next batch or damage; `None` at the end.
    ///
    /// # Errors
    /// As pread(2); `UnexpectedEof` when the file became shorter.
    pub async fn next(&mut self) -> io::Result<Option<Found>> {
        if self.position >= self.walk.limit() {
            return Ok(None);
        }
        let ahead = self.ahead.take().filter(|(position, _)| *position == self.position);
        let mut step = match ahead {
            Some((_, step)) => step,
            None => self.walk.at(self.position).await?,
        };
        let mut judged = self.judge_with_the_next(&step).await?;
        if judged.is_err() {
            // A bit that flips on the way is not damage on the disk.
            self.walk.forget_chunk();
            self.ahead = None;
            step = self.walk.at(self.position).await?;
            judged = self.judge_with_the_next(&step).await?;
        }
        match (judged, step) {
            (Ok(()), Step::Batch(batch)) => {
                self.position = batch.end();
                self.next_offset = batch.next_offset();
                Ok(Some(Found::Batch(batch)))
            }
            (Err(what), step) => self.skip(step, what).await.map(Some),
            (Ok(()), Step::Fault(_)) => unreachable!("only a batch is trusted"),
        }
    }

    /// All bytes of `batch`, a trusted one: `None` when they are more than fit into memory with certainty.
    ///
    /// # Errors
    /// As pread(2).
    pub async fn bytes(&self, batch: &Batch) -> io::Result<Option<Vec<u8>>> {
        if batch.len > BATCH_BYTES_MAX {
            return Ok(None);
        }
        self.file.read_at(vec![0; batch.len as usize], batch.position).await.map(Some)
    }

    /// The same as [`Self::judge`], and of a batch that leaves offsets out, as after a compaction, whether the next one
    /// follows it. If that follows what lies before, this one's base offset is wrong, which the checksum does not cover.
    async fn judge_with_the_next(&mut self, step: &Step) -> io::Result<Result<(), String>> {
        let judged = self.judge(step);
        let Step::Batch(batch) = step else { return Ok(judged) };
        if judged.is_err()
            || batch.base_offset == self.next_offset
            || batch.end() >= self.walk.limit()
        {
            return Ok(judged);
        }
        let ahead = self.walk.at(batch.end()).await?;
        let judged = match &ahead {
            Step::Batch(next) if next.crc_is_valid => {
                let between = self.next_offset..batch.next_offset();
                let (first, last, next) = (batch.base_offset, batch.last_offset, next.base_offset);
                match between.contains(&next) {
                    true => Err(format!("the offsets {first}..={last} come before {next}")),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        };
        self.ahead = Some((batch.end(), ahead));
        Ok(judged)
    }

    /// Whether what lies there can be trusted, or why not.
    fn judge(&self, step: &Step) -> Result<(), String> {
        let batch = match step {
            Step::Batch(batch) => batch,
            Step::Fault(what) => return Err(what.clone()),
        };
        let (first, last) = (batch.base_offset, batch.last_offset);
        if !batch.crc_is_valid {
            Err("the checksum does not match".into())
        } else if first < self.next_offset || last < first {
            Err(format!("the offsets {first}..={last} do not follow {}", self.next_offset))
        } else if last.distance_from(self.base) > i64::from(i32::MAX) || last.0 == i64::MAX {
            Err(format!("the offsets {first}..={last} are out of the segment's range"))
        } else if last >= self.end {
            Err(format!("the offsets {first}..={last} reach beyond the segment, to {}", self.end))
        } else {
            Ok(())
        }
    }

    /// Goes on behind `step`, which cannot be trusted.
    async fn skip(&mut self, step: Step, what: String) -> io::Result<Found> {
        let start = self.position;
        let entries = self.index_behind(start).await?;
        let resumed = match self.by_lengths(step, entries.first()).await? {
            Some(resumed) => Some(resumed),
            None => self.by_index(&entries).await?,
        };
        let limit = self.walk.limit();
        let (end, next_offset) = match resumed {
            Some(batch) => (batch.position, Some(batch.base_offset)),
            None => (limit, Some(self.end).filter(|end| *end < Offset(i64::MAX))),
        };
        assert!(end > start && end <= limit, "damage has an extent within the file");
        let first_offset = self.next_offset;
        self.position = end;
        self.next_offset = next_offset.unwrap_or(first_offset);
        Ok(Found::Damage(Damage {
            position: start,
            len: end - start,
            first_offset,
            next_offset,
            what,
        }))
    }

    /// The first trusted batch behind `step`, going by the lengths that batches claim, up to an index entry that says
    /// otherwise.
    async fn by_lengths(
        &mut self,
        mut step: Step,
        entry: Option<&OffsetEntry>,
    ) -> io::Result<Option<Batch>> {
        let until = entry.map_or(u64::MAX, |entry| u64::from(entry.position));
        while let Step::Batch(batch) = step {
            let next = batch.end();
            if next > until || next >= self.walk.limit() {
                return Ok(None);
            }
            step = self.walk.at(next).await?;
            if self.judge(&step).is_ok()
                && let Step::Batch(batch) = step
            {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The first trusted batch that one of `entries` names.
    async fn by_index(&mut self, entries: &[OffsetEntry]) -> io::Result<Option<Batch>> {
        for entry in entries {
            let position = u64::from(entry.position);
            if position >= self.walk.limit() {
                break;
            }
            let step = self.walk.at(position).await?;
            if self.judge(&step).is_ok()
                && let Step::Batch(batch) = step
                && batch.last_offset == entry.offset
            {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The entries of the offset index that point behind `position`.
    async fn index_behind(&self, position: u64) -> io::Result<Vec<OffsetEntry>> {
        let Some(file) = &self.index else { return Ok(Vec::new()) };
        let mut entries = Entries::<OffsetEntry>::new(file.clone(), self.base)?;
        let mut behind = Vec::new();
        while let Some((_, entry)) = entries.next().await? {
            if u64::from(entry.position) > position {
                behind.push(entry);
            }
            if behind.len() == ENTRIES_MAX {
                break;
            }
        }
        Ok(behind)
    }
}
