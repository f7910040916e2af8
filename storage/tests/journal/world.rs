//! What the tests share: logs that remember what they were told, and a checkpoint as a shard keeps one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use ringlane_batch::{Offset, PartitionIndex, TopicId};
use ringlane_reactor::{Disk, Notify, Reactor};
use ringlane_storage::journal::{
    Client, Damage, EntryHead, EntryKind, Journal, JournalConfig, JournalError, Reader, Seat,
};

pub(crate) const ID: u64 = 0xfeed;

pub(crate) fn dir() -> &'static Path {
    Path::new("/data/journal")
}

/// A few groups fill a file.
pub(crate) fn tiny() -> JournalConfig {
    JournalConfig { file_bytes: 64 << 10, files: 3, group_bytes_max: 16 << 10 }
}

/// A log that only counts. Its number is its partition.
pub(crate) struct CountedLog {
    pub(crate) number: i32,
    /// The sequence of its last entry.
    pub(crate) added: Cell<u64>,
    pub(crate) durable: Cell<u64>,
    pub(crate) calls: Cell<u64>,
    pub(crate) failure: RefCell<Option<String>>,
    pub(crate) bell: Notify,
    seat: Cell<Seat>,
}

impl CountedLog {
    pub(crate) fn new(number: i32, added: u64) -> Rc<Self> {
        let (added, durable) = (Cell::new(added), Cell::new(added));
        let (calls, failure, bell) = (Cell::default(), RefCell::default(), Notify::new());
        Rc::new(Self { number, added, durable, calls, failure, bell, seat: Cell::default() })
    }

    pub(crate) fn as_client(self: &Rc<Self>) -> Rc<dyn Client> {
        self.clone()
    }

    /// Adds `payload`; gives its sequence.
    pub(crate) async fn add(
        self: &Rc<Self>,
        journal: &Journal,
        payload: &[u8],
    ) -> Result<u64, JournalError> {
        let room = journal.reserve(payload.len()).await?;
        let sequence = self.added.get() + 1;
        journal.add(room, &head(self.number, sequence), payload, &self.as_client())?;
        self.added.set(sequence);
        Ok(sequence)
    }

    /// Waits until all of it is durable.
    pub(crate) async fn settled(&self) {
        while self.durable.get() < self.added.get() {
            assert_eq!(*self.failure.borrow(), None);
            self.bell.notified().await;
        }
    }
}

impl Client for CountedLog {
    fn seat(&self) -> &Cell<Seat> {
        &self.seat
    }

    fn durable(&self, log_sequence: u64) {
        assert!(log_sequence > self.durable.get(), "told once of each entry");
        assert!(log_sequence <= self.added.get(), "told of what was added");
        assert_eq!(*self.failure.borrow(), None, "nothing is durable after a failure");
        self.calls.set(self.calls.get() + 1);
        self.durable.set(log_sequence);
        self.bell.notify_all();
    }

    fn journal_failed(&self, reason: &str) {
        let before = self.failure.replace(Some(reason.to_string()));
        assert_eq!(before, None, "told of the failure once");
        self.bell.notify_all();
    }
}

pub(crate) fn head(number: i32, log_sequence: u64) -> EntryHead {
    EntryHead {
        kind: EntryKind::Batch,
        topic_id: TopicId([7; 16]),
        partition: PartitionIndex(number),
        log_sequence,
        base_offset: Offset(log_sequence as i64),
        segment_base: Offset(0),
        position: 0,
    }
}

/// What a shard persists before it trims: the group to read from, and how far each log is durable without the journal.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) from: u64,
    pub(crate) logs: BTreeMap<i32, u64>,
}

impl Checkpoint {
    pub(crate) async fn read(disk: &Disk) -> Self {
        let Ok(text) = disk.read(Path::new("/data/checkpoint"), 1 << 20).await else {
            return Self { from: 1, logs: BTreeMap::new() };
        };
        let text = String::from_utf8(text).expect("text");
        let mut numbers = text.split(' ').map(|word| word.parse::<u64>().expect("a number"));
        let from = numbers.next().expect("a sequence");
        let logs: Vec<u64> = numbers.collect();
        Self { from, logs: logs.chunks(2).map(|pair| (pair[0] as i32, pair[1])).collect() }
    }

    pub(crate) async fn write(&self, disk: &Disk) {
        let mut text = self.from.to_string();
        self.logs.iter().for_each(|(log, sequence)| text += &format!(" {log} {sequence}"));
        disk.create_dir_all(Path::new("/data")).await.expect("a good disk");
        disk.sync_dir(Path::new("/")).await.expect("a good disk");
        let replaced = disk.replace(Path::new("/data/checkpoint"), text.as_bytes()).await;
        replaced.expect("a good disk");
    }
}

/// What the journal gave back.
#[derive(Default)]
pub(crate) struct Recovered {
    /// The entries of each log, in order, by log sequence; those that are durable without the journal left out.
    pub(crate) logs: BTreeMap<i32, BTreeMap<u64, Vec<u8>>>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) next_sequence: u64,
    pub(crate) groups: u64,
}

/// Reads the whole journal behind `checkpoint`. Of each log it keeps what follows without a hole.
pub(crate) async fn recover(reactor: &Reactor, checkpoint: &Checkpoint) -> Recovered {
    let disk = reactor.disk();
    let reader = Reader::open(&disk, dir(), 0, Some(ID), checkpoint.from).await;
    let mut reader = reader.expect("a good disk");
    let mut recovered = Recovered { next_sequence: reader.next_sequence(), ..Default::default() };
    let mut expected = checkpoint.from;
    while let Some(group) = reader.next().await.expect("a good disk") {
        assert!(group.sequence >= expected, "in order, and nothing recycled");
        assert!(group.sequence == expected || !group.damage.is_empty(), "no silent hole");
        expected = group.sequence + 1;
        recovered.damage.extend(group.damage.iter().cloned());
        recovered.groups += 1;
        for entry in group.entries() {
            let (log, sequence) = (entry.head.partition.0, entry.head.log_sequence);
            let base = checkpoint.logs.get(&log).copied().unwrap_or_default();
            let found = recovered.logs.entry(log).or_default();
            let last = found.keys().next_back().copied().unwrap_or(base);
            if sequence == last + 1 {
                found.insert(sequence, entry.payload.to_vec());
            }
        }
    }
    assert!(recovered.next_sequence > expected, "a new writer starts above all that is there");
    recovered
}

pub(crate) async fn open(reactor: &Reactor, config: JournalConfig, next_sequence: u64) -> Journal {
    let journal = Journal::open(reactor, dir(), 0, config, ID, next_sequence).await;
    // The name of the data directory is its own business.
    reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
    journal.expect("a good disk")
}
