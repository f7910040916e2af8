//! Space that is reserved ahead of what is written to a segment under load. Thousands of logs that are written back side by side
//! would otherwise each get a new extent for every 32 KiB or so, and the file system a block of metadata more to write for each
//! log in each round of checkpoints. The length stays that of the data (FALLOC_FL_KEEP_SIZE), as Kafka's tools want it.

use std::io;

use super::Segment;

/// Nothing is reserved in steps shorter than this part of the longest.
pub(crate) const SHORTEST_STEP: u64 = 16;

/// Up to where to reserve before a file is written up to `end`, if what is reserved does not reach so far: a step about as long
/// as what there is, `step_max` at most.
fn reservation(end: u64, reserved: u64, step_max: u64) -> Option<u64> {
    let step = 1 << end.min(step_max).checked_ilog2()?;
    let is_worth_it = end > reserved && step >= step_max / SHORTEST_STEP;
    is_worth_it.then(|| (end + 1).next_multiple_of(step))
}

impl Segment {
    /// Takes note that space is reserved before the file is written up to `end`, and answers up to where.
    pub(super) fn reserve(&mut self, end: u64, step_max: u64) -> Option<u64> {
        let wanted = reservation(end, self.reserved, step_max)?;
        self.reserved = wanted;
        Some(wanted)
    }

    /// Gives back what was reserved and not needed. Nothing is held.
    pub(super) fn give_back_space(&mut self) -> io::Result<()> {
        assert!(self.held.is_empty(), "what is held needs its space still");
        if let Some(files) = self.files.as_ref().filter(|_| self.reserved > self.len) {
            files.log.set_len(self.len)?;
        }
        self.reserved = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::Path;

    use ringlane_batch::{BatchBuilder, BatchFields, BatchView, Codec, Offset, TimestampMs};
    use ringlane_reactor::OpenOptions;
    use ringlane_reactor::sim::{Options, Simulation};

    use super::super::Files;
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    #[test]
    fn a_step_is_as_long_as_what_there_is() {
        for (end, reserved, step_max, expected) in [
            (0, 0, MIB, None),
            (63 * KIB, 0, MIB, None),
            (64 * KIB, 0, MIB, Some(128 * KIB)),
            (128 * KIB, 128 * KIB, MIB, None),
            (129 * KIB, 128 * KIB, MIB, Some(256 * KIB)),
            (5 * MIB + 1, 5 * MIB, MIB, Some(6 * MIB)),
            (5 * MIB, 0, MIB, Some(6 * MIB)),
            (5 * MIB, 0, MIB - 1, Some(5 * MIB + 512 * KIB)),
            (5 * MIB, 0, 0, None),
        ] {
            assert_eq!(reservation(end, reserved, step_max), expected, "{end} {reserved}");
        }
    }

    #[test]
    fn what_is_reserved_and_not_needed_is_given_back() {
        let mut simulation = Simulation::new(Options::seed(1));
        let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
        simulation.block_on(host, |reactor| async move {
            let (disk, dir) = (reactor.disk(), Path::new("/orders-0"));
            disk.create_dir_all(dir).await.unwrap();
            let free = || disk.space(dir).unwrap().free_bytes;
            let open = Files::open(&disk, dir, Offset(0), OpenOptions::CREATE_EMPTY);
            let mut segment = Segment::new(Offset(0), open.await.unwrap(), 0);
            let mut builder = BatchBuilder::new(Codec::None);
            builder.append(TimestampMs(1), None, Some(&[7; 9000]), &[]);
            let batch = builder.finish(&BatchFields::default()).to_vec();
            segment.hold(&BatchView::parse(&batch).unwrap(), 4096);
            let empty = free();
            segment.leave(16 * KIB).expect("something is held").write().await.unwrap();
            segment.has_left();
            assert_eq!(empty - free(), 16 * KIB, "for nine");
            segment.flush_indexes().unwrap();
            let before = free();
            segment.finish().unwrap();
            assert_eq!(free() - before, 4 * KIB);
            let file = disk.open(&dir.join("00000000000000000000.log"), OpenOptions::READ).await;
            assert_eq!(file.unwrap().len().unwrap(), batch.len() as u64);
        });
    }
}
