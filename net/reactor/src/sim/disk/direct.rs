//! Direct writes on their way: what each becomes when it completes, and when a crash does not let it.

use std::collections::BTreeMap;
use std::io;

use super::content::Landing;
use super::names::{InodeId, Tree};
use super::{CrashKind, Disk};
use crate::Rng;

/// What the device has been told to write.
pub(super) struct DirectWrite {
    inode: InodeId,
    offset: u64,
    bytes: Vec<u8>,
    durable: bool,
}

/// A crash meets writes on their way: the loss of power finds them as unsafe as what the cache holds, the end of a process
/// leaves the kernel to finish them, or not.
pub(super) fn land(
    in_flight: &BTreeMap<u64, DirectWrite>,
    kind: CrashKind,
    tree: &mut Tree,
    sector_bytes: usize,
    rng: &mut Rng,
) {
    in_flight.values().for_each(|write| write.land(kind, tree, sector_bytes, rng));
}

impl DirectWrite {
    fn land(&self, kind: CrashKind, tree: &mut Tree, sector_bytes: usize, rng: &mut Rng) {
        // A file that is gone has nothing to tear.
        let Ok(file) = tree.file(self.inode) else { return };
        match kind {
            CrashKind::Power => file.write(self.offset, &self.bytes, rng),
            CrashKind::Process => file.tear_write(self.offset, &self.bytes, sector_bytes, rng),
        }
    }
}

impl Disk {
    /// Begins a direct write and gives its number. `None`: the crash cut fell on it.
    pub(in crate::sim) fn start_direct_write(
        &mut self,
        inode: InodeId,
        offset: u64,
        bytes: &[u8],
        durable: bool,
    ) -> io::Result<Option<u64>> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > i64::MAX as u64) {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        self.check_change(inode)?;
        let to_add = self.tree.file(inode)?.pages_to_add(offset, bytes.len() as u64);
        self.room_for(to_add)?;
        let write = DirectWrite { inode, offset, bytes: bytes.to_vec(), durable };
        let Some((_, kind)) = self.cut.filter(|_| self.cut_is_next()) else {
            self.operations += 1;
            self.next_direct_write += 1;
            self.in_flight.insert(self.next_direct_write, write);
            return Ok(Some(self.next_direct_write));
        };
        let sector_bytes = self.faults.sector_bytes;
        let part = |tree: &mut Tree, rng: &mut Rng| write.land(kind, tree, sector_bytes, rng);
        let whole = |tree: &mut Tree, rng: &mut Rng| {
            let file = tree.file(inode)?;
            match durable {
                true => file.write_durable(offset, bytes, rng, |_| Landing::Right),
                false => file.write(offset, bytes, rng),
            }
            Ok(())
        };
        self.operate(part, whole).map(|()| None)
    }

    /// A direct write completes; for nobody when it is `abandoned`, which may have kept the kernel from doing all of it.
    pub(in crate::sim) fn end_direct_write(
        &mut self,
        number: u64,
        abandoned: bool,
    ) -> io::Result<()> {
        let write = self.in_flight.remove(&number).expect("a direct write ends once");
        let (faults, offset, bytes) = (self.faults, write.offset, write.bytes.as_slice());
        let fails = self.rng.one_in(faults.write_error_one_in) || self.check(write.inode).is_err();
        let file = self.tree.file(write.inode)?;
        if fails || abandoned {
            file.tear_write(offset, bytes, faults.sector_bytes, &mut self.rng);
            return match fails {
                true => Err(io::Error::from_raw_os_error(libc::EIO)),
                false => Ok(()),
            };
        }
        if !write.durable {
            file.write(offset, bytes, &mut self.rng);
            return Ok(());
        }
        let lost = self.rng.one_in(faults.sync_lost_one_in);
        let landing = |rng: &mut Rng| faults.landing(lost, rng);
        file.write_durable(offset, bytes, &mut self.rng, landing);
        Ok(())
    }

    /// The hint to write back; a crash loses it like any write-back that did not come to pass.
    pub(in crate::sim) fn write_back(&mut self, inode: InodeId, offset: u64, len: u64) {
        if let Ok(file) = self.tree.file(inode) {
            file.write_back(offset, len, &mut self.rng);
        }
    }
}
