//! Who gets what of the descriptors that the process may have open (RLIMIT_NOFILE): logs, and connections, which must not take
//! those of the logs: a broker that cannot open its own files serves nobody.
//!
//! A log that has to close its files for another's sake opens them again with the next batch, which costs more than the batch
//! (docs/decisions/0018-descriptors.md).

/// A log has the three files of its active segment open, and one more now and then while an older one is read.
const FILES_PER_LOG: u64 = 4;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptors {
    /// How many logs may have open files: half of the descriptors are theirs.
    pub logs_max: u64,
    /// How many connections there may be: three eighths of them. The rest is for the rings, journals and what is open for a moment.
    pub connections_max: u64,
}

impl Descriptors {
    /// The shares in `open_files_max`.
    pub const fn within(open_files_max: u64) -> Self {
        Self {
            logs_max: open_files_max / 2 / FILES_PER_LOG,
            connections_max: open_files_max / 8 * 3,
        }
    }

    /// How many logs of one shard and log directory may have open files: at least the one that is written to.
    pub(crate) fn logs_of_each(&self, shards: u16, directories: usize) -> usize {
        let sharing = u64::from(shards) * directories.max(1) as u64;
        usize::try_from(self.logs_max / sharing).unwrap_or(usize::MAX).max(1)
    }

    /// How many connections a shard may have.
    pub(crate) fn connections_of_each(&self, shards: u16) -> usize {
        usize::try_from(self.connections_max / u64::from(shards)).unwrap_or(usize::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_is_left_whatever_logs_and_connections_do() {
        for limit in [256, 1_024, 20_000, 65_536, 1 << 20, u64::MAX] {
            let shares = Descriptors::within(limit);
            let taken = shares.logs_max * FILES_PER_LOG + shares.connections_max;
            assert!(taken <= limit - limit / 8 && taken >= limit / 4 * 3, "{limit}: {shares:?}");
        }
    }

    #[test]
    fn shards_and_directories_share_alike() {
        let shares = Descriptors::within(65_536);
        assert_eq!((shares.logs_of_each(2, 1), shares.logs_of_each(4, 2)), (4_096, 1_024));
        assert_eq!(shares.connections_of_each(4), 6_144);
        let none = Descriptors::within(0);
        assert_eq!((none.logs_of_each(1, 0), none.connections_of_each(1)), (1, 1));
    }
}
