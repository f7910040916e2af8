//! The bytes of the journal: a group is a header, the list of the logs in the group before it, and entries. Pure; drawn in
//! `docs/formats.md`.
//!
//! No length is believed before its checksum, and no checksum without the place: a group names its journal, sequence, file
//! and block, an entry its group's sequence and its place in the group. So neither recycled nor misplaced bytes pass.

mod builder;
mod entry;
#[cfg(test)]
mod tests;

use std::fmt;

pub use builder::GroupBuilder;
pub use entry::{ENTRY_HEADER_BYTES, Entry, EntryHead, EntryKind, entry_bytes};
use ringlane_batch::{PartitionIndex, TopicId};

/// Groups start on, and are padded with zeros to, multiples of this.
pub const BLOCK_BYTES: usize = 4096;
/// The bytes of a group's header.
pub const GROUP_HEADER_BYTES: usize = 56;
/// The bytes of an element of the list of logs.
pub const LISTED_LOG_BYTES: usize = 32;
/// Entries start at multiples of this within their group.
const ALIGNMENT: usize = 8;

const MAGIC: [u8; 8] = *b"RLJOURNL";
const VERSION: u16 = 1;

const VERSION_AT: usize = 8;
const SHARD_AT: usize = 10;
const HEADER_CRC_AT: usize = 12;
const JOURNAL_ID_AT: usize = 16;
const SEQUENCE_AT: usize = 24;
const LENGTH_AT: usize = 32;
const ENTRY_COUNT_AT: usize = 36;
const LIST_COUNT_AT: usize = 40;
const LIST_CRC_AT: usize = 44;
const FILE_AT: usize = 48;
const BLOCK_AT: usize = 52;

/// What is wrong with bytes that should be a group or an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// They do not begin as a group does.
    NotAGroup,
    /// A version that this broker does not know.
    Version(u16),
    /// The group's header does not match its checksum.
    HeaderChecksum,
    /// A length or count leads out of what is there.
    Length,
    /// The list of logs does not match its checksum.
    ListChecksum,
    /// An entry does not match its checksum.
    EntryChecksum,
    /// An entry of another group, or of another place in it.
    EntryOfAnotherPlace,
    /// A kind of entry that this broker does not know.
    Kind(u8),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAGroup => f.write_str("no group of the journal begins here"),
            Self::Version(version) => {
                write!(f, "the journal's format has version {version}, this broker knows {VERSION}")
            }
            Self::HeaderChecksum => f.write_str("a group's header does not match its checksum"),
            Self::Length => f.write_str("a length leads out of its group"),
            Self::ListChecksum => f.write_str("a group's list of logs does not match its checksum"),
            Self::EntryChecksum => f.write_str("an entry does not match its checksum"),
            Self::EntryOfAnotherPlace => f.write_str("an entry of another group or place"),
            Self::Kind(kind) => write!(f, "an entry of the unknown kind {kind}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Where a group is: written into its header, so that a misdirected write is noticed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The number of the file within the shard's journal.
    pub file: u32,
    /// The block of [`BLOCK_BYTES`] within the file.
    pub block: u32,
}

/// The header of a group, its checksum verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupHeader {
    /// The shard whose journal it is.
    pub shard: u16,
    /// Drawn once for a data directory's shard journal.
    pub journal_id: u64,
    /// One more with each group.
    pub sequence: u64,
    /// Bytes of header, list and entries; the write is padded to whole blocks.
    pub bytes: u32,
    /// How many entries there are.
    pub entries: u32,
    /// How many logs were in the group before it.
    pub listed_logs: u32,
    list_crc: u32,
    /// Where it was written.
    pub place: Place,
}

impl GroupHeader {
    /// The header at the start of `bytes`. Its lengths fit each other; whether they fit the file is the caller's to check.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let header = bytes.first_chunk::<GROUP_HEADER_BYTES>().ok_or(Fault::Length)?;
        if header[..MAGIC.len()] != MAGIC {
            return Err(Fault::NotAGroup);
        }
        if header_crc(header) != number(header, HEADER_CRC_AT) {
            return Err(Fault::HeaderChecksum);
        }
        let version = u16::from_be_bytes(field(header, VERSION_AT));
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let parsed = Self {
            shard: u16::from_be_bytes(field(header, SHARD_AT)),
            journal_id: u64::from_be_bytes(field(header, JOURNAL_ID_AT)),
            sequence: u64::from_be_bytes(field(header, SEQUENCE_AT)),
            bytes: number(header, LENGTH_AT),
            entries: number(header, ENTRY_COUNT_AT),
            listed_logs: number(header, LIST_COUNT_AT),
            list_crc: number(header, LIST_CRC_AT),
            place: Place { file: number(header, FILE_AT), block: number(header, BLOCK_AT) },
        };
        let least = GROUP_HEADER_BYTES as u64
            + u64::from(parsed.listed_logs) * LISTED_LOG_BYTES as u64
            + u64::from(parsed.entries) * ENTRY_HEADER_BYTES as u64;
        if least > u64::from(parsed.bytes) { Err(Fault::Length) } else { Ok(parsed) }
    }

    /// The bytes that the group takes in its file.
    pub fn padded_bytes(&self) -> u64 {
        u64::from(self.bytes).next_multiple_of(BLOCK_BYTES as u64)
    }

    /// The logs of the group before this one, from this one's `bytes`; those behind the list need not be there.
    ///
    /// # Errors
    /// `ListChecksum`, or `Length` when the list is not all there.
    pub fn logs_in(&self, bytes: &[u8]) -> Result<Vec<ListedLog>, Fault> {
        let list = bytes.get(GROUP_HEADER_BYTES..self.entries_at()).ok_or(Fault::Length)?;
        if crc32c::crc32c(list) != self.list_crc {
            return Err(Fault::ListChecksum);
        }
        Ok(list.as_chunks::<LISTED_LOG_BYTES>().0.iter().map(ListedLog::parse).collect())
    }

    fn entries_at(&self) -> usize {
        GROUP_HEADER_BYTES + self.listed_logs as usize * LISTED_LOG_BYTES
    }

    /// Writes the header over the start of `bytes`; the list behind it is there already.
    fn write(&self, bytes: &mut [u8]) {
        let header = bytes.first_chunk_mut::<GROUP_HEADER_BYTES>().expect("a group has a header");
        let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(VERSION_AT, &VERSION.to_be_bytes());
        put(SHARD_AT, &self.shard.to_be_bytes());
        put(JOURNAL_ID_AT, &self.journal_id.to_be_bytes());
        put(SEQUENCE_AT, &self.sequence.to_be_bytes());
        put(LENGTH_AT, &self.bytes.to_be_bytes());
        put(ENTRY_COUNT_AT, &self.entries.to_be_bytes());
        put(LIST_COUNT_AT, &self.listed_logs.to_be_bytes());
        put(LIST_CRC_AT, &self.list_crc.to_be_bytes());
        put(FILE_AT, &self.place.file.to_be_bytes());
        put(BLOCK_AT, &self.place.block.to_be_bytes());
        let crc = header_crc(header);
        header[HEADER_CRC_AT..HEADER_CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

/// A log in a group: what the next group says about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListedLog {
    /// The topic of the log.
    pub topic_id: TopicId,
    /// The partition of the log.
    pub partition: PartitionIndex,
    /// How many entries of it are in the group.
    pub entries: u32,
    /// The log sequence of the last of them.
    pub last_log_sequence: u64,
}

impl ListedLog {
    /// Takes in one more entry.
    ///
    /// # Panics
    /// When it is another log's, or does not follow the last one.
    pub(super) fn add(&mut self, head: &EntryHead) {
        let key = (self.topic_id, self.partition);
        assert_eq!(key, (head.topic_id, head.partition), "a log takes its own seat");
        assert_eq!(head.log_sequence, self.last_log_sequence + 1, "a log's entries are dense");
        self.last_log_sequence = head.log_sequence;
        self.entries += 1;
    }

    fn write(&self, bytes: &mut [u8]) {
        bytes[..16].copy_from_slice(&self.topic_id.0);
        bytes[16..20].copy_from_slice(&self.partition.0.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.entries.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.last_log_sequence.to_be_bytes());
    }

    fn parse(bytes: &[u8; LISTED_LOG_BYTES]) -> Self {
        Self {
            topic_id: TopicId(field(bytes, 0)),
            partition: PartitionIndex(i32::from_be_bytes(field(bytes, 16))),
            entries: number(bytes, 20),
            last_log_sequence: u64::from_be_bytes(field(bytes, 24)),
        }
    }
}

/// A group whose header is good. Entries and list are verified as they are read.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'a> {
    header: GroupHeader,
    bytes: &'a [u8],
}

/// What could be read of a group's entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readable<'a> {
    /// The good ones, in order.
    pub entries: Vec<Entry<'a>>,
    /// The first thing wrong with the others; `None` when the group is whole.
    pub fault: Option<Fault>,
}

/// The group that `bytes` begins with. Only its header and its length are checked here, so that a damaged entry can be
/// told from a damaged header.
///
/// # Errors
/// What is wrong with the header, or `Length` when it promises more than there is.
pub fn parse_group(bytes: &[u8]) -> Result<GroupView<'_>, Fault> {
    let header = GroupHeader::parse(bytes)?;
    let length = usize::try_from(header.bytes).map_err(|_| Fault::Length)?;
    Ok(GroupView { header, bytes: bytes.get(..length).ok_or(Fault::Length)? })
}

impl<'a> GroupView<'a> {
    /// The header.
    pub fn header(&self) -> &GroupHeader {
        &self.header
    }

    /// The logs of the group before this one.
    ///
    /// # Errors
    /// As [`GroupHeader::logs_in`].
    pub fn logs_before(&self) -> Result<Vec<ListedLog>, Fault> {
        self.header.logs_in(self.bytes)
    }

    /// The entries. After a bad one the search goes on at every place where an entry may start.
    pub fn entries(&self) -> Readable<'a> {
        let mut readable = Readable { entries: Vec::new(), fault: None };
        let mut at = self.header.entries_at();
        while at < self.bytes.len() {
            match entry::parse(&self.bytes[at..], at, self.header.sequence) {
                Ok((entry, taken)) => {
                    readable.entries.push(entry);
                    at += taken;
                }
                Err(fault) => {
                    readable.fault.get_or_insert(fault);
                    at += ALIGNMENT;
                }
            }
        }
        if readable.entries.len() as u64 != u64::from(self.header.entries) {
            readable.fault.get_or_insert(Fault::Length);
        }
        readable
    }
}

/// Over the header without the checksum itself.
fn header_crc(header: &[u8; GROUP_HEADER_BYTES]) -> u32 {
    let before = crc32c::crc32c(&header[..HEADER_CRC_AT]);
    crc32c::crc32c_append(before, &header[HEADER_CRC_AT + 4..])
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(field(bytes, at))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("every field lies within its header")
}
