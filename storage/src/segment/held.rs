//! The end of a segment that its file does not have yet: batches that the journal holds, kept back so that many of them
//! become one write. Readers take them from here.

use std::rc::Rc;

/// Whoever holds one batch holds some.
const LEAST_CAPACITY: usize = 4096;

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
    fn a_reader_keeps_what_it_saw() {
        let mut held = Held::default();
        assert!(held.is_empty());
        held.push(b"one");
        let seen = held.clone();
        held.push(b"two");
        assert_eq!((seen.bytes(), held.bytes(), held.len()), (&b"one"[..], &b"onetwo"[..], 6));
    }
}
