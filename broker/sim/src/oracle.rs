//! What clients were told, as facts that must stay true: each acknowledgement, each record read, each offset committed.
//! Facts are noted when a client learns them and never before; a contradiction between two of them fails at once, the rest
//! is compared with what an audit finds (`invariants/`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::invariants::{Violation, offsets_dense_and_unique, visible_stays_visible};

/// A topic's name and a partition of it.
pub type PartitionName = (String, i32);

/// A group, and a partition that it commits offsets of.
pub type CommitName = (String, PartitionName);

/// A record that a workload made: its number, from which its bytes follow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RecordId(pub u64);

impl RecordId {
    /// The record's value: its number and as many bytes as that says.
    pub fn value(self) -> Vec<u8> {
        let filler = (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let len = usize::from(filler) * if filler.is_multiple_of(16) { 8 } else { 1 };
        let mut value = self.0.to_be_bytes().to_vec();
        value.resize(value.len() + len, filler);
        value
    }

    /// The record whose value this is, byte for byte.
    pub fn of(value: &[u8]) -> Option<Self> {
        let id = Self(u64::from_be_bytes(value.first_chunk().copied()?));
        (id.value() == value).then_some(id)
    }
}

/// What is known of a topic.
#[derive(Clone, Debug)]
pub struct TopicFacts {
    /// How many partitions it was created with.
    pub partitions: i32,
    /// Whether its acknowledgements mean that the record is on disk.
    pub durable: bool,
    /// How far its life has come, as its owner was told.
    pub state: TopicState,
}

/// The life of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicState {
    /// Asked for, not answered.
    Creating,
    /// It must be there.
    Created,
    /// It may be there.
    Deleting,
    /// It must not be there.
    Deleted,
}

/// What is known of a partition.
#[derive(Clone, Default, Debug)]
pub struct PartitionFacts {
    /// Acknowledged records by their offset.
    pub acknowledged: BTreeMap<i64, RecordId>,
    /// Records that a consumer read, by their offset.
    pub read: BTreeMap<i64, RecordId>,
    /// The largest high watermark that a consumer was told.
    pub high_watermark: i64,
}

/// A record that was sent.
#[derive(Clone, Debug)]
pub struct SentRecord {
    /// Where to.
    pub partition: PartitionName,
    /// Its producer's number.
    pub producer: u64,
    /// How often: at most so often it may be there.
    pub times: u32,
    /// Sent by an idempotent producer: it may be there once, however often it was sent.
    pub idempotent: bool,
}

/// What is known of a committed offset. Each is committed by one client, in rising order.
#[derive(Clone, Copy, Default, Debug)]
pub struct CommitFacts {
    /// The last one acknowledged.
    pub acknowledged: Option<i64>,
    /// The last one sent.
    pub sent: Option<i64>,
}

/// All facts.
#[derive(Clone, Default, Debug)]
pub struct Ledger {
    /// By name. Names are not used again.
    pub topics: BTreeMap<String, TopicFacts>,
    /// Of partitions of topics that were never deleted.
    pub partitions: BTreeMap<PartitionName, PartitionFacts>,
    /// Every record that was sent.
    pub sent: BTreeMap<RecordId, SentRecord>,
    /// By group and partition.
    pub commits: BTreeMap<CommitName, CommitFacts>,
    power_cuts: u64,
    next_record: u64,
}

/// A moment between two losses of power: what was learned in another about a topic that is not durable counts for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Era(u64);

/// The ledger as the clients of one simulation share it.
#[derive(Clone, Default)]
pub struct Oracle(Rc<RefCell<Ledger>>);

impl Oracle {
    /// A copy of all facts.
    pub fn facts(&self) -> Ledger {
        self.0.borrow().clone()
    }

    /// The present era.
    pub fn era(&self) -> Era {
        Era(self.0.borrow().power_cuts)
    }

    /// The power went: topics that are not durable promise nothing of before.
    pub fn power_went(&self) {
        let ledger = &mut *self.0.borrow_mut();
        ledger.power_cuts += 1;
        let topics = &ledger.topics;
        ledger.partitions.retain(|(topic, _), _| topics[topic].durable);
    }

    /// How many records were acknowledged.
    pub fn acknowledged_count(&self) -> usize {
        self.0.borrow().partitions.values().map(|facts| facts.acknowledged.len()).sum()
    }

    /// A topic is asked for.
    pub fn creating(&self, name: &str, partitions: i32, durable: bool) {
        let facts = TopicFacts { partitions, durable, state: TopicState::Creating };
        let before = self.0.borrow_mut().topics.insert(name.to_owned(), facts);
        assert!(before.is_none(), "names are not used again");
    }

    /// A topic's owner learned how far its life has come.
    pub fn topic_is(&self, name: &str, state: TopicState) {
        let mut ledger = self.0.borrow_mut();
        if state != TopicState::Created {
            ledger.partitions.retain(|(topic, _), _| topic != name);
        }
        ledger.topics.get_mut(name).expect("it was asked for").state = state;
    }

    /// The number of a new record for `partition`.
    pub fn new_record(
        &self,
        partition: &PartitionName,
        producer: u64,
        idempotent: bool,
    ) -> RecordId {
        let mut ledger = self.0.borrow_mut();
        let id = RecordId(ledger.next_record);
        ledger.next_record += 1;
        let partition = partition.clone();
        ledger.sent.insert(id, SentRecord { partition, producer, times: 0, idempotent });
        id
    }

    /// These records are about to be sent (again).
    pub fn sending(&self, records: &[RecordId]) {
        let mut ledger = self.0.borrow_mut();
        for id in records {
            ledger.sent.get_mut(id).expect("records are numbered here").times += 1;
        }
    }

    /// These records, sent in `era`, were acknowledged from `base_offset` on.
    ///
    /// # Panics
    /// When that contradicts what is known.
    pub fn acknowledged(
        &self,
        era: Era,
        partition: &PartitionName,
        base_offset: i64,
        records: &[RecordId],
    ) {
        self.note(era, partition, |facts| {
            for (offset, id) in (base_offset..).zip(records) {
                offsets_dense_and_unique::agrees(facts, partition, offset, *id)?;
                facts.acknowledged.insert(offset, *id);
            }
            Ok(())
        });
    }

    /// A fetch at `position`, sent in `era`, gave these records and this high watermark.
    ///
    /// # Panics
    /// When that contradicts what is known.
    pub fn read(
        &self,
        era: Era,
        partition: &PartitionName,
        position: i64,
        records: &[(i64, RecordId)],
        high_watermark: i64,
    ) {
        self.note(era, partition, |facts| {
            for (expected, (offset, id)) in (position..).zip(records) {
                offsets_dense_and_unique::follows(partition, expected, *offset)?;
                offsets_dense_and_unique::agrees(facts, partition, *offset, *id)?;
                facts.read.insert(*offset, *id);
            }
            let end = position + records.len() as i64;
            visible_stays_visible::within(partition, end, high_watermark)?;
            facts.high_watermark = facts.high_watermark.max(high_watermark);
            Ok(())
        });
    }

    /// The largest high watermark that anyone was told of `partition`.
    pub fn high_watermark(&self, partition: &PartitionName) -> i64 {
        self.0.borrow().partitions.get(partition).map_or(0, |facts| facts.high_watermark)
    }

    fn note(
        &self,
        era: Era,
        partition: &PartitionName,
        note: impl FnOnce(&mut PartitionFacts) -> Result<(), Violation>,
    ) {
        let mut ledger = self.0.borrow_mut();
        let topic = &ledger.topics[&partition.0];
        let holds = topic.durable || era.0 == ledger.power_cuts;
        // An answer that was on its way while its topic was deleted.
        let lives = matches!(topic.state, TopicState::Creating | TopicState::Created);
        if holds && lives {
            let facts = ledger.partitions.entry(partition.clone()).or_default();
            note(facts).unwrap_or_else(|violation| panic!("{violation}"));
        }
    }

    /// `offset` is about to be committed.
    pub fn committing(&self, name: &CommitName, offset: i64) {
        let mut ledger = self.0.borrow_mut();
        let facts = ledger.commits.entry(name.clone()).or_default();
        assert!(facts.sent <= Some(offset), "commits rise");
        facts.sent = Some(offset);
    }

    /// `offset` was committed.
    pub fn committed(&self, name: &CommitName, offset: i64) {
        let mut ledger = self.0.borrow_mut();
        let facts = ledger.commits.get_mut(name).expect("it was sent");
        facts.acknowledged = facts.acknowledged.max(Some(offset));
    }

    /// What is known of a commit.
    pub fn commit_facts(&self, name: &CommitName) -> CommitFacts {
        self.0.borrow().commits.get(name).copied().unwrap_or_default()
    }
}
