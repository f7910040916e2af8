//! `ringlane produce`: lines of standard input or whole files become records.

mod files;
mod lines;

use std::cell::Cell;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ringlane_batch::{Codec, Header};
use ringlane_client::{Acks, Client, Either, Producer, ProducerConfig, ProducerRecord, race};

use super::connect::Connect;
use super::failure::Failure;
use super::progress::Progress;
use super::topic::key_value;

/// Write records to a topic: each line of standard input, or each file whole.
#[derive(Args, Clone)]
#[command(after_help = "Examples:
  echo hello | ringlane produce greetings
  ringlane produce orders --key-separator : < orders.txt     each line is KEY:VALUE
  ringlane produce logs --compression zstd < access.log
  ringlane produce files --file report.pdf picture.png --key-is-path
  ringlane produce tree --file src/ --key-is-path            every file below src/
  ringlane produce orders --header source=import --acks 1 < orders.txt")]
pub(crate) struct Produce {
    /// The topic to write to.
    topic: String,
    /// Files to write instead of standard input, each one record; of a directory every file below it.
    #[arg(long = "file", short, value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,
    /// Give each file's record its path as key: `ringlane consume --output` makes files of them again.
    #[arg(long, requires = "files")]
    key_is_path: bool,
    /// What separates the key from the value in a line; without it records have no key.
    #[arg(long, short = 'K', value_name = "TEXT", conflicts_with = "files")]
    key_separator: Option<String>,
    /// A header of each record. May be given more than once.
    #[arg(long = "header", short = 'H', value_name = "KEY=VALUE", value_parser = key_value)]
    headers: Vec<(String, String)>,
    /// The partition to write to; by key, or spread, if not said.
    #[arg(long, short)]
    partition: Option<i32>,
    /// When a record counts as written: `0` when it is sent, `1` when the leader has it, `all` when all in-sync replicas do.
    #[arg(long, value_name = "ACKS", default_value = "all")]
    acks: AcksArg,
    /// How batches are compressed.
    #[arg(long, short = 'z', value_name = "CODEC", default_value = "none")]
    compression: CodecArg,
    /// Nothing on standard error but errors.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Clone, Copy, ValueEnum)]
enum AcksArg {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    #[value(name = "all", alias = "-1")]
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum CodecArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Self {
        match acks {
            AcksArg::None => Self::None,
            AcksArg::Leader => Self::Leader,
            AcksArg::All => Self::All,
        }
    }
}

impl From<CodecArg> for Codec {
    fn from(codec: CodecArg) -> Self {
        match codec {
            CodecArg::None => Self::None,
            CodecArg::Gzip => Self::Gzip,
            CodecArg::Snappy => Self::Snappy,
            CodecArg::Lz4 => Self::Lz4,
            CodecArg::Zstd => Self::Zstd,
        }
    }
}

/// Where a source of records puts them.
struct Sink<'a> {
    args: &'a Produce,
    producer: Producer,
    headers: Vec<Header<'a>>,
    progress: Progress,
    interrupted: Cell<bool>,
}

impl Sink<'_> {
    async fn put(&self, key: Option<&[u8]>, value: &[u8]) -> Result<(), Failure> {
        let record =
            ProducerRecord { key, value: Some(value), headers: &self.headers, timestamp: None };
        // Its end is told by the flush; what goes wrong before then ends the command early.
        drop(self.producer.send(&self.args.topic, self.args.partition, &record).await?);
        self.progress.add(key.map_or(0, <[u8]>::len) + value.len());
        self.producer.failed().map_or(Ok(()), |error| Err(error.into()))
    }
}

impl Produce {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let connect = self.connect.clone();
        // A topic is made by writing to it, where the broker allows that (auto.create.topics.enable).
        connect.run_with(
            |config| config.allow_auto_topic_creation = true,
            move |client| produce(client, self.clone()),
        )
    }

    fn producer_config(&self) -> ProducerConfig {
        ProducerConfig {
            acks: self.acks.into(),
            codec: self.compression.into(),
            batch_bytes: 256 << 10,
            delivery_timeout: self.connect.timeout(),
            ..Default::default()
        }
    }
}

async fn produce(client: Client, args: Produce) -> Result<(), Failure> {
    let reactor = client.reactor().clone();
    let headers = args.headers.iter();
    let headers = headers.map(|(k, v)| Header { key: k.as_bytes(), value: Some(v.as_bytes()) });
    let sink = Sink {
        args: &args,
        producer: Producer::new(&client, args.producer_config()),
        headers: headers.collect(),
        progress: Progress::new(&reactor, "produced"),
        interrupted: Cell::new(false),
    };
    let source = async {
        if args.files.is_empty() {
            let separator = args.key_separator.as_deref();
            lines::produce(&reactor, &sink, separator.map(str::as_bytes)).await
        } else {
            files::produce(&reactor, &sink, &args.files, args.key_is_path).await
        }
    };
    let outcome = match race(source, reactor.terminated()).await {
        Either::Left(outcome) => outcome,
        Either::Right(()) => {
            sink.interrupted.set(true);
            Ok(())
        }
    };
    // What was taken before something went wrong is still written.
    let flushed = sink.producer.flush().await.map_err(Failure::from);
    outcome.and(flushed)?;
    if !args.quiet {
        let verb = if sink.interrupted.get() { "interrupted: produced" } else { "produced" };
        sink.progress.end(verb, &format!("to {}", args.topic));
    }
    Ok(())
}
