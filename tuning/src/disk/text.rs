//! The measurements for people, with what they mean.

use std::fmt;

use super::choose::{BufferedWrites, Durability};
use super::profile::DiskProfile;
use crate::numbers;

impl fmt::Display for DiskProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = &self.measured;
        let per_second = numbers::bytes(measured.write_bytes_per_second >> 20 << 20);
        writeln!(f, "write bandwidth   {per_second}/s")?;
        writeln!(
            f,
            "\ndurable writes{}",
            if measured.is_direct { "" } else { ", through the page cache" }
        )?;
        writeln!(f, "     size  depth   writes/s     p50 µs     p99 µs     max µs")?;
        for (bytes, depth, latency) in &measured.durable {
            writeln!(
                f,
                "{:>9}  {depth:>5}  {:>9.0}  {:>9.0}  {:>9.0}  {:>9.0}",
                numbers::bytes(*bytes as u64),
                latency.per_second,
                latency.p50_us,
                latency.p99_us,
                latency.max_us
            )?;
        }
        let (plain, durable) = (measured.plain_write.p50_us, measured.smallest_durable().p50_us);
        writeln!(
            f,
            "\na plain write of 4 KiB takes {plain:.0} µs, a durable one {durable:.0} µs: {}",
            self.durability
        )?;
        let (inline, ring) = (measured.inline_write.p50_us, measured.ring_write.p50_us);
        let verdict = match self.buffered_writes {
            BufferedWrites::Inline => "inline, as the broker does, is right here",
            BufferedWrites::Ring => {
                "the broker writes inline, and would be better off with the ring on this file system"
            }
        };
        writeln!(
            f,
            "a buffered write of 4 KiB takes {inline:.1} µs inline and {ring:.1} µs through the ring: {verdict}"
        )?;
        writeln!(f, "a sync of the file system took {:.0} ms", measured.sync_seconds * 1000.0)?;
        let (file, files) = (numbers::bytes(self.journal.file_bytes), self.journal.files);
        writeln!(f, "\njournal of each of {} shards: {files} files of {file}", self.shards)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flushed => "the device's volatile cache is emptied each time, as it should be",
            Self::NothingToFlush => {
                "the kernel flushes nothing, since the device says that its cache is protected, or that it has none. Believe it if its maker does; of a virtual disk ask the host"
            }
            Self::Suspicious => {
                "the device has a volatile cache and empties it in no time: it is protected and does not say so, or flushes are ignored (a virtual disk with cache=unsafe does), and then a power cut loses what was acknowledged"
            }
            Self::Unknown => "what the device says of its cache is not known",
        })
    }
}
