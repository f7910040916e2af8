//! `ringlane consume`: records become lines, JSON or files.

mod files;
pub(super) mod format;
mod from;
mod source;

use std::path::PathBuf;

use clap::Args;
use ringlane_client::{Client, Either, Fetched, Position, race};

use super::connect::Connect;
use super::failure::Failure;
use super::output::print;
use super::progress::Progress;
use files::Files;
use format::Format;
use source::Source;

/// Read records from a topic.
#[derive(Args, Clone)]
#[command(after_help = "What --format knows:
  %k key   %v value   %h headers   %t topic   %p partition   %o offset   %T timestamp in ms   %% a percent sign
  \\n newline   \\t tab   \\r carriage return   \\0 zero byte   \\\\ backslash

Examples:
  ringlane consume greetings                                  from the first record on, until Ctrl-C
  ringlane consume greetings --until-end                      what is there now
  ringlane consume orders --from latest --format '%k\\t%v\\n'
  ringlane consume orders --from 2026-05-01T00:00:00Z --max-messages 10 --json
  ringlane consume orders --partition 3 --from 1200           from offset 1200 of partition 3
  ringlane consume orders --group billing                     goes on where the group is
  ringlane consume tree --until-end --output copy/            each record's value becomes a file")]
pub(crate) struct Consume {
    /// The topic to read.
    topic: String,
    /// Where to start: `earliest`, `latest`, an offset, a time (RFC 3339), or `@` and ms since 1970. With --group only
    /// where the group has committed nothing.
    #[arg(long, value_name = "POSITION", default_value = "earliest", value_parser = from::parse)]
    from: Position,
    /// Read this partition only. May be given more than once.
    #[arg(long = "partition", short, value_name = "PARTITION", conflicts_with = "group")]
    partitions: Vec<i32>,
    /// Read as a member of this group: share the partitions with its other members, and commit what was read.
    #[arg(long, short)]
    group: Option<String>,
    /// End after this many records.
    #[arg(long, short = 'n', value_name = "COUNT")]
    max_messages: Option<u64>,
    /// End behind the records that are there when it starts.
    #[arg(long, short = 'e')]
    until_end: bool,
    /// How each record is printed.
    #[arg(long, short, value_name = "TEMPLATE", default_value = "%v\\n", value_parser = format::parse)]
    format: Format,
    /// Print each record as a line of JSON. What is not UTF-8 is in base64, under key_base64 and value_base64.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Write each record's value to a file below this directory instead: its key is the path, or topic-partition-offset
    /// where it has none.
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["format", "json"])]
    output: Option<PathBuf>,
    /// Nothing on standard error but errors.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Consume {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let connect = self.connect.clone();
        connect.run(move |client| consume(client, self.clone()))
    }
}

async fn consume(client: Client, args: Consume) -> Result<(), Failure> {
    let reactor = client.reactor().clone();
    let progress = Progress::new(&reactor, "consumed");
    let mut output = Output::new(&client, &args).await?;
    let mut source = Source::open(&client, &args).await?;
    let mut outcome = Ok(());
    while outcome.is_ok() && args.max_messages.is_none_or(|max| progress.records() < max) {
        let next = match race(source.next(), reactor.terminated()).await {
            Either::Left(next) => next,
            Either::Right(()) => break,
        };
        match next {
            Ok(Some(fetched)) => {
                outcome = use_piece(&args, &fetched, &progress, &mut source, &mut output).await;
            }
            Ok(None) => break,
            Err(failure) => outcome = Err(failure),
        }
    }
    // It leaves its group also when nobody reads the output any more: others go on then.
    let closed = source.close().await;
    outcome.and(closed)?;
    if !args.quiet {
        progress.end("consumed", &format!("from {}", args.topic));
    }
    Ok(())
}

/// Prints the records of a piece, no more than are wanted.
async fn use_piece(
    args: &Consume,
    fetched: &Fetched,
    progress: &Progress,
    source: &mut Source,
    output: &mut Output,
) -> Result<(), Failure> {
    let max = args.max_messages.unwrap_or(u64::MAX);
    let mut failure = Ok(());
    fetched.for_each_while(|record| {
        if progress.records() == max {
            source.used_before(record.offset.0);
            return false;
        }
        progress.add(record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len));
        failure = output.add(fetched, record);
        failure.is_ok()
    })?;
    failure?;
    output.flush().await
}

/// Where records go.
enum Output {
    Lines { format: Format, buffer: Vec<u8> },
    Json { buffer: Vec<u8> },
    Files(Files),
}

impl Output {
    async fn new(client: &Client, args: &Consume) -> Result<Self, Failure> {
        Ok(match (&args.output, args.json) {
            (Some(directory), _) => Self::Files(Files::open(client.reactor(), directory).await?),
            (None, true) => Self::Json { buffer: Vec::new() },
            (None, false) => Self::Lines { format: args.format.clone(), buffer: Vec::new() },
        })
    }

    fn add(
        &mut self,
        fetched: &Fetched,
        record: &ringlane_batch::Record<'_>,
    ) -> Result<(), Failure> {
        let place = (&*fetched.topic, fetched.partition);
        match self {
            Self::Lines { format, buffer } => format.write(place, record, buffer),
            Self::Json { buffer } => format::write_json(place, record, buffer),
            Self::Files(files) => files.add(place, record)?,
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Lines { buffer, .. } | Self::Json { buffer } => {
                let printed = print(&*buffer);
                buffer.clear();
                printed
            }
            Self::Files(files) => files.flush().await,
        }
    }
}
