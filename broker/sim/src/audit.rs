//! What is there: an auditor reads every topic, record and committed offset through the protocol, as any client could.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::client::{Client, Failure};
use crate::invariants::{self, Violation};
use crate::oracle::{CommitName, Ledger, Oracle, PartitionName, RecordId, TopicState};

/// What an audit found.
#[derive(Clone, Default, Debug)]
pub struct Found {
    /// Topics and how many partitions each has.
    pub topics: BTreeMap<String, i32>,
    /// The logs of the partitions of which facts are known.
    pub logs: BTreeMap<PartitionName, FoundLog>,
    /// Committed offsets.
    pub commits: BTreeMap<CommitName, Option<i64>>,
    /// Every topic that anybody had asked for by then.
    pub asked_for: BTreeSet<String>,
    /// The last offsets that had been sent to be committed by then.
    pub commits_sent: BTreeMap<CommitName, Option<i64>>,
}

/// A log as it was found.
#[derive(Clone, Default, Debug)]
pub struct FoundLog {
    /// Its first offset.
    pub start: i64,
    /// The end of what consumers see.
    pub high_watermark: i64,
    /// Its records, by the order in which they came.
    pub records: Vec<(i64, RecordId)>,
}

impl FoundLog {
    /// The record at `offset`.
    pub fn at(&self, offset: i64) -> Option<RecordId> {
        let index = self.records.binary_search_by_key(&offset, |(offset, _)| *offset);
        index.ok().map(|index| self.records[index].1)
    }

    /// The offsets that it has.
    pub fn range(&self) -> Range<i64> {
        self.start..self.start + self.records.len() as i64
    }
}

impl Found {
    /// The log of `partition`; an empty one where there is none.
    pub fn log(&self, partition: &PartitionName) -> FoundLog {
        self.logs.get(partition).cloned().unwrap_or_default()
    }

    /// The last offset that had been sent to be committed.
    pub fn sent(&self, name: &CommitName) -> Option<i64> {
        self.commits_sent.get(name).copied().flatten()
    }
}

/// Compares what clients were told before now with what is there.
///
/// # Errors
/// The first invariant that does not hold.
///
/// # Panics
/// When the broker keeps refusing to be audited.
pub async fn audit(client: &mut Client, oracle: &Oracle) -> Result<(), Violation> {
    let ledger = oracle.facts();
    let mut found = Found::default();
    let mut attempts = 0;
    while let Err(failure) = look(client, &ledger, &mut found).await {
        attempts += 1;
        assert!(attempts < ATTEMPTS_MAX, "bounded: the audit is refused for ever: {failure}");
        client.back_off().await;
    }
    // The world went on meanwhile: what was sent by now may be there.
    let now = oracle.facts();
    found.asked_for = now.topics.keys().cloned().collect();
    found.commits_sent =
        now.commits.iter().map(|(name, facts)| (name.clone(), facts.sent)).collect();
    let mut ledger = still_true(ledger, &now.topics);
    // While its creation is not answered a topic may serve on one shard and not be known to the next.
    let answered = |name: &String| ledger.topics[name].state != TopicState::Creating;
    ledger.partitions.retain(|(name, _), _| answered(name) || found.topics.contains_key(name));
    ledger.sent = now.sent;
    invariants::check(&ledger, &found)
}

const ATTEMPTS_MAX: u32 = 200;

/// Without what stopped being true meanwhile: topics that are being deleted.
fn still_true(mut ledger: Ledger, now: &BTreeMap<String, crate::oracle::TopicFacts>) -> Ledger {
    use crate::oracle::TopicState::{Created, Deleting};
    let gone = |name: &String| now[name].state != Created;
    ledger.partitions.retain(|(topic, _), _| !gone(topic));
    for (name, facts) in &mut ledger.topics {
        if facts.state == Created && gone(name) {
            facts.state = Deleting;
        }
    }
    ledger
}

async fn look(client: &mut Client, ledger: &Ledger, found: &mut Found) -> Result<(), Failure> {
    let topics = client.topics().await?;
    let topics = topics.into_iter().filter(|topic| !topic.is_internal);
    found.topics = topics.map(|topic| (topic.name, topic.partitions)).collect();
    for partition in ledger.partitions.keys() {
        if found.topics.contains_key(&partition.0) && !found.logs.contains_key(partition) {
            let log = read_log(client, partition).await?;
            found.logs.insert(partition.clone(), log);
        }
    }
    for name in ledger.commits.keys() {
        let (group, (topic, partition)) = name;
        let committed = client.committed(group, topic, *partition).await?;
        found.commits.insert(name.clone(), committed);
    }
    Ok(())
}

async fn read_log(client: &mut Client, partition: &PartitionName) -> Result<FoundLog, Failure> {
    let mut log = FoundLog::default();
    let mut position = 0;
    loop {
        let fetched = client.fetch(&partition.0, partition.1, position, 0).await?;
        log.start = fetched.log_start_offset;
        log.high_watermark = log.high_watermark.max(fetched.high_watermark);
        let Some(last) = fetched.records.last() else { return Ok(log) };
        position = last.offset + 1;
        for record in &fetched.records {
            let id = RecordId::of(&record.value);
            let id = id.unwrap_or_else(|| panic!("{partition:?}: no record is {record:?}"));
            log.records.push((record.offset, id));
        }
    }
}
