//! A file's bytes twice, as the page cache has them and as the device does, and how the second follows the first.

mod direct;

use std::collections::BTreeMap;
use std::rc::Rc;

use direct::DirectPage;

use super::pages::{PAGE_BYTES, Page, Pages, page_of};
use crate::Rng;

/// What a process sees of a file, what would survive the loss of power, and what lies between the two.
#[derive(Clone, Default)]
pub(super) struct Content {
    cached: Pages,
    durable: Pages,
    /// Pages that the device does not have yet, with the version of the last write to each.
    dirty: BTreeMap<u64, u64>,
    /// Cuts that the device does not have yet: version and length.
    cuts: Vec<(u64, u64)>,
    /// What durable direct writes have put on the device since the last sync: syncs that began before them, and cuts that
    /// are lost or kept, leave it alone.
    direct: BTreeMap<u64, DirectPage>,
    /// Counts writes and changes of length.
    version: u64,
    /// The newest version that a sync has covered.
    synced: u64,
    /// Pages from the start that fallocate has reserved.
    reserved: u64,
}

/// What a sync covers: the state of the file when it began.
pub(super) struct Snapshot {
    version: u64,
    len: u64,
    shortest: Option<u64>,
    pages: Vec<(u64, Rc<Page>)>,
}

/// Where the device put a page that it was told to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Landing {
    Right,
    /// It says that it wrote and did not.
    Nowhere,
    /// Over another page of the same file.
    Astray,
    /// With one bit wrong.
    Flipped,
}

impl Content {
    /// A file that is on the device as it is.
    pub(super) fn durable(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.cached.write(0, bytes);
        content.durable = content.cached.clone();
        content
    }

    pub(super) fn cached(&self) -> &Pages {
        &self.cached
    }

    pub(super) fn allocated_pages(&self) -> u64 {
        self.reserved + self.cached.count_from(self.reserved)
    }

    /// How many more pages a write of `len` bytes at `offset` needs.
    pub(super) fn pages_to_add(&self, offset: u64, len: u64) -> u64 {
        let range = page_of(offset)..(offset + len).div_ceil(PAGE_BYTES as u64);
        let missing = |&page: &u64| page >= self.reserved && self.cached.page(page).is_none();
        range.filter(missing).count() as u64
    }

    pub(super) fn reserve(&mut self, len: u64) {
        self.reserved = self.reserved.max(len.div_ceil(PAGE_BYTES as u64));
    }

    /// Into the page cache. A page that was dirty already may have been written back before this write: then the older
    /// bytes are on the device, though nobody synced.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], rng: &mut Rng) {
        if bytes.is_empty() {
            return;
        }
        let pages = page_of(offset)..(offset + bytes.len() as u64).div_ceil(PAGE_BYTES as u64);
        for page in pages.clone() {
            if self.cuts.is_empty() && self.dirty.contains_key(&page) && rng.one_in(8) {
                let before = self.cached.page_or_zeros(page);
                self.durable.put(page, before);
                self.direct.remove(&page);
            }
        }
        self.cached.write(offset, bytes);
        self.version += 1;
        self.dirty.extend(pages.map(|page| (page, self.version)));
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.version += 1;
        if len < self.cached.len() {
            self.cuts.push((self.version, len));
            self.direct_cut(len);
            self.dirty.retain(|&page, _| page < len.div_ceil(PAGE_BYTES as u64));
            if self.cached.page(page_of(len)).is_some() && !len.is_multiple_of(PAGE_BYTES as u64) {
                self.dirty.insert(page_of(len), self.version);
            }
        }
        if len <= self.cached.len() {
            // ext4 and XFS give back what lies behind, even if the length stays.
            self.reserved = self.reserved.min(len.div_ceil(PAGE_BYTES as u64));
        }
        self.cached.set_len(len);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let page = |&page| (page, self.cached.page_or_zeros(page));
        Snapshot {
            version: self.version,
            len: self.cached.len(),
            shortest: self.cuts.iter().map(|&(_, len)| len).min(),
            pages: self.dirty.keys().map(page).collect(),
        }
    }

    /// A sync that began at `snapshot` has ended well, each of its pages landing where `landing` says. A sync that began
    /// later and has ended already covered all of this one.
    pub(super) fn install(
        &mut self,
        snapshot: &Snapshot,
        rng: &mut Rng,
        landing: impl FnMut(&mut Rng) -> Landing,
    ) {
        if snapshot.version <= self.synced {
            return;
        }
        if let Some(shortest) = snapshot.shortest {
            self.durable.set_len(shortest.min(self.durable.len()));
        }
        self.durable.set_len(snapshot.len);
        self.put_pages(snapshot, rng, landing);
        self.covered(snapshot);
    }

    /// The sync that began at `snapshot` has failed: the kernel drops the error with the pages marked clean, some of them
    /// written and some not, and where they are not the cache may already show the old bytes again (the "fsyncgate" of
    /// 2018). A later sync says nothing about them.
    pub(super) fn fail_sync(&mut self, snapshot: &Snapshot, rng: &mut Rng) {
        if snapshot.version <= self.synced {
            return;
        }
        let evicted = rng.one_in(2);
        let survives = rng.below(5);
        self.durable.set_len(self.durable.len().max(snapshot.len));
        self.put_pages(snapshot, rng, |rng| match rng.below(4) < survives {
            true => Landing::Right,
            false => Landing::Nowhere,
        });
        for (index, _) in &snapshot.pages {
            if evicted && self.dirty.get(index).is_some_and(|&version| version <= snapshot.version)
            {
                self.cached.put(*index, self.durable.page_or_zeros(*index));
            }
        }
        self.covered(snapshot);
    }

    /// The process died while the device worked on the pages of `snapshot`: each may be there or not, and none behind a
    /// cut that is not.
    pub(super) fn tear_sync(&mut self, snapshot: &Snapshot, rng: &mut Rng) {
        if let Some(shortest) = snapshot.shortest {
            if rng.one_in(2) {
                return;
            }
            self.durable.set_len(shortest.min(self.durable.len()));
            self.cuts.retain(|&(version, _)| version > snapshot.version);
        }
        self.durable.set_len(self.durable.len().max(snapshot.len));
        self.put_pages(snapshot, rng, |rng| match rng.one_in(2) {
            true => Landing::Right,
            false => Landing::Nowhere,
        });
    }

    fn put_pages(
        &mut self,
        snapshot: &Snapshot,
        rng: &mut Rng,
        mut landing: impl FnMut(&mut Rng) -> Landing,
    ) {
        let mut device = std::mem::take(&mut self.durable);
        self.keep_direct(&mut device);
        self.durable = device;
        for (index, page) in &snapshot.pages {
            if self.is_overtaken(*index, snapshot.version) {
                continue;
            }
            let landing = landing(rng);
            if matches!(landing, Landing::Right | Landing::Flipped) {
                self.direct.remove(index);
            }
            match landing {
                Landing::Right => self.durable.put(*index, page.clone()),
                Landing::Nowhere => {}
                Landing::Astray => {
                    let elsewhere = rng.below(self.durable.len().div_ceil(PAGE_BYTES as u64));
                    self.durable.put(elsewhere, page.clone());
                    self.direct.remove(&elsewhere);
                }
                Landing::Flipped => {
                    self.durable.put(*index, page.clone());
                    let offset = index * PAGE_BYTES as u64 + rng.below(PAGE_BYTES as u64);
                    if offset < self.durable.len() {
                        self.durable.flip_bit(offset, rng.below(8) as u32);
                    }
                }
            }
        }
    }

    fn covered(&mut self, snapshot: &Snapshot) {
        assert!(snapshot.version <= self.version, "a sync covers the past");
        self.synced = snapshot.version;
        self.dirty.retain(|_, version| *version > snapshot.version);
        self.cuts.retain(|&(version, _)| version > snapshot.version);
        self.direct_covered(snapshot.version);
    }

    /// Keeps what the device has, plus by the seed any of the sectors of `sector_bytes` that write-back may have brought
    /// there, and an end between the synced one and the last. A cut that was not synced is kept or not; where it is not,
    /// nothing written behind it is (its blocks were freed and taken anew).
    pub(super) fn lose_power(&mut self, sector_bytes: usize, rng: &mut Rng) {
        let shortest = self.cuts.iter().map(|&(_, len)| len).min();
        let cut_kept = shortest.is_none() || rng.one_in(2);
        let mut after = self.durable.clone();
        let mut first_lost = u64::MAX;
        match shortest {
            Some(len) if cut_kept => after.set_len(len.min(after.len())),
            Some(len) => first_lost = page_of(len),
            None => {}
        }
        let end_max = if cut_kept { self.cached.len().max(after.len()) } else { after.len() };
        let end = match rng.below(3) {
            0 => after.len(),
            1 => end_max,
            _ => after.len() + rng.below(end_max - after.len() + 1),
        };
        after.set_len(end);
        self.keep_direct(&mut after);
        // All, none or some: the mixtures between would hardly ever give the first two for a large file.
        let survives = rng.below(5);
        let lost = |page: &u64| *page >= first_lost;
        for page in self.dirty.keys().copied().filter(|page| !lost(page)) {
            let new = self.cached.page_or_zeros(page);
            let mut kept = after.page_or_zeros(page);
            for sector in (0..PAGE_BYTES).step_by(sector_bytes) {
                let range = sector..sector + sector_bytes;
                if rng.below(4) < survives && kept[range.clone()] != new[range.clone()] {
                    Rc::make_mut(&mut kept)[range.clone()].copy_from_slice(&new[range]);
                }
            }
            after.put(page, kept);
        }
        let reserved = self.reserved.min(after.indexes().next_back().map_or(0, |last| last + 1));
        *self = Self { cached: after.clone(), durable: after, reserved, ..Self::default() };
    }

    /// Flips a bit in both, as decay of the medium would.
    pub(super) fn decay(&mut self, offset: u64, bit: u32) {
        self.cached.flip_bit(offset, bit);
        if offset < self.durable.len() {
            self.durable.flip_bit(offset, bit);
        }
    }
}
