//! What clients were told: the record at each offset, as acknowledged to its producer or shown to a consumer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::Message;

/// Topic, partition and offset.
pub(crate) type Place = (String, i32, i64);

/// Where a record is.
pub(crate) fn place(message: &impl Message) -> Place {
    (message.topic().to_string(), message.partition(), message.offset())
}

/// A digest of key and value: both are never kept.
pub(crate) fn digest(message: &impl Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    (message.key(), message.payload()).hash(&mut hasher);
    hasher.finish()
}

/// Shared by the threads of a round.
#[derive(Default)]
pub(crate) struct Ledger {
    records: Mutex<BTreeMap<Place, u64>>,
    /// What contradicts it.
    problems: Mutex<Vec<String>>,
    acknowledged: AtomicU64,
    /// Records that consumers were shown.
    seen: AtomicU64,
}

impl Ledger {
    pub(crate) fn acknowledged(&self, message: &impl Message) {
        self.note(place(message), digest(message));
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn seen(&self, message: &impl Message) {
        self.note(place(message), digest(message));
        self.seen.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&self, place: Place, digest: u64) {
        let before = lock(&self.records).insert(place.clone(), digest);
        if before.is_some_and(|before| before != digest) {
            self.problem(format!("two records at {place:?}"));
        }
    }

    pub(crate) fn problem(&self, problem: String) {
        lock(&self.problems).push(problem);
    }

    /// Acknowledgements so far.
    pub(crate) fn acknowledgements(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.acknowledgements(), self.seen.load(Ordering::Relaxed))
    }

    /// Every record of `found`, which is all there is now, must be as it was told, and nothing of that may be missing.
    /// From now on all of it counts as told.
    pub(crate) fn compare(&self, found: BTreeMap<Place, u64>) {
        let mut records = lock(&self.records);
        for (place, digest) in &*records {
            match found.get(place) {
                None => self.problem(format!("the record at {place:?} is gone")),
                Some(now) if now != digest => {
                    self.problem(format!("another record is at {place:?}"));
                }
                Some(_) => {}
            }
        }
        *records = found;
    }

    /// Forgets the records, as their topics are deleted.
    pub(crate) fn forget(&self) {
        lock(&self.records).clear();
    }

    /// Fails the test if anything contradicted the ledger.
    pub(crate) fn check(&self) {
        let problems = lock(&self.problems);
        let told: Vec<_> = problems.iter().take(20).collect();
        assert!(problems.is_empty(), "{} problems: {told:#?}", problems.len());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
