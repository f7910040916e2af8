//! What a start finds in a shard's journal: the groups from a sequence on, one at a time, in order, and what is damaged.
//!
//! Only the group at the end may be torn: nothing of it was acknowledged. A bad group that a good one follows was
//! acknowledged and is damage; which logs it concerns is told by the group after it.

mod extent;
mod locate;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ringlane_reactor::{DirectFile, Disk, OpenOptions};

use super::format::{
    BLOCK_BYTES, Entry, GroupBuilder, GroupHeader, GroupView, ListedLog, parse_group,
};
use super::names::{file_path, journals};
use crate::error::StorageError;
pub use extent::Extent;
use locate::locate;
use window::Window;

/// How far the next writer's sequence lies above all that was found. Above one group at least, so that what a torn group
/// left behind is no part of a new one; more, so that headers lost to a fault do not matter either.
const SEQUENCE_GAP: u64 = 1024;

/// Acknowledged entries that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The sequences of the groups concerned.
    pub groups: Range<u64>,
    /// The logs that miss entries, with what was in the group of each; `None` when that is unknown: it may be any log.
    pub logs: Option<Vec<ListedLog>>,
}

/// A group as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its number.
    pub sequence: u64,
    /// Damage before it and in it. To be heeded before any of its entries is applied.
    pub damage: Vec<Damage>,
    /// It is the last one and not whole: it was never acknowledged. What can be read of it may be kept or not.
    pub torn: bool,
    bytes: Vec<u8>,
}

impl Group {
    /// The entries that can be read, in order.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        parse_group(&self.bytes).map(|view| view.entries().entries).unwrap_or_default()
    }
}

/// Reads the journal of one shard. Holds the headers of the groups, and one group at a time.
pub struct Reader {
    dir: PathBuf,
    shard: u16,
    /// With the length of each.
    files: BTreeMap<u32, (DirectFile, u64)>,
    window: Window,
    /// Files with no group of their own, and whose they begin with.
    exchanged: BTreeMap<u32, (u16, u32)>,
    from: u64,
    /// The newest group of this journal; 0 where there is none.
    last_group: u64,
    journal_id: Option<u64>,
    /// The groups not yet given out, by sequence.
    groups: VecDeque<GroupHeader>,
    /// The sequence of the next group if none is missing.
    expected: u64,
    next_sequence: u64,
    foreign_groups: u64,
    has_own_groups: bool,
}

impl Reader {
    /// Looks for the groups of `shard` from the sequence `from` on: what was persisted when the journal was trimmed last.
    /// Older ones are recycled bytes. So are those with another id than `journal_id`; without one, the id of the group
    /// with the highest sequence is taken.
    ///
    /// # Errors
    /// The disk's; `Foreign` for a format of another version.
    pub async fn open(
        disk: &Disk,
        dir: &Path,
        shard: u16,
        journal_id: Option<u64>,
        from: u64,
    ) -> Result<Self, StorageError> {
        let numbers = journals(disk, dir).await?.into_iter().find(|found| found.shard == shard);
        let (mut files, mut groups) = (BTreeMap::new(), Vec::new());
        let mut exchanged = BTreeMap::new();
        let mut window = Window::new();
        for number in numbers.map(|found| found.files).unwrap_or_default() {
            let path = file_path(dir, shard, number);
            let file = disk.open_direct(&path, OpenOptions::READ).await;
            let file = file.map_err(StorageError::io("open", &path))?;
            let len = file.len().map_err(StorageError::io("read the length of", &path))?;
            let located = locate((&file, len), &path, (shard, number), &mut window).await?;
            let elsewhere = located.elsewhere.filter(|_| located.groups.is_empty());
            exchanged.extend(elsewhere.map(|other| (number, other)));
            groups.extend(located.groups);
            files.insert(number, (file, len));
        }
        groups.sort_by_key(|header| (header.sequence, header.place));
        let journal_id = journal_id.or_else(|| groups.last().map(|header| header.journal_id));
        let found = groups.len();
        groups.retain(|header| Some(header.journal_id) == journal_id);
        let foreign_groups = (found - groups.len()) as u64;
        let has_own_groups = !groups.is_empty();
        let last_group = groups.last().map_or(0, |header| header.sequence);
        let above = if has_own_groups { last_group.saturating_add(1) } else { 0 };
        let next_sequence = above.max(from).saturating_add(SEQUENCE_GAP);
        groups.retain(|header| header.sequence >= from);
        // A writer starts far above all it could find: two groups of one sequence are one group, copied.
        groups.dedup_by_key(|header| header.sequence);
        Ok(Self {
            dir: dir.to_path_buf(),
            shard,
            files,
            window,
            exchanged,
            from,
            last_group,
            journal_id,
            groups: groups.into(),
            expected: from,
            next_sequence,
            foreign_groups,
            has_own_groups,
        })
    }

    /// The journal's id: the one asked for, or found. `None` when there is no group at all.
    pub fn journal_id(&self) -> Option<u64> {
        self.journal_id
    }

    /// The sequence that a writer must start with: nothing on the disk can be taken for part of its groups. To be persisted as
    /// what the journal is trimmed to before the writer opens.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// How many groups have another journal's id: this directory's journal was mixed with another's when there are any.
    pub fn foreign_groups(&self) -> u64 {
        self.foreign_groups
    }

    /// Whether there is any group of this journal, old ones included.
    pub fn has_own_groups(&self) -> bool {
        self.has_own_groups
    }

    /// The next group; `None` at the end.
    ///
    /// # Errors
    /// The disk's.
    pub async fn next(&mut self) -> Result<Option<Group>, StorageError> {
        while let Some(header) = self.groups.pop_front() {
            assert!(header.sequence >= self.expected, "groups are read in order");
            let bytes = self.read(&header, header.padded_bytes() as usize).await?;
            // Good when it was located, bad now: the next one that can be read tells of the gap.
            let Some(view) = view_of(&bytes, &header) else { continue };
            let mut damage: Vec<Damage> = self.missing_before(&view).into_iter().collect();
            let whole = view.entries().fault.is_none();
            let torn = !whole && self.groups.is_empty();
            if !whole && !torn {
                damage.push(self.damage_in(&view).await?);
            }
            self.expected = header.sequence + 1;
            return Ok(Some(Group { sequence: header.sequence, damage, torn, bytes }));
        }
        Ok(None)
    }

    /// The groups that should be before `view` and are not there.
    fn missing_before(&self, view: &GroupView<'_>) -> Option<Damage> {
        let groups = self.expected..view.header().sequence;
        let logs = match groups.end - groups.start {
            0 => return None,
            // An empty list comes from a writer that had just opened: it knows nothing of what was before.
            1 => view.logs_before().ok().filter(|logs| !logs.is_empty()),
            _ => None,
        };
        Some(Damage { groups, logs })
    }

    /// The logs whose entries are not all readable in `view`, by what the group behind it says.
    async fn damage_in(&mut self, view: &GroupView<'_>) -> Result<Damage, StorageError> {
        let sequence = view.header().sequence;
        let groups = sequence..sequence + 1;
        let Some(next) = self.groups.front().filter(|next| next.sequence == groups.end) else {
            return Ok(Damage { groups, logs: None });
        };
        let head_bytes = GroupBuilder::least_bytes(next.listed_logs as usize);
        let next = *next;
        let bytes = self.read(&next, head_bytes).await?;
        let listed = next.logs_in(&bytes).ok();
        let mut readable: BTreeMap<_, u32> = BTreeMap::new();
        for entry in view.entries().entries {
            *readable.entry((entry.head.topic_id, entry.head.partition)).or_default() += 1;
        }
        let is_short = |log: &ListedLog| {
            let found = readable.get(&(log.topic_id, log.partition)).copied();
            found.unwrap_or_default() < log.entries
        };
        let short = listed.map(|logs| logs.into_iter().filter(is_short).collect::<Vec<_>>());
        Ok(Damage { groups, logs: short.filter(|logs| !logs.is_empty()) })
    }

    /// The first `len` bytes of a group; they lie within its file, which may have been cut since.
    async fn read(&mut self, header: &GroupHeader, len: usize) -> Result<Vec<u8>, StorageError> {
        let at = u64::from(header.place.block) * BLOCK_BYTES as u64;
        let number = header.place.file;
        let (file, _) = &self.files[&number];
        let read = self.window.read(number, file, at, len).await;
        let path = file_path(&self.dir, self.shard, number);
        Ok(read.map_err(StorageError::io("read", &path))?.to_vec())
    }
}

fn view_of<'a>(bytes: &'a [u8], header: &GroupHeader) -> Option<GroupView<'a>> {
    parse_group(bytes).ok().filter(|view| view.header() == header)
}
