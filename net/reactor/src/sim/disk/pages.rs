//! The bytes of a file in pages that copies share until one of them writes: what a process sees and what would survive are
//! two of these.

use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) const PAGE_BYTES: usize = 4096;

pub(super) type Page = [u8; PAGE_BYTES];

/// Pages that are missing are zeros. Bytes at and after `len` are always zero.
#[derive(Clone, Default)]
pub(super) struct Pages {
    len: u64,
    pages: BTreeMap<u64, Rc<Page>>,
}

/// The page that holds the byte at `offset`.
pub(super) fn page_of(offset: u64) -> u64 {
    offset / PAGE_BYTES as u64
}

fn start_of(page: u64) -> u64 {
    page * PAGE_BYTES as u64
}

impl Pages {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn page(&self, index: u64) -> Option<&Rc<Page>> {
        self.pages.get(&index)
    }

    /// A copy of the page, zeros where there is none.
    pub(super) fn page_or_zeros(&self, index: u64) -> Rc<Page> {
        self.pages.get(&index).cloned().unwrap_or_else(|| Rc::new([0; PAGE_BYTES]))
    }

    /// The indexes of the pages that are not mere zeros by absence.
    pub(super) fn indexes(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.pages.keys().copied()
    }

    /// How many pages at or after `first` are there.
    pub(super) fn count_from(&self, first: u64) -> u64 {
        self.pages.range(first..).count() as u64
    }

    /// Where the first page is missing; the length, where none is.
    pub(super) fn first_hole(&self) -> u64 {
        let pages = (0..).zip(self.pages.keys()).take_while(|(place, index)| place == *index);
        start_of(pages.count() as u64).min(self.len)
    }

    /// Puts a page in its place as far as it lies within the length.
    pub(super) fn put(&mut self, index: u64, mut page: Rc<Page>) {
        if start_of(index) >= self.len {
            return;
        }
        let within = (self.len - start_of(index)).min(PAGE_BYTES as u64) as usize;
        if page[within..].iter().any(|&byte| byte != 0) {
            Rc::make_mut(&mut page)[within..].fill(0);
        }
        self.pages.insert(index, page);
    }

    /// Reads what there is at `offset`; the number of bytes is short only at the end.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let count = (self.len.saturating_sub(offset)).min(buffer.len() as u64) as usize;
        let mut done = 0;
        while done < count {
            let at = offset + done as u64;
            let within = (at % PAGE_BYTES as u64) as usize;
            let part = (PAGE_BYTES - within).min(count - done);
            let target = &mut buffer[done..done + part];
            match self.pages.get(&page_of(at)) {
                Some(page) => target.copy_from_slice(&page[within..within + part]),
                None => target.fill(0),
            }
            done += part;
        }
        count
    }

    /// Writes `bytes` at `offset`, growing the file to hold them.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let within = (at % PAGE_BYTES as u64) as usize;
            let part = (PAGE_BYTES - within).min(bytes.len() - done);
            let page = self.pages.entry(page_of(at)).or_insert_with(|| Rc::new([0; PAGE_BYTES]));
            Rc::make_mut(page)[within..within + part].copy_from_slice(&bytes[done..done + part]);
            done += part;
        }
        if done > 0 {
            self.len = self.len.max(offset + done as u64);
        }
    }

    /// Cuts or extends; what is cut off is zero when the file grows again.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            drop(self.pages.split_off(&len.div_ceil(PAGE_BYTES as u64)));
            let within = (len % PAGE_BYTES as u64) as usize;
            if let Some(page) = self.pages.get_mut(&page_of(len)) {
                Rc::make_mut(page)[within..].fill(0);
            }
        }
        self.len = len;
    }

    pub(super) fn flip_bit(&mut self, offset: u64, bit: u32) {
        assert!(offset < self.len, "a bit within the file is flipped");
        let page = self.pages.entry(page_of(offset)).or_insert_with(|| Rc::new([0; PAGE_BYTES]));
        Rc::make_mut(page)[(offset % PAGE_BYTES as u64) as usize] ^= 1 << (bit % 8);
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len as usize];
        self.read(0, &mut bytes);
        bytes
    }
}
