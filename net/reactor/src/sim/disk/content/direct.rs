//! Writes past the page cache, and write-back that nobody waits for.

use std::ops::Range;
use std::rc::Rc;

use super::{Content, Landing};
use crate::Rng;
use crate::sim::disk::pages::{PAGE_BYTES, Page, Pages, page_of};

/// A page that a durable direct write has put on the device.
#[derive(Clone)]
pub(super) struct DirectPage {
    version: u64,
    page: Rc<Page>,
}

fn pages_in(offset: u64, len: u64) -> Range<u64> {
    page_of(offset)..(offset + len).div_ceil(PAGE_BYTES as u64)
}

fn part_of(bytes: &[u8], offset: u64, page: u64) -> Rc<Page> {
    let start = (page * PAGE_BYTES as u64 - offset) as usize;
    let part = bytes[start..start + PAGE_BYTES].try_into();
    Rc::new(part.expect("a direct write is made of whole pages"))
}

impl Content {
    /// Whether a sync would find nothing to do.
    pub(in crate::sim::disk) fn is_synced(&self) -> bool {
        self.dirty.is_empty() && self.cuts.is_empty() && self.cached.len() == self.durable.len()
    }

    /// A durable direct write has completed, each page landing where `landing` says: processes see it, and the device has
    /// it, with as much length as it takes to read it. Other pages and cuts that were not synced stay as unsafe as they were.
    pub(in crate::sim::disk) fn write_durable(
        &mut self,
        offset: u64,
        bytes: &[u8],
        rng: &mut Rng,
        mut landing: impl FnMut(&mut Rng) -> Landing,
    ) {
        assert!(offset.is_multiple_of(PAGE_BYTES as u64), "a direct write starts with a page");
        self.cached.write(offset, bytes);
        self.version += 1;
        for index in pages_in(offset, bytes.len() as u64) {
            self.dirty.remove(&index);
            let mut page = part_of(bytes, offset, index);
            let at = match landing(rng) {
                Landing::Nowhere => continue,
                Landing::Right => index,
                Landing::Astray => rng.below(self.durable.len().div_ceil(PAGE_BYTES as u64).max(1)),
                Landing::Flipped => {
                    let byte = rng.below(PAGE_BYTES as u64) as usize;
                    Rc::make_mut(&mut page)[byte] ^= 1 << rng.below(8);
                    index
                }
            };
            let direct = DirectPage { version: self.version, page };
            direct.put(at, &mut self.durable);
            self.direct.insert(at, direct);
        }
    }

    /// Some sectors of a direct write were written and some were not; none of them is safe.
    pub(in crate::sim::disk) fn tear_write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        sector_bytes: usize,
        rng: &mut Rng,
    ) {
        let survives = rng.below(5);
        for (number, sector) in bytes.chunks(sector_bytes).enumerate() {
            if rng.below(4) < survives {
                self.write(offset + (number * sector_bytes) as u64, sector, rng);
            }
        }
    }

    /// Some of the dirty pages in the range reach the device; they count as dirty all the same, because nobody is told.
    pub(in crate::sim::disk) fn write_back(&mut self, offset: u64, len: u64, rng: &mut Rng) {
        // The device has no place for what lies behind a cut that it does not know.
        if !self.cuts.is_empty() {
            return;
        }
        let end = offset.saturating_add(len).div_ceil(PAGE_BYTES as u64);
        for index in self.dirty.range(page_of(offset)..end).map(|(index, _)| *index) {
            if rng.one_in(2) {
                self.durable.put(index, self.cached.page_or_zeros(index));
                self.direct.remove(&index);
            }
        }
    }

    /// Puts onto `device`, which has just followed a cut or a sync, again what direct writes had put there.
    pub(super) fn keep_direct(&self, device: &mut Pages) {
        self.direct.iter().for_each(|(&index, direct)| direct.put(index, device));
    }

    /// Whether a direct write newer than `version` has overtaken it in page `index`.
    pub(super) fn is_overtaken(&self, index: u64, version: u64) -> bool {
        self.direct.get(&index).is_some_and(|direct| direct.version > version)
    }

    /// A sync has covered everything up to `version`.
    pub(super) fn direct_covered(&mut self, version: u64) {
        self.direct.retain(|_, direct| direct.version > version);
    }

    /// The file is being cut to `len` bytes: the rest is as unsafe as that cut.
    pub(super) fn direct_cut(&mut self, len: u64) {
        self.direct.retain(|&index, _| index < page_of(len));
    }
}

impl DirectPage {
    fn put(&self, index: u64, device: &mut Pages) {
        let end = (index + 1) * PAGE_BYTES as u64;
        device.set_len(device.len().max(end));
        device.put(index, self.page.clone());
    }
}
