//! Several runs of one broker as one result: latencies together, costs as the median of the runs.

use std::time::Duration;

use super::Run;
use crate::generator::{Breakdown, Counts, Drain, Interval, Measured};
use crate::percentiles::Percentiles;
use crate::result::{
    Drained, Records, RunResult, Second, Transactions, by_leader, by_partition, curve,
};
use crate::server::ServerUse;
use crate::verify::Faults;

/// The result over all `runs`, of which there is one at least.
pub(crate) fn pool(runs: &[Run]) -> RunResult {
    let (first, _) = runs.first().expect("a pool has a run");
    let measured = measured(runs);
    let results = || runs.iter().map(|(result, _)| result);
    let rounds: Vec<&Breakdown> = runs.iter().map(|(_, measured)| &measured.breakdown).collect();
    let drains = |of: fn(&Measured) -> &Drain| {
        Drained::over(&runs.iter().map(|(_, measured)| of(measured)).collect::<Vec<_>>())
    };
    let partitions = first.scenario["partitions"].as_u64().unwrap_or(1).max(1) as u32;
    let seconds: f64 = results().map(|result| result.seconds).sum();
    let mut rates = first.rates;
    rates.sent_per_s = weighted(runs, |result| result.rates.sent_per_s) / seconds;
    rates.acknowledged_per_s = weighted(runs, |result| result.rates.acknowledged_per_s) / seconds;
    let mut generator = first.generator.clone();
    generator.lag_us = Percentiles::of(&measured.total.lag);
    generator.busiest_core =
        results().filter_map(|result| result.generator.busiest_core).reduce(f64::max);
    generator.blocked_s = results().map(|result| result.generator.blocked_s).sum();
    RunResult {
        valid: results().all(|result| result.valid),
        invalid: by_round(runs, |result| &result.invalid),
        warnings: by_round(runs, |result| &result.warnings),
        seconds,
        rates,
        records: records(runs),
        produce_latency_us: Percentiles::of(&measured.total.produce),
        end_to_end_latency_us: Percentiles::of(&measured.total.end_to_end),
        fetch_latency_us: Percentiles::of(&measured.total.fetch),
        transactions: Transactions::of(&measured),
        by_partition: by_partition(&rounds, partitions),
        by_leader: by_leader(&rounds),
        backlog: drains(|measured| &measured.backlog),
        history: drains(|measured| &measured.history),
        deleted_records: results().map(|result| result.deleted_records).sum(),
        server: server(runs),
        generator,
        intervals: intervals(runs),
        produce_curve: curve(&measured.total.produce),
        end_to_end_curve: curve(&measured.total.end_to_end),
        ..first.clone()
    }
}

fn weighted(runs: &[Run], of: impl Fn(&RunResult) -> f64) -> f64 {
    runs.iter().map(|(result, _)| of(result) * result.seconds).sum()
}

/// The sentences of each round, with its number.
fn by_round(runs: &[Run], of: impl Fn(&RunResult) -> &Vec<String>) -> Vec<String> {
    let numbered = (1..).zip(runs);
    let sentences = numbered.flat_map(|(round, (result, _))| {
        of(result).iter().map(move |sentence| format!("round {round}: {sentence}"))
    });
    sentences.collect()
}

fn records(runs: &[Run]) -> Records {
    let sum = |of: fn(&Records) -> u64| runs.iter().map(|(result, _)| of(&result.records)).sum();
    Records {
        sent: sum(|records| records.sent),
        acknowledged: sum(|records| records.acknowledged),
        unacknowledged: sum(|records| records.unacknowledged),
        consumed: sum(|records| records.consumed),
        lost: sum(|records| records.lost),
        duplicated: sum(|records| records.duplicated),
        reordered: sum(|records| records.reordered),
        corrupted: sum(|records| records.corrupted),
    }
}

fn server(runs: &[Run]) -> ServerUse {
    let median = |of: fn(&ServerUse) -> Option<f64>| {
        median(runs.iter().filter_map(|(result, _)| of(&result.server)).collect())
    };
    ServerUse {
        cpu_us_per_record: median(|used| used.cpu_us_per_record),
        cpu_user_us_per_record: median(|used| used.cpu_user_us_per_record),
        cpu_cores: median(|used| used.cpu_cores),
        rss_mib: median(|used| used.rss_mib),
        disk_bytes_per_record: median(|used| used.disk_bytes_per_record),
        disk_read_mib: median(|used| used.disk_read_mib),
        voluntary_switches_per_record: median(|used| used.voluntary_switches_per_record),
    }
}

/// The middle of `values`; none when there are none.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

/// The rounds one after the other.
fn intervals(runs: &[Run]) -> Vec<Second> {
    let mut all = Vec::new();
    let mut began = 0.0;
    for (result, _) in runs {
        all.extend(result.intervals.iter().map(|at| Second { second: began + at.second, ..*at }));
        began += result.seconds;
    }
    all
}

/// What was measured over all `runs`.
pub(super) fn measured(runs: &[Run]) -> Measured {
    let (_, first) = runs.first().expect("a pool has a run");
    let mut all = Measured {
        window: Duration::ZERO,
        counts: Counts::sum(runs.iter().map(|(_, measured)| &measured.counts)),
        faults: Faults::default(),
        total: Interval::empty(),
        intervals: Vec::new(),
        snapshots: Vec::new(),
        ..first.clone()
    };
    for (_, measured) in runs {
        all.window += measured.window;
        all.faults += measured.faults;
        all.total.add(&measured.total);
        all.intervals.extend(measured.intervals.iter().cloned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
