//! The page of the history: for each kind of host and each standing scenario, its figures by commit.

use super::document;
use super::text::escape;
use super::trend::{Mark, Scale, Series, Trend};
use crate::history::{Entry, Figures, kinds_of_host, scenarios, standing};
use crate::terminal::{micros, thousands};

/// A figure of a scenario: where it is, and its lowest and highest round.
type Pick = fn(&Figures) -> Option<(f64, Option<(f64, f64)>)>;

/// The page.
pub fn history_page(entries: &[Entry]) -> String {
    let title = "Ringlane by commit";
    let mut body = format!("<h1>{title}</h1>\n{}", introduction(entries));
    for host in kinds_of_host(entries) {
        let of_host: Vec<&Entry> =
            entries.iter().filter(|entry| entry.kind_of_host() == host).collect();
        body.push_str(&format!("<p class=\"lead\">Measured on {}.</p>\n", escape(&host)));
        for scenario in scenarios(entries) {
            body.push_str(&section(&of_host, &scenario));
        }
    }
    document(title, &body)
}

fn introduction(entries: &[Entry]) -> String {
    match entries {
        [] => "<p class=\"lead\">Nothing is measured yet: <code>ringlane-bench history record</code> writes the first line.</p>\n".into(),
        _ => "<p>Each point is a commit, oldest on the left; hover for its message. Latency counts from the moment at which a \
              record was <em>meant</em> to be sent. A bar through a point reaches from the lowest to the highest of its rounds: \
              what lies within is noise. A hollow point is an invalid result.</p>\n".into(),
    }
}

fn section(entries: &[&Entry], scenario: &str) -> String {
    let measured = entries.iter().filter_map(|entry| Some((*entry, entry.figures(scenario)?)));
    let measured: Vec<(&Entry, &Figures)> = measured.collect();
    let Some((_, last)) = measured.last() else { return String::new() };
    let why = standing().into_iter().find(|standing| standing.name == scenario);
    let mut html = format!(
        "<section>\n<h2>{}: durability {}</h2>\n<p>{}</p>\n",
        escape(scenario),
        escape(&last.durability),
        escape(why.map_or("No longer measured.", |standing| standing.why)),
    );
    let latencies: [(&str, Pick); 4] = [
        ("p50", |figures| Some((figures.produce_latency_us.p50, None))),
        ("p99", |figures| Some((figures.produce_latency_us.p99, p99_range(figures)))),
        ("p99.9", |figures| Some((figures.produce_latency_us.p99_9, None))),
        ("max", |figures| Some((figures.produce_latency_us.max, None))),
    ];
    if last.asked_per_s.is_none() {
        let rate: [(&str, Pick); 1] =
            [("records a second", |figures| Some((figures.acknowledged_per_s, None)))];
        html.push_str(&draw("Rate", Scale::Linear, &measured, &rate, thousands));
    } else {
        html.push_str(&draw("Produce latency", Scale::Logarithmic, &measured, &latencies, micros));
    }
    let cpu: [(&str, Pick); 1] =
        [("CPU time", |figures| figures.cpu_us_per_record.map(|us| (us, None)))];
    let title = "CPU time of the broker a record";
    html.push_str(&draw(title, Scale::Linear, &measured, &cpu, micros));
    html.push_str("</section>\n");
    html
}

fn p99_range(figures: &Figures) -> Option<(f64, f64)> {
    let rounds = || figures.produce_p99_us_by_round.iter().copied();
    rounds().reduce(f64::min).zip(rounds().reduce(f64::max))
}

fn draw(
    title: &str,
    scale: Scale,
    measured: &[(&Entry, &Figures)],
    picks: &[(&str, Pick)],
    show: fn(f64) -> String,
) -> String {
    let mark = |(at, (entry, figures)): (usize, &(&Entry, &Figures)), name: &str, pick: &Pick| {
        let (value, range) = pick(figures)?;
        let why = if figures.valid {
            String::new()
        } else {
            format!("\nINVALID: {}", figures.invalid.join("; "))
        };
        Some(Mark {
            at,
            value,
            range,
            is_valid: figures.valid,
            tip: format!(
                "{} {}\n{}\n{name} {}{why}",
                entry.short(),
                entry.subject,
                entry.date,
                show(value)
            ),
        })
    };
    let series = picks.iter().map(|(name, pick)| Series {
        name: (*name).to_owned(),
        marks: measured.iter().enumerate().filter_map(|at| mark(at, name, pick)).collect(),
    });
    Trend {
        title,
        scale,
        columns: measured.iter().map(|(entry, _)| entry.short().to_owned()).collect(),
        series: series.collect(),
        show,
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::entry;

    #[test]
    fn every_commit_is_a_point_of_every_figure() {
        let mut entries = [entry("a", 2, 800.0), entry("b", 2, 900.0), entry("c", 64, 100.0)];
        entries[1].scenarios[0].valid = false;
        let page = history_page(&entries);
        // steady: p50, p99 and max (a p99.9 of 0 has no place on a logarithmic scale), CPU; flat-out: rate, CPU.
        assert_eq!(page.matches("<circle").count(), 3 * (3 + 1) + 3 * 2, "{page}");
        assert_eq!(page.matches("class=\"range").count(), 3, "a bar through each p99");
        assert!(page.contains("Say why &lt;this&gt; is so") && page.contains("2 CPUs"), "{page}");
        assert!(page.contains("hollow\"") && !page.contains("http://"), "{page}");
        assert!(history_page(&[]).contains("Nothing is measured"));
    }
}
