//! The page of the paper's experiment: what was measured as bars and tables, the paper's own figures beside it.

use std::fmt::Write;

use super::pictures::standalone;
use super::text::{date, escape};
use super::{capitalized, document};
use crate::output::Named;
use crate::paper::figures::{PAPER, PaperRow};
use crate::paper::report::{Phase, Report, Row};
use crate::terminal::thousands;

const TITLE: &str = "Kafka's first experiment, again";

/// The page.
pub fn page(report: &Report) -> String {
    let mut body = format!("<h1>{TITLE}</h1>\n{}{}", introduction(report), problems(report));
    let mut durabilities: Vec<&str> = Vec::new();
    for row in &report.rows {
        if !durabilities.contains(&row.durability.as_str()) {
            durabilities.push(&row.durability);
        }
    }
    for durability in durabilities {
        let rows: Vec<&Row> =
            report.rows.iter().filter(|row| row.durability == durability).collect();
        body.push_str(&section(durability, &rows));
    }
    body.push_str(&the_paper());
    body.push_str(&how(report));
    document(TITLE, &body)
}

fn introduction(report: &Report) -> String {
    format!(
        "<p class=\"lead\">In 2011 the paper that introduced Kafka (J. Kreps, N. Narkhede, J. Rao: <em>Kafka: a Distributed \
         Messaging System for Log Processing</em>, NetDB) measured one producer, one consumer and ten million messages of 200 \
         bytes against ActiveMQ and RabbitMQ. This is the same experiment with today's brokers, on {}.</p>\n\
         <p>Each run sends {} messages of {} bytes, or as many as it can in {} s; at most {} of them are unacknowledged. \
         {}. Every message carries a sequence and a checksum, and each acknowledged one was consumed once, in order, as it was \
         sent.</p>\n",
        escape(&date(report.started_ms)),
        thousands(report.messages as f64),
        report.message_bytes,
        report.limit_s,
        thousands(report.window as f64),
        escape(&capitalized(&report.placement.sentence)),
    )
}

fn problems(report: &Report) -> String {
    let problems = report.problems();
    if problems.is_empty() {
        return String::new();
    }
    let items: String = problems.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
    format!(
        "<div class=\"invalid\"><strong>Some of these results are invalid.</strong><ul>{items}</ul></div>\n"
    )
}

fn section(durability: &str, rows: &[&Row]) -> String {
    let promise = match durability {
        "disk" => "an acknowledged message is on disk",
        _ => "an acknowledged message is in the memory of the broker's host",
    };
    let mut html = format!("<section>\n<h2>Durability {}: {promise}</h2>\n", escape(durability));
    for figure in &FIGURES {
        html.push_str(&bars(figure, durability, rows));
    }
    html.push_str(&producer_table(rows));
    html.push_str(&consumer_table(rows));
    html.push_str("</section>\n");
    html
}

const WIDTH: f64 = 900.0;
const BAR_LEFT: f64 = 270.0;
const BAR_WIDTH_MAX: f64 = 530.0;
const ROW: f64 = 28.0;
const TITLE_HEIGHT: f64 = 30.0;

/// A chart.
struct Figure {
    title: &'static str,
    /// What the picture's file is called, with the durability behind it.
    file: &'static str,
    /// Where a measured row has the figure, and one of the paper's.
    measured: fn(&Row) -> Option<f64>,
    told: fn(&PaperRow) -> Option<f64>,
}

const FIGURES: [Figure; 3] = [
    Figure {
        title: "Messages a second, produced",
        file: "produced",
        measured: |row| row.produce.map(|phase| phase.messages_per_s),
        told: |row| row.produce.figure(),
    },
    Figure {
        title: "Messages a second, consumed",
        file: "consumed",
        measured: |row| row.consume.map(|phase| phase.messages_per_s),
        told: |row| row.consume.figure(),
    },
    Figure {
        title: "Bytes on disk beyond the message, for each",
        file: "overhead",
        measured: |row| row.overhead_bytes_per_message,
        told: |row| row.overhead.figure(),
    },
];

/// The charts as files of their own.
pub fn paper_pictures(report: &Report) -> Vec<Named> {
    let by_durability = report.rows.chunk_by(|one, other| one.durability == other.durability);
    let draw = |rows: &[Row]| -> Vec<Named> {
        let (durability, rows) = (&rows[0].durability, rows.iter().collect::<Vec<_>>());
        let picture = |figure: &Figure| {
            let svg = standalone(&bars(figure, durability, &rows))?;
            Some((format!("{}-{durability}.svg", figure.file), svg.into_bytes()))
        };
        FIGURES.iter().filter_map(picture).collect()
    };
    by_durability.flat_map(draw).collect()
}

struct Bar {
    label: String,
    value: f64,
    class: &'static str,
}

/// A bar for each row that has the figure, the paper's last.
fn bars(figure: &Figure, durability: &str, rows: &[&Row]) -> String {
    let Figure { title, measured, told, .. } = figure;
    // The paper's brokers flushed asynchronously.
    let paper = if durability == "disk" { &[][..] } else { &PAPER };
    let bar = |row: &&Row| {
        let label = format!("{}, batch of {}", row.target, row.batch);
        let class = if row.batch > 1 { "bar-1" } else { "bar-0" };
        Some(Bar { label, value: measured(row)?, class })
    };
    let paper_bar = |row: &PaperRow| {
        let label = format!("paper: {}, batch of {}", row.broker, row.batch);
        Some(Bar { label, value: told(row)?, class: "bar-told" })
    };
    let mut bars: Vec<Bar> = rows.iter().filter_map(bar).collect();
    if bars.is_empty() {
        return String::new();
    }
    bars.extend(paper.iter().filter_map(paper_bar));
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let height = TITLE_HEIGHT + ROW * bars.len() as f64;
    let mut svg = format!(
        "<figure>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <text class=\"title\" x=\"0\" y=\"18\">{title}</text>\n"
    );
    for (number, Bar { label, value, class }) in bars.into_iter().enumerate() {
        let y = TITLE_HEIGHT + ROW * number as f64;
        let width = (value / most * BAR_WIDTH_MAX).max(1.0);
        let _ = writeln!(
            svg,
            "<text class=\"label end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <rect class=\"bar {class}\" x=\"{BAR_LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"20\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            BAR_LEFT - 10.0,
            y + 15.0,
            escape(&label),
            BAR_LEFT + width + 8.0,
            y + 15.0,
            thousands(value),
        );
    }
    svg.push_str("</svg>\n</figure>\n");
    svg
}

fn producer_table(rows: &[&Row]) -> String {
    let mut html = "<table>\n<caption>The producer. CPU is the broker's own, for each message. Where the client uses its whole core \
         (1.00), it and not the broker limits the rate.</caption>\n<thead><tr><th>broker</th><th>batch</th><th>messages</th>\
         <th>produced/s</th><th>MB/s</th><th>broker CPU</th><th>client cores</th><th>bytes on disk</th><th>overhead</th></tr>\
         </thead>\n<tbody>\n"
        .to_owned();
    for row in rows {
        let head = head(row);
        let Some(sent) = &row.produce else {
            let why = row.missing.as_deref().unwrap_or("-");
            let style = "text-align: left";
            let _ = writeln!(
                html,
                "{head}<td colspan=\"7\" style=\"{style}\">{}</td></tr>",
                escape(why)
            );
            continue;
        };
        let _ = writeln!(
            html,
            "{head}<td>{}</td>{}<td>{:.1}</td><td>{:.1}</td></tr>",
            thousands(sent.messages as f64),
            phase(sent),
            row.disk_bytes_per_message.unwrap_or(0.0),
            row.overhead_bytes_per_message.unwrap_or(0.0),
        );
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn consumer_table(rows: &[&Row]) -> String {
    let mut html = "<table>\n<caption>The consumer, after the producer has ended; and the most memory that the broker had in \
         all.</caption>\n<thead><tr><th>broker</th><th>batch</th><th>consumed/s</th><th>MB/s</th><th>broker CPU</th>\
         <th>client cores</th><th>memory</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for row in rows {
        let Some(read) = &row.consume else { continue };
        let memory = row.peak_mib.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0} MiB"));
        let _ = writeln!(html, "{}{}<td>{memory}</td></tr>", head(row), phase(read));
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn head(row: &Row) -> String {
    format!("<tr><td>{}</td><td>{}</td>", escape(&row.target), row.batch)
}

fn phase(phase: &Phase) -> String {
    format!(
        "<td>{}</td><td>{:.1}</td><td>{:.2} µs</td><td>{:.2}</td>",
        thousands(phase.messages_per_s),
        phase.mb_per_s,
        phase.broker_cpu_us_per_message,
        phase.client_cores,
    )
}

fn the_paper() -> String {
    let mut html = "<section>\n<h2>What the paper found</h2>\n<table>\n<caption>Averages of 2011. Two machines with 8 cores of \
         2 GHz, 16 GB of memory and 6 disks in RAID 10; a link of 1 Gb/s between them, which Kafka's producer almost filled \
         with batches of 50. Brokers flushed to disk asynchronously. Kafka's producer did not wait for acknowledgements; here \
         every message is acknowledged.</caption>\n<thead><tr><th>broker</th><th>batch</th><th>produced/s</th>\
         <th>consumed/s</th><th>overhead, bytes</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for row in PAPER {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(row.broker),
            row.batch,
            escape(&row.produce.to_string()),
            escape(&row.consume.to_string()),
            escape(&row.overhead.to_string()),
        );
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
    html
}

fn how(report: &Report) -> String {
    let mut rows = vec![("host".to_owned(), report.host.sentence())];
    for row in &report.rows {
        let name = row.target.split(' ').next().unwrap_or(&row.target);
        let told = [
            (format!("{name}: a batch"), &row.batch_means),
            (format!("{name}, {}", row.durability), &row.durability_means),
        ];
        for (what, means) in told {
            if !rows.iter().any(|(known, _)| *known == what) {
                rows.push((what, means.clone()));
            }
        }
    }
    let rows: String = rows
        .iter()
        .map(|(name, value)| {
            format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(value))
        })
        .collect();
    format!(
        "<section>\n<h2>Where and how</h2>\n<table class=\"facts\">\n<tbody>\n{rows}</tbody>\n</table>\n\
         <p>Measured with ringlane-bench {}, <code>ringlane-bench paper --messages {} --limit {}s</code>. Disk: what the \
         broker's files grew by, a second after they had stopped growing; space reserved behind a file's end is not counted. \
         MB are 10<sup>6</sup> bytes of messages.</p>\n</section>\n",
        env!("CARGO_PKG_VERSION"),
        report.messages,
        report.limit_s,
    )
}
