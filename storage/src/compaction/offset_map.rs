//! The last offset of each key, in memory of a fixed size: open addressing, 24 bytes a key whatever its length.
//!
//! Of a key only a digest of 128 bits is kept, so two keys of one digest count as one, and the older one's record is lost.
//! Keys are the clients' to choose: a hash that anyone can compute (MD5, as in Kafka's `SkimpyOffsetMap`) lets one of
//! them make such a pair. SipHash is keyed: with a key that is drawn for each round and never shown, a pair is a matter of
//! chance alone, and that is below 2⁻⁷⁰ for a billion keys.

use std::hash::Hasher;

use ringlane_batch::Offset;
use siphasher::sip128::{Hasher128, SipHasher24};

/// Bytes of one entry.
pub(crate) const ENTRY_BYTES: u64 = 24;

/// A digest in two words, and the offset plus one: 0 marks a free entry.
type Entry = [u64; 3];

/// See the module.
pub(crate) struct OffsetMap {
    entries: Vec<Entry>,
    /// As many keys may be in it; below the number of entries, so that a search finds a free one.
    keys_max: usize,
    len: usize,
    hash_key: (u64, u64),
    latest: Option<Offset>,
}

impl OffsetMap {
    /// A map within `memory_bytes`, filled to at most `load_factor`, that need not hold more than `keys_wanted` keys.
    pub(crate) fn new(
        memory_bytes: u64,
        load_factor: f64,
        keys_wanted: u64,
        hash_key: (u64, u64),
    ) -> Self {
        let load_factor = load_factor.clamp(0.01, 0.99);
        let wanted = (keys_wanted as f64 / load_factor) as u64 + 2;
        // Two entries hold one key and the free entry that ends a search: less would never get on.
        let count = (memory_bytes / ENTRY_BYTES).min(wanted).max(2) as usize;
        let keys_max = ((count as f64 * load_factor) as usize).clamp(1, count - 1);
        Self { entries: vec![[0; 3]; count], keys_max, len: 0, hash_key, latest: None }
    }

    /// Takes note that the last record of `key` so far is at `offset`. Answers whether there was room.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        assert!(offset >= Offset::ZERO, "a log starts at 0");
        let digest = self.digest(key);
        let at = self.find(digest);
        if self.entries[at][2] == 0 {
            if self.len == self.keys_max {
                return false;
            }
            self.len += 1;
        }
        self.entries[at] = [digest.0, digest.1, offset.0 as u64 + 1];
        true
    }

    /// The last offset of `key`; `None` for a key that is not in the part of the log that was mapped.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let at = self.find(self.digest(key));
        self.entries[at][2].checked_sub(1).map(|offset| Offset(offset as i64))
    }

    /// Everything up to `offset` is in the map.
    pub(crate) fn cover(&mut self, offset: Offset) {
        self.latest = self.latest.max(Some(offset));
    }

    /// The last offset up to which everything is in the map; `None` while nothing is.
    pub(crate) fn latest(&self) -> Option<Offset> {
        self.latest
    }

    /// The entry of `digest`, or the free one where it would be.
    fn find(&self, digest: (u64, u64)) -> usize {
        assert!(self.len < self.entries.len(), "a free entry ends every search");
        let count = self.entries.len();
        // The upper half of the product: an even spread without a division.
        let mut at = ((u128::from(digest.0) * count as u128) >> 64) as usize;
        while self.entries[at][2] != 0 && (self.entries[at][0], self.entries[at][1]) != digest {
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        at
    }

    fn digest(&self, key: &[u8]) -> (u64, u64) {
        let mut hasher = SipHasher24::new_with_keys(self.hash_key.0, self.hash_key.1);
        hasher.write(key);
        let digest = hasher.finish128();
        (digest.h1, digest.h2)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 500, (1, 2));
        let mut model = BTreeMap::new();
        for n in 0..2000_i64 {
            let key = (n * n % 499).to_string();
            assert!(map.put(key.as_bytes(), Offset(n)), "499 keys fit");
            model.insert(key, Offset(n));
        }
        assert_eq!(map.len, model.len());
        for (key, offset) in &model {
            assert_eq!(map.get(key.as_bytes()), Some(*offset));
        }
        assert_eq!(map.get(b"none of them"), None);
    }

    #[test]
    fn a_full_map_takes_no_new_key_and_still_moves_the_others() {
        for memory_bytes in [0, 47, 48, 240] {
            let mut map = OffsetMap::new(memory_bytes, 0.9, u64::MAX / 4, (3, 4));
            let fitted = (0..100_i64).take_while(|n| map.put(&n.to_be_bytes(), Offset(*n))).count();
            let entries = (memory_bytes / ENTRY_BYTES).max(2) as usize;
            assert_eq!(fitted, ((entries as f64 * 0.9) as usize).clamp(1, entries - 1));
            assert!(map.put(&0_i64.to_be_bytes(), Offset(1000)), "its key is there");
            assert_eq!(map.get(&0_i64.to_be_bytes()), Some(Offset(1000)));
            assert_eq!(map.get(&99_i64.to_be_bytes()), None);
        }
    }

    #[test]
    fn it_takes_no_more_memory_than_the_keys_need() {
        assert!(OffsetMap::new(1 << 40, 0.9, 9, (0, 0)).entries.len() <= 12);
    }

    #[test]
    fn another_key_gives_other_digests() {
        let of = |hash_key| OffsetMap::new(0, 0.9, 1, hash_key).digest(b"k");
        assert_ne!(of((1, 1)), of((1, 2)));
    }
}
