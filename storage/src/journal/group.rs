//! The group that is open: its buffer, the room claimed in it, and whose entries it holds.

use std::rc::Rc;

use ringlane_reactor::{DirectBuffer, Reactor};

use super::Client;
use super::format::{BLOCK_BYTES, EntryHead, GroupBuilder, ListedLog, entry_bytes};

/// A log with entries in a group.
pub(super) struct Member {
    pub(super) log: ListedLog,
    pub(super) client: Rc<dyn Client>,
}

/// The place of a log among the members of a group. Kept at the log: with thousands of them a map of places costs more than
/// what it finds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Seat {
    /// The sequence of the group; 0 is none.
    group: u64,
    /// Which of its members.
    at: usize,
}

impl Seat {
    /// Reads it, for [`crate::Log::prefetch`].
    pub(crate) fn read(self) -> u64 {
        self.group
    }
}

/// A group that takes no more entries.
pub(super) struct ClosedGroup {
    pub(super) buffer: DirectBuffer,
    pub(super) builder: GroupBuilder,
    /// In the order of their first entries.
    pub(super) members: Vec<Member>,
}

/// See the module. At any time `used + reserved <= buffer`.
pub(super) struct OpenGroup {
    identity: (u64, u16),
    buffer: DirectBuffer,
    builder: GroupBuilder,
    /// Bytes claimed and not used yet. Claims outlive the group: they hold in whichever is open.
    reserved: usize,
    members: Vec<Member>,
    /// Buffers of the ordinary length that no group uses.
    spare: Vec<DirectBuffer>,
    group_bytes: usize,
}

impl OpenGroup {
    pub(super) fn new(
        reactor: &Reactor,
        group_bytes: usize,
        identity: (u64, u16),
        sequence: u64,
    ) -> Self {
        // A shard that nobody writes to has no need of more: the first claim makes it grow.
        let mut buffer = reactor.direct_buffer(GroupBuilder::least_bytes(0));
        Self {
            identity,
            builder: GroupBuilder::new(&mut buffer, identity, sequence, &[]),
            buffer,
            reserved: 0,
            members: Vec::new(),
            spare: Vec::new(),
            group_bytes,
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.builder.sequence()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.builder.entries() == 0
    }

    pub(super) fn padded_bytes(&self) -> usize {
        self.builder.padded_bytes()
    }

    /// Claims room for `bytes`, if there is any. A group that nobody uses yet grows to the ordinary length, and for a claim
    /// that no ordinary group holds.
    pub(super) fn reserve(&mut self, reactor: &Reactor, bytes: usize) -> bool {
        let wanted = self.builder.used_bytes() + self.reserved + bytes;
        if wanted > self.buffer.len() {
            if !self.is_empty() || self.reserved > 0 {
                return false;
            }
            self.grow(reactor, wanted.max(self.group_bytes));
        }
        self.reserved += bytes;
        self.check();
        true
    }

    /// Gives claimed room back.
    pub(super) fn release(&mut self, bytes: usize) {
        assert!(bytes <= self.reserved, "room is given back once");
        self.reserved -= bytes;
    }

    /// Adds an entry. Its claim was given back just before.
    pub(super) fn add(&mut self, head: &EntryHead, payload: &[u8], client: &Rc<dyn Client>) {
        assert!(
            self.builder.used_bytes() + self.reserved + entry_bytes(payload.len())
                <= self.buffer.len(),
            "an entry does not use what others have claimed"
        );
        self.builder.add(&mut self.buffer, head, payload);
        let seat = client.seat().get();
        if seat.group == self.sequence() {
            self.members[seat.at].log.add(head);
            return;
        }
        client.seat().set(Seat { group: self.sequence(), at: self.members.len() });
        let log = ListedLog {
            topic_id: head.topic_id,
            partition: head.partition,
            entries: 1,
            last_log_sequence: head.log_sequence,
        };
        self.members.push(Member { log, client: client.clone() });
    }

    /// Closes the group and opens the next, which lists the logs of this one and takes over the claims.
    pub(super) fn close(&mut self, reactor: &Reactor) -> ClosedGroup {
        assert!(!self.is_empty(), "only a group with entries is written");
        let members = std::mem::take(&mut self.members);
        let logs: Vec<ListedLog> = members.iter().map(|member| member.log).collect();
        let wanted = GroupBuilder::least_bytes(logs.len()) + self.reserved;
        let mut buffer = match wanted <= self.group_bytes {
            true => self.spare.pop().unwrap_or_else(|| reactor.direct_buffer(self.group_bytes)),
            false => reactor.direct_buffer(wanted),
        };
        let builder =
            GroupBuilder::new(&mut buffer, self.identity, self.builder.sequence() + 1, &logs);
        let builder = std::mem::replace(&mut self.builder, builder);
        let buffer = std::mem::replace(&mut self.buffer, buffer);
        self.check();
        ClosedGroup { buffer, builder, members }
    }

    /// Takes back the buffer of a group that was written.
    pub(super) fn recycle(&mut self, buffer: DirectBuffer) {
        if buffer.len() == self.group_bytes && self.spare.len() < 2 {
            self.spare.push(buffer);
        }
    }

    /// The logs of a group that is never going to be written.
    pub(super) fn abandon(&mut self) -> Vec<Member> {
        std::mem::take(&mut self.members)
    }

    fn grow(&mut self, reactor: &Reactor, bytes: usize) {
        assert!(self.is_empty(), "a group with entries keeps its buffer");
        let mut buffer = reactor.direct_buffer(bytes.next_multiple_of(BLOCK_BYTES));
        let used = self.builder.used_bytes();
        buffer[..used].copy_from_slice(&self.buffer[..used]);
        let before = std::mem::replace(&mut self.buffer, buffer);
        self.recycle(before);
    }

    fn check(&self) {
        assert!(
            self.builder.used_bytes() + self.reserved <= self.buffer.len(),
            "no more room is claimed than there is"
        );
    }
}
