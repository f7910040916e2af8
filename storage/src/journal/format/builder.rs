//! Fills a buffer with a group, entry by entry.

use super::entry::{EntryHead, entry_bytes, write};
use super::{BLOCK_BYTES, GROUP_HEADER_BYTES, GroupHeader, LISTED_LOG_BYTES, ListedLog, Place};

/// A group that fills. The buffer is the caller's and the same in every call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupBuilder {
    shard: u16,
    journal_id: u64,
    sequence: u64,
    entries: u32,
    listed_logs: u32,
    list_crc: u32,
    used: usize,
}

impl GroupBuilder {
    /// An empty group with room for its header and the list of the logs in the group before it.
    ///
    /// # Panics
    /// When the buffer has no room for those: [`GroupBuilder::least_bytes`].
    pub fn new(
        buffer: &mut [u8],
        (journal_id, shard): (u64, u16),
        sequence: u64,
        logs_before: &[ListedLog],
    ) -> Self {
        let used = Self::least_bytes(logs_before.len());
        let list = &mut buffer[GROUP_HEADER_BYTES..used];
        for (log, room) in logs_before.iter().zip(list.chunks_exact_mut(LISTED_LOG_BYTES)) {
            log.write(room);
        }
        let list_crc = crc32c::crc32c(list);
        let listed_logs = u32::try_from(logs_before.len()).expect("a group has fewer logs");
        Self { shard, journal_id, sequence, entries: 0, listed_logs, list_crc, used }
    }

    /// The bytes of a group without entries.
    pub const fn least_bytes(logs_before: usize) -> usize {
        GROUP_HEADER_BYTES + logs_before * LISTED_LOG_BYTES
    }

    /// Its number.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many entries are in it.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// The bytes in use.
    pub fn used_bytes(&self) -> usize {
        self.used
    }

    /// What the write will take.
    pub fn padded_bytes(&self) -> usize {
        self.used.next_multiple_of(BLOCK_BYTES)
    }

    /// Whether an entry with such a payload fits into a buffer of `buffer_bytes`.
    pub fn room_for(&self, buffer_bytes: usize, payload_bytes: usize) -> bool {
        self.used + entry_bytes(payload_bytes) <= buffer_bytes
    }

    /// Adds an entry.
    ///
    /// # Panics
    /// When there is no room: ask [`GroupBuilder::room_for`].
    pub fn add(&mut self, buffer: &mut [u8], head: &EntryHead, payload: &[u8]) {
        assert!(self.room_for(buffer.len(), payload.len()), "an entry is added where it has room");
        let room = self.used..self.used + entry_bytes(payload.len());
        write(&mut buffer[room.clone()], room.start, self.sequence, head, payload);
        self.used = room.end;
        self.entries += 1;
    }

    /// Completes the group for `place`; gives back the length of the write: whole blocks, zeros behind the entries.
    ///
    /// # Panics
    /// When the buffer is no multiple of a block.
    pub fn finish(&self, buffer: &mut [u8], place: Place) -> usize {
        let padded = self.padded_bytes();
        buffer[self.used..padded].fill(0);
        let header = GroupHeader {
            shard: self.shard,
            journal_id: self.journal_id,
            sequence: self.sequence,
            bytes: u32::try_from(self.used).expect("a group is smaller than 4 GiB"),
            entries: self.entries,
            listed_logs: self.listed_logs,
            list_crc: self.list_crc,
            place,
        };
        header.write(buffer);
        padded
    }
}
