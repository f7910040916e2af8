//! Durable records a second (of 1 KiB, or `--record-kib`) on the real reactor and disk: the shard's journal, beside an
//! `fdatasync` of the log for each record, beside those in groups, beside the bare device given writes of the journal's
//! sizes, alone and with each byte written once more. One after the other, as often as `--runs` says: `cargo bench -p ringlane-storage --bench journal -- --dir DIR`.
//! Some minutes; needs 6 GiB of space.

mod args;
mod cpu;
mod device;
mod load;
mod report;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use args::Args;
use load::Side;
use report::Row;
use ringlane_reactor::{Reactor, ShardConfig, preflight, run_shards};

fn main() {
    // cargo test runs benches too, to see that they compile.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let args = match Args::parse(&arguments) {
        Ok(args) => args,
        Err(reason) => {
            eprintln!("{reason}\n{}", args::USAGE);
            std::process::exit(2);
        }
    };
    // Raises the limits of open files and locked memory to what is allowed, as the broker does.
    for finding in preflight(1) {
        eprintln!("{}", finding.sentence);
    }
    if !args.json {
        println!("in {}", args.dir.display());
    }
    for shape in args.shapes.clone() {
        let rows: Vec<Row> = (0..args.runs).map(|_| run(&args, shape)).collect();
        report::print(&rows, args.json);
    }
}

/// One run of all sides.
fn run(args: &Args, shape: args::Shape) -> Row {
    let dir = args.dir.join(format!("ringlane-journal-bench-{}", std::process::id()));
    let side = |side| {
        let (args, dir) = (args.clone(), dir.clone());
        on_a_shard(move |reactor| load::run(reactor, args.clone(), dir.clone(), shape, side))
    };
    let fdatasync = side(Side::Fdatasync);
    let grouped = side(Side::Grouped);
    let journal = side(Side::Journal);
    let group_bytes = journal.group_bytes().max(1) as usize;
    let bare = |twice| {
        let (args, dir) = (args.clone(), dir.clone());
        on_a_shard(move |reactor| {
            device::run(reactor, args.clone(), dir.clone(), group_bytes, twice)
        })
    };
    Row { shape, fdatasync, grouped, journal, device: bare(false), device_twice: bare(true) }
}

/// Runs `work` on a shard of its own and gives its result.
fn on_a_shard<T, F>(work: impl Fn(Reactor) -> F + Clone + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + 'static,
{
    let (done, result) = mpsc::channel();
    run_shards(&ShardConfig::single(), move |reactor| {
        let (work, done) = (work.clone(), done.clone());
        async move {
            let _ = done.send(work(reactor).await?);
            Ok(())
        }
    })
    .expect("the disk does its work");
    result.recv().expect("the work came to its end")
}

/// Removes what a run left, and begins anew.
async fn fresh(reactor: &Reactor, dir: &Path) -> io::Result<()> {
    remove(reactor, dir).await?;
    reactor.disk().create_dir_all(dir).await
}

/// Removes what a run left. The last round of checkpoints may still be at it.
async fn remove(reactor: &Reactor, dir: &Path) -> io::Result<()> {
    for _ in 0..100 {
        match reactor.disk().remove_dir_all(dir).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                reactor.sleep(Duration::from_millis(50)).await;
            }
            removed => return removed,
        }
    }
    Err(io::ErrorKind::DirectoryNotEmpty.into())
}
