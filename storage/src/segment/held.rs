//! The end of a segment that its file does not have yet: batches that the journal holds, kept back so that many of them
//! become one write. Readers take them from here.

use std::rc::Rc;

/// Whoever holds one batch holds some.
const LEAST_CAPACITY: usize = 4096;

/// The memory of a `Held` that was written, for whoever holds next: it is in the CPU's cache, and grown already.
pub(crate) struct Spare(Rc<Vec<u8>>);

impl Spare {
    /// Bytes of memory.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

/// Bytes of whole batches. Clones are what was held when they were made.
#[derive(Clone, Default)]
pub(crate) struct Held(Option<Rc<Vec<u8>>>);

impl Held {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Whether it needs memory for the next batch.
    pub(crate) fn has_none(&self) -> bool {
        self.0.is_none()
    }

    /// Uses this memory from here on.
    pub(crate) fn begin_in(&mut self, spare: Spare) {
        assert!(self.is_empty() && spare.0.is_empty(), "nothing held is lost");
        self.0 = Some(spare.0);
    }

    /// Lets go of all, and gives back the memory unless a reader has it still, or most of it was not needed.
    pub(crate) fn clear(&mut self) -> Option<Spare> {
        let mut held = self.0.take()?;
        let bytes = Rc::get_mut(&mut held)?;
        let is_worth_it = bytes.capacity() <= (4 * bytes.len()).max(LEAST_CAPACITY);
        bytes.clear();
        is_worth_it.then_some(Spare(held))
    }

    /// Adds a batch. Who reads goes on with what was there.
    pub(crate) fn push(&mut self, batch: &[u8]) {
        let held = self.0.get_or_insert_with(|| Rc::new(Vec::with_capacity(LEAST_CAPACITY)));
        Rc::make_mut(held).extend_from_slice(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_leaves_its_memory_unless_a_reader_has_it_or_most_was_not_needed() {
        let mut held = Held::default();
        held.push(&[1; 3000]);
        let spare = held.clear().expect("nobody else has it");
        assert!(held.has_none() && spare.capacity() >= 3000);
        held.begin_in(spare);
        assert!(held.is_empty() && !held.has_none());
        held.push(&[2; 100_000]);
        let seen = held.clone();
        assert!(held.clear().is_none());
        assert_eq!(seen.bytes(), &[2; 100_000]);
        let mut held = Held(Some(Rc::new(Vec::with_capacity(100_000))));
        held.push(&[3; 1000]);
        assert!(held.clear().is_none(), "far more than it needed");
    }

    #[test]
    fn a_reader_keeps_what_it_saw() {
        let mut held = Held::default();
        assert!(held.is_empty());
        held.push(b"one");
        let seen = held.clone();
        held.push(b"two");
        assert_eq!((seen.bytes(), held.bytes(), held.len()), (&b"one"[..], &b"onetwo"[..], 6));
    }
}
