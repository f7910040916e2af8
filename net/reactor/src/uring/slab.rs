//! A slab whose keys are never mistaken: each carries the generation of its entry, so that a late completion or waker
//! finds nothing instead of the entry's next owner.

/// Names one entry for as long as it lives. Fits the `user_data` of a submission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key(u64);

impl Key {
    fn new(generation: u32, index: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }

    pub(super) fn from_u64(raw: u64) -> Self {
        Self(raw)
    }

    pub(super) fn as_u64(self) -> u64 {
        self.0
    }

    fn index(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Generations stay below this, which leaves the highest keys to mean something else.
const GENERATIONS: u32 = 1 << 31;

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// Values under keys; the storage of removed ones is used again.
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    /// Stores what `value` makes of its own key.
    pub(super) fn insert_with(&mut self, value: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, value: None });
            u32::try_from(self.entries.len() - 1).expect("fewer entries than 2^32")
        });
        let entry = &mut self.entries[index as usize];
        assert!(entry.value.is_none(), "a free entry is empty");
        let key = Key::new(entry.generation, index);
        entry.value = Some(value(key));
        key
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(key.index())?;
        (entry.generation == key.generation()).then_some(entry.value.as_ref())?
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index())?;
        (entry.generation == key.generation()).then_some(entry.value.as_mut())?
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.index())?;
        if entry.generation != key.generation() {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = (entry.generation + 1) % GENERATIONS;
        self.free.push(key.index() as u32);
        Some(value)
    }

    /// The keys that are in use.
    pub(super) fn keys(&self) -> Vec<Key> {
        let used = self.entries.iter().enumerate().filter(|(_, entry)| entry.value.is_some());
        used.map(|(index, entry)| Key::new(entry.generation, index as u32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_does_not_find_the_next_owner_of_its_entry() {
        let mut slab = Slab::new();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.keys(), [second]);
    }

    #[test]
    fn keys_survive_their_passage_through_the_kernel() {
        let mut slab = Slab::new();
        let key = slab.insert_with(|key| key);
        assert_eq!(slab.get(Key::from_u64(key.as_u64())), Some(&key));
    }
}
