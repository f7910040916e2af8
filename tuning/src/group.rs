//! What several knobs do: CPUs with one and the same reading are one row.

use std::collections::BTreeMap;

use crate::cpu_set::CpuSet;
use crate::root::Unread;

/// The CPUs by what was read of them, in order of the readings.
pub(crate) fn cpus<T: Ord>(
    readings: impl IntoIterator<Item = (usize, Result<T, Unread>)>,
) -> (BTreeMap<T, CpuSet>, BTreeMap<String, CpuSet>) {
    let mut read = BTreeMap::<T, Vec<usize>>::new();
    let mut unread = BTreeMap::<String, Vec<usize>>::new();
    for (cpu, reading) in readings {
        match reading {
            Ok(value) => read.entry(value).or_default().push(cpu),
            Err(Unread::Unreadable(why)) => unread.entry(why).or_default().push(cpu),
            Err(Unread::Missing) => {}
        }
    }
    let read = read.into_iter().map(|(value, cpus)| (value, cpus.into_iter().collect()));
    let unread = unread.into_iter().map(|(why, cpus)| (why, cpus.into_iter().collect()));
    (read.collect(), unread.collect())
}
