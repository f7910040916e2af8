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
pub(crate) struct Held {
    /// What a kernel worker is writing, in front of the rest.
    leaving: Option<Rc<Vec<u8>>>,
    rest: Option<Rc<Vec<u8>>>,
}

fn bytes_of(part: Option<&Rc<Vec<u8>>>) -> &[u8] {
    part.map_or(&[], |bytes| bytes.as_slice())
}

impl Held {
    fn parts(&self) -> [&[u8]; 2] {
        [&self.leaving, &self.rest].map(|part| bytes_of(part.as_ref()))
    }

    pub(crate) fn len(&self) -> u64 {
        self.parts().map(|part| part.len() as u64).iter().sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds at most `len` of the bytes from `from` on to `target`.
    pub(crate) fn read(&self, from: usize, len: usize, target: &mut Vec<u8>) {
        let (mut from, mut len) = (from, len);
        for part in self.parts() {
            let found = part.get(from..).unwrap_or_default();
            let found = &found[..found.len().min(len)];
            target.extend_from_slice(found);
            len -= found.len();
            from = from.saturating_sub(part.len());
        }
    }

    /// All that is held in one piece, which is not leaving any more.
    pub(crate) fn gather(&mut self) -> &[u8] {
        if let Some(leaving) = self.leaving.take() {
            self.rest = Some(Rc::new([&leaving, bytes_of(self.rest.as_ref())].concat()));
        }
        bytes_of(self.rest.as_ref())
    }

    /// Whether all that is held is leaving.
    pub(crate) fn all_leaves(&self) -> bool {
        bytes_of(self.rest.as_ref()).is_empty()
    }

    /// What is to leave now, until [`Held::left`], if anything is and nothing is leaving yet. It goes on being held.
    pub(crate) fn leave(&mut self) -> Option<Rc<Vec<u8>>> {
        if self.leaving.is_none() && self.rest.as_ref().is_some_and(|rest| !rest.is_empty()) {
            self.leaving = self.rest.take();
            return self.leaving.clone();
        }
        None
    }

    /// Lets go of what was leaving, if it is still; the memory is as with [`Held::clear`].
    pub(crate) fn left(&mut self) -> Option<Spare> {
        self.leaving.take().and_then(spare_of)
    }

    /// Whether it needs memory for the next batch.
    pub(crate) fn has_none(&self) -> bool {
        self.rest.is_none()
    }

    /// Uses this memory from here on.
    pub(crate) fn begin_in(&mut self, spare: Spare) {
        assert!(self.has_none() && spare.0.is_empty(), "nothing held is lost");
        self.rest = Some(spare.0);
    }

    /// Lets go of all, and gives back the memory unless a reader has it still, or most of it was not needed.
    pub(crate) fn clear(&mut self) -> Option<Spare> {
        self.leaving = None;
        self.rest.take().and_then(spare_of)
    }

    /// Adds a batch. Who reads goes on with what was there.
    pub(crate) fn push(&mut self, batch: &[u8]) {
        let rest = self.rest.get_or_insert_with(|| Rc::new(Vec::with_capacity(LEAST_CAPACITY)));
        Rc::make_mut(rest).extend_from_slice(batch);
    }
}

/// The memory of a part that nobody else has.
fn spare_of(mut part: Rc<Vec<u8>>) -> Option<Spare> {
    let bytes = Rc::get_mut(&mut part)?;
    let is_worth_it = bytes.capacity() <= (4 * bytes.len()).max(LEAST_CAPACITY);
    bytes.clear();
    is_worth_it.then_some(Spare(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(held: &Held) -> Vec<u8> {
        let mut all = Vec::new();
        held.read(0, usize::MAX, &mut all);
        all
    }

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
        assert_eq!(all(&seen), [2; 100_000]);
        held.rest = Some(Rc::new(Vec::with_capacity(100_000)));
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
        assert_eq!((all(&seen), all(&held), held.len()), (b"one".into(), b"onetwo".into(), 6));
    }

    #[test]
    fn what_is_leaving_is_held_until_it_has_left() {
        let mut held = Held::default();
        assert!(held.leave().is_none());
        held.push(b"one");
        let leaving = held.leave().expect("something is held");
        held.push(b"two");
        assert!(held.leave().is_none(), "one after the other");
        assert_eq!(
            (leaving.as_slice(), all(&held), held.len()),
            (&b"one"[..], b"onetwo".into(), 6)
        );
        let mut part = Vec::new();
        held.read(2, 3, &mut part);
        assert_eq!(part, b"etw");
        drop(leaving);
        assert!(held.left().is_some() && held.left().is_none());
        assert_eq!(all(&held), b"two");
    }

    #[test]
    fn what_is_gathered_is_not_leaving_any_more() {
        let mut held = Held::default();
        held.push(b"one");
        let leaving = held.leave().expect("something is held");
        held.push(b"two");
        assert_eq!(held.gather(), b"onetwo");
        assert!(held.left().is_none(), "it has to be written again");
        assert_eq!((leaving.as_slice(), held.len()), (&b"one"[..], 6));
    }
}
