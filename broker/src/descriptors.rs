//! What part of the descriptors that the process may have open its logs get. A log that has to close its files for another's
//! sake opens them again with the next batch, which costs more than the batch: with every second of 2,000 busy logs closed,
//! readers fell seconds behind (docs/decisions/0018-descriptors.md).

/// A log has the three files of its active segment open, and three more while an older one is read.
const FILES_PER_LOG: u64 = 6;

/// How many logs of one shard and log directory may have open files, of a process that may have `open_files_max` open: three
/// quarters are the logs' at worst, where every one of them is read from an older segment, the rest is left to connections.
pub(crate) fn open_logs_max(open_files_max: u64, shards: u16, directories: usize) -> usize {
    let logs = open_files_max / 4 * 3 / FILES_PER_LOG;
    let sharing = u64::from(shards) * directories.max(1) as u64;
    usize::try_from(logs / sharing).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_of_all_shards_leave_a_quarter_to_connections() {
        for limit in [1_024, 20_000, 65_536, 1 << 20] {
            for (shards, directories) in [(1, 1), (2, 1), (16, 3)] {
                let each = open_logs_max(limit, shards, directories) as u64;
                let all = each * u64::from(shards) * directories as u64;
                assert!(all * FILES_PER_LOG <= limit / 4 * 3, "{limit} {shards} {directories}");
            }
        }
        assert_eq!(open_logs_max(65_536, 2, 1), 4_096);
    }

    #[test]
    fn a_log_can_be_written_to_whatever_the_limit() {
        assert_eq!(open_logs_max(0, 1, 0), 1);
        assert_eq!(open_logs_max(64, 2, 8), 1);
        assert!(open_logs_max(u64::MAX, 1, 1) > 1 << 40, "no limit is no bound");
    }
}
