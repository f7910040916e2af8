//! An entry of the journal: a header of fixed size, the payload, zeros up to the next multiple of eight.

use ringlane_batch::{Offset, PartitionIndex, TopicId};

use super::{ALIGNMENT, Fault};

/// The bytes of an entry's header.
pub const ENTRY_HEADER_BYTES: usize = 72;

const CRC_AT: usize = 0;
const PAYLOAD_BYTES_AT: usize = 4;
const TOPIC_ID_AT: usize = 8;
const PARTITION_AT: usize = 24;
const KIND_AT: usize = 28;
const LOG_SEQUENCE_AT: usize = 32;
const GROUP_SEQUENCE_AT: usize = 40;
const BASE_OFFSET_AT: usize = 48;
const SEGMENT_BASE_AT: usize = 56;
const POSITION_AT: usize = 64;
const PLACE_AT: usize = 68;

/// What an entry tells the replay to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EntryKind {
    /// The payload is a batch: it belongs into the segment at the position.
    Batch,
    /// The log was cut: it ends at the base offset, in the segment and at the position that the entry names.
    Truncate,
    /// The log starts at the base offset from here on.
    LogStart,
}

impl EntryKind {
    const ALL: [Self; 3] = [Self::Batch, Self::Truncate, Self::LogStart];

    fn number(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Truncate => 2,
            Self::LogStart => 3,
        }
    }
}

/// What a log says about an entry; the journal adds the group's sequence, the lengths and the checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryHead {
    /// What to do with it.
    pub kind: EntryKind,
    /// The topic of the log.
    pub topic_id: TopicId,
    /// The partition of the log.
    pub partition: PartitionIndex,
    /// The log's own sequence: one more with each entry of this log.
    pub log_sequence: u64,
    /// Of a batch the first offset; of a truncation the new log end; of a log start the new start.
    pub base_offset: Offset,
    /// The base of the segment concerned.
    pub segment_base: Offset,
    /// Where in the segment's `.log` file: of a batch its place, of a truncation the end.
    pub position: u32,
}

/// An entry as it was found, its checksum verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The header.
    pub head: EntryHead,
    /// The payload.
    pub payload: &'a [u8],
}

/// The bytes that an entry with a payload of this length takes in its group.
pub const fn entry_bytes(payload_bytes: usize) -> usize {
    (ENTRY_HEADER_BYTES + payload_bytes).next_multiple_of(ALIGNMENT)
}

/// Writes an entry at `place` of the group `sequence`; `bytes` is its room, exactly.
pub(super) fn write(
    bytes: &mut [u8],
    place: usize,
    sequence: u64,
    head: &EntryHead,
    payload: &[u8],
) {
    assert_eq!(bytes.len(), entry_bytes(payload.len()), "an entry fills its room exactly");
    let number = |value: usize| u32::try_from(value).expect("a group is smaller than 4 GiB");
    let (header, rest) = bytes.split_at_mut(ENTRY_HEADER_BYTES);
    header.fill(0);
    let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
    put(PAYLOAD_BYTES_AT, &number(payload.len()).to_be_bytes());
    put(TOPIC_ID_AT, &head.topic_id.0);
    put(PARTITION_AT, &head.partition.0.to_be_bytes());
    put(KIND_AT, &[head.kind.number()]);
    put(LOG_SEQUENCE_AT, &head.log_sequence.to_be_bytes());
    put(GROUP_SEQUENCE_AT, &sequence.to_be_bytes());
    put(BASE_OFFSET_AT, &head.base_offset.0.to_be_bytes());
    put(SEGMENT_BASE_AT, &head.segment_base.0.to_be_bytes());
    put(POSITION_AT, &head.position.to_be_bytes());
    put(PLACE_AT, &number(place).to_be_bytes());
    rest[..payload.len()].copy_from_slice(payload);
    rest[payload.len()..].fill(0);
    let crc = crc32c::crc32c(&bytes[CRC_AT + 4..]);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}

/// The entry that starts at `place` of the group `sequence`, and how many bytes it takes. `bytes` goes from there to the
/// group's end.
pub(super) fn parse(
    bytes: &[u8],
    place: usize,
    sequence: u64,
) -> Result<(Entry<'_>, usize), Fault> {
    let header = bytes.first_chunk::<ENTRY_HEADER_BYTES>().ok_or(Fault::Length)?;
    // The cheap checks first: a search for the next good entry comes here at every multiple of eight.
    if field::<4>(header, PLACE_AT) != u32::try_from(place).unwrap_or(u32::MAX).to_be_bytes()
        || field::<8>(header, GROUP_SEQUENCE_AT) != sequence.to_be_bytes()
    {
        return Err(Fault::EntryOfAnotherPlace);
    }
    let payload_bytes = u32::from_be_bytes(field(header, PAYLOAD_BYTES_AT));
    let payload_bytes = usize::try_from(payload_bytes).map_err(|_| Fault::Length)?;
    if payload_bytes > bytes.len() {
        return Err(Fault::Length);
    }
    let taken = entry_bytes(payload_bytes);
    let all = bytes.get(..taken).ok_or(Fault::Length)?;
    if crc32c::crc32c(&all[CRC_AT + 4..]) != u32::from_be_bytes(field(header, CRC_AT)) {
        return Err(Fault::EntryChecksum);
    }
    let number = header[KIND_AT];
    let kind = EntryKind::ALL.into_iter().find(|kind| kind.number() == number);
    let head = EntryHead {
        kind: kind.ok_or(Fault::Kind(number))?,
        topic_id: TopicId(field(header, TOPIC_ID_AT)),
        partition: PartitionIndex(i32::from_be_bytes(field(header, PARTITION_AT))),
        log_sequence: u64::from_be_bytes(field(header, LOG_SEQUENCE_AT)),
        base_offset: Offset(i64::from_be_bytes(field(header, BASE_OFFSET_AT))),
        segment_base: Offset(i64::from_be_bytes(field(header, SEGMENT_BASE_AT))),
        position: u32::from_be_bytes(field(header, POSITION_AT)),
    };
    let payload = &all[ENTRY_HEADER_BYTES..ENTRY_HEADER_BYTES + payload_bytes];
    Ok((Entry { head, payload }, taken))
}

fn field<const N: usize>(header: &[u8; ENTRY_HEADER_BYTES], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("every field lies within the header")
}
