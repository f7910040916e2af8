//! Whether a run measured the target, and not the generator, its host or chance. Pure: what was measured in, sentences out.
//! An invalid run is told as such everywhere; a warning is what a reader should know of a valid one.

use crate::generator::Measured;
use crate::percentiles::{Latencies, Percentiles, QUANTILES};
use crate::scenario::Scenario;
use crate::terminal::{micros, thousands};
use crate::units::Rate;

/// What speaks against a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Judgement {
    /// Why its figures must not be used.
    pub invalid: Vec<String>,
    /// What qualifies them.
    pub warnings: Vec<String>,
}

/// The generator may be this late at the 99th percentile, whatever it measures ...
const LAG_MAX_US: f64 = 2_000.0;
/// ... or up to this share of what it measures.
const LAG_SHARE_MAX: f64 = 0.25;
/// Of a core: beyond it a shard's own queueing is part of what it measures.
const CORE_SHARE_MAX: f64 = 0.9;
/// Of the host's CPU time, taken by other guests.
const STEAL_MAX: f64 = 0.05;
const STEAL_WARNING: f64 = 0.01;
/// Between two looks at the clocks a second apart.
const CLOCK_STEP_MAX_MS: u64 = 50;
/// Of the records that were meant to be acknowledged in the measured time.
const SHORTFALL_MAX: f64 = 0.05;
/// Samples beyond a percentile from which on it is more than an anecdote.
const SAMPLES_WANTED: f64 = 10.0;

/// Judges a run of `scenario`.
pub fn judge(scenario: &Scenario, measured: &Measured) -> Judgement {
    let mut judgement = Judgement::default();
    judge_end(measured, &mut judgement);
    judge_records(scenario, measured, &mut judgement);
    if scenario.is_open_loop() {
        judge_schedule(scenario, measured, &mut judgement);
    }
    judge_core(scenario, measured, &mut judgement);
    judge_host(measured, &mut judgement);
    if measured.stopped.is_none() {
        judge_past(scenario, measured, &mut judgement);
    }
    // What else is wrong explains few samples, and measuring for longer mends nothing.
    if judgement.invalid.is_empty() {
        judge_samples(measured, &mut judgement);
    }
    judgement
}

fn judge_end(measured: &Measured, judgement: &mut Judgement) {
    let Some(stopped) = &measured.stopped else { return };
    let because = measured.first_error.as_ref().map(|error| format!(" ({error})"));
    judgement.invalid.push(format!("{stopped}{}", because.unwrap_or_default()));
}

fn judge_records(scenario: &Scenario, measured: &Measured, judgement: &mut Judgement) {
    let (counts, faults) = (&measured.counts, &measured.faults);
    let invalid = &mut judgement.invalid;
    let unread = if measured.stopped.is_some() {
        "acknowledged records had not been consumed when the run was stopped"
    } else {
        "acknowledged records were lost"
    };
    let found = [
        (faults.lost, unread),
        (faults.duplicated, "records were consumed more than once"),
        (faults.reordered, "records were consumed after a later one of their stream"),
        (counts.corrupted, "records that were consumed are not what was sent"),
    ];
    for (count, what) in found.into_iter().filter(|(count, _)| *count > 0) {
        invalid.push(format!("{} {what}", thousands(count as f64)));
    }
    let error = measured.first_error.as_deref().unwrap_or("no reason given");
    if counts.failed_transactions > 0 {
        let failed = thousands(counts.failed_transactions as f64);
        invalid.push(format!("{failed} transactions were not committed ({error})"));
    }
    let unacknowledged = counts.unacknowledged.all;
    if unacknowledged > 0 {
        invalid.push(format!(
            "{} of {} records were not acknowledged ({error})",
            thousands(unacknowledged as f64),
            thousands(counts.sent.all as f64),
        ));
    }
    let expected = counts.acknowledged.measured * u64::from(scenario.streams_of_readers());
    let is_explained = measured.stopped.is_some() || !invalid.is_empty();
    if counts.consumed.measured != expected && !is_explained {
        invalid.push(format!(
            "{} records were acknowledged and {} consumed",
            thousands(expected as f64),
            thousands(counts.consumed.measured as f64),
        ));
    }
}

/// Whether what the scenario says of old records happened at all.
fn judge_past(scenario: &Scenario, measured: &Measured, judgement: &mut Judgement) {
    let invalid = &mut judgement.invalid;
    if scenario.history.0 > 0 && measured.history.records == 0 {
        invalid.push("nothing of the history was read in the measured time".into());
    }
    let server = measured.snapshots.iter().filter_map(|snapshot| snapshot.server?.disk_read_bytes);
    let server: Vec<u64> = server.collect();
    if let ([first, .., last], true) = (server.as_slice(), scenario.cold) {
        let from_disk = last - first;
        if from_disk < measured.history.bytes / 2 {
            invalid.push(format!(
                "the history was to come from the disk, but of {} MiB only {} were read from it",
                measured.history.bytes >> 20,
                from_disk >> 20,
            ));
        }
    }
    if scenario.retention.0 > 0 && measured.deleted_records == Some(0) {
        invalid.push(
            "retention deleted nothing: the target looks for what is too old every log.retention.check.interval.ms, so set that below the duration, or send more than the partitions keep"
                .into(),
        );
    }
}

fn judge_schedule(scenario: &Scenario, measured: &Measured, judgement: &mut Judgement) {
    let counts = &measured.counts;
    let window = measured.window.as_secs_f64().max(1e-9);
    let is_blocked = counts.blocked.as_secs_f64() > 0.1 * window;
    let Rate::PerSecond(rate) = scenario.rate else { return };
    let reached = acknowledged_in_window(measured) as f64 / window;
    let falls_short = match measured.snapshots.as_slice() {
        [first, .., last] => {
            let sent = last.counts.sent.all - first.counts.sent.all;
            let shortfall = sent as f64 * (1.0 - SHORTFALL_MAX);
            acknowledged_in_window(measured) as f64 <= shortfall
        }
        _ => false,
    };
    let reasons = [
        (
            falls_short,
            "the target does not sustain the rate",
            "lower it; `sweep` finds the highest",
        ),
        (
            is_blocked,
            "the target kept producers waiting for room in their buffers",
            "give them more with --buffer, or lower the rate",
        ),
        (
            counts.cut_short,
            "the generator does not reach the rate",
            "give it more CPUs with --cpus",
        ),
    ];
    let reason = reasons.into_iter().find(|(holds, ..)| *holds && measured.stopped.is_none());
    if let Some((_, what, remedy)) = reason {
        judgement.invalid.push(format!(
            "{what}: {} of {} records/s were acknowledged in the measured time, so latencies are those of a queue; {remedy}",
            thousands(reached),
            thousands(rate),
        ));
    }
    judge_lag(measured, judgement);
}

fn judge_lag(measured: &Measured, judgement: &mut Judgement) {
    let lag = Percentiles::of(&measured.total.lag);
    let produce = Percentiles::of(&measured.total.produce);
    let limit = |latency: f64| LAG_MAX_US.max(LAG_SHARE_MAX * latency);
    if lag.p99 > limit(produce.p99) {
        judgement.invalid.push(format!(
            "the generator was behind its schedule: {} late at p99, where {} were measured",
            micros(lag.p99),
            micros(produce.p99),
        ));
    } else if lag.p99_9 > limit(produce.p99_9) {
        judgement.warnings.push(format!(
            "beyond p99 the generator is part of what was measured: it was {} late at p99.9",
            micros(lag.p99_9),
        ));
    }
}

/// Acknowledged between the first and the last snapshot.
pub fn acknowledged_in_window(measured: &Measured) -> u64 {
    match measured.snapshots.as_slice() {
        [first, .., last] => last.counts.acknowledged.all - first.counts.acknowledged.all,
        _ => 0,
    }
}

fn judge_core(scenario: &Scenario, measured: &Measured, judgement: &mut Judgement) {
    let Some(share) = measured.busiest_core.filter(|&share| share > CORE_SHARE_MAX) else { return };
    let sentence = format!(
        "a core of the generator was saturated: {:.0} % of its time was used",
        share * 100.0
    );
    match scenario.is_open_loop() {
        true => judgement.invalid.push(sentence),
        // The target may take more than it was given: the rate is a lower bound.
        false => judgement.warnings.push(format!("{sentence}; the target may be faster")),
    }
}

fn judge_host(measured: &Measured, judgement: &mut Judgement) {
    let hosts: Vec<_> = measured.snapshots.iter().filter_map(|snapshot| snapshot.host).collect();
    if let [first, .., last] = hosts.as_slice() {
        let steal = last.steal_since(*first);
        let sentence =
            format!("the hypervisor took {:.1} % of the CPU time for other guests", steal * 100.0);
        match steal {
            _ if steal > STEAL_MAX => judgement.invalid.push(sentence),
            _ if steal > STEAL_WARNING => judgement.warnings.push(sentence),
            _ => {}
        }
    }
    let offsets = measured.snapshots.windows(2);
    let steps = offsets.map(|pair| pair[1].clock_offset_ms.abs_diff(pair[0].clock_offset_ms));
    if let Some(step) = steps.max().filter(|&step| step > CLOCK_STEP_MAX_MS) {
        judgement.invalid.push(format!("the wall clock was set by {step} ms during the run"));
    }
}

fn judge_samples(measured: &Measured, judgement: &mut Judgement) {
    let kinds = [("produce", &measured.total.produce), ("end-to-end", &measured.total.end_to_end)];
    for (kind, latencies) in kinds {
        let samples = latencies.len();
        if let Some((name, needed)) = first_beyond(latencies, 1.0) {
            judgement.invalid.push(format!(
                "{} samples are too few for {name} of the {kind} latency: {} are needed, so measure for longer",
                thousands(samples as f64),
                thousands(needed),
            ));
        } else if let Some((name, _)) = first_beyond(latencies, SAMPLES_WANTED) {
            judgement.warnings.push(format!(
                "{name} of the {kind} latency rests on {} samples beyond it",
                (samples as f64 * (1.0 - quantile(name))).round(),
            ));
        }
    }
}

/// Whether a sentence of a judgement is about the generator, and not about the target or the host.
pub(crate) fn blames_the_generator(sentence: &str) -> bool {
    sentence.contains("the generator ")
}

/// Whether a sentence of a judgement says that the run was too short: another one like it is no longer.
pub(crate) fn blames_the_duration(sentence: &str) -> bool {
    sentence.contains("samples are too few")
}

/// The first percentile with fewer than `wanted` samples beyond it, and how many samples it needs in all.
fn first_beyond(latencies: &Latencies, wanted: f64) -> Option<(&'static str, f64)> {
    let needed = |quantile: f64| (wanted / (1.0 - quantile)).round();
    let short = QUANTILES.iter().find(|(_, quantile)| (latencies.len() as f64) < needed(*quantile));
    short.map(|(name, quantile)| (*name, needed(*quantile)))
}

fn quantile(name: &str) -> f64 {
    QUANTILES.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, quantile)| *quantile)
}

#[cfg(test)]
mod tests;
