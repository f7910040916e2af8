//! The journal on the real ring and file system: aligned writes past the page cache, files recycled, everything found again.

use std::path::PathBuf;
use std::sync::mpsc;

use ringlane_reactor::{Queue, Reactor, ShardConfig, run_shards};
use ringlane_storage::journal::{Journal, JournalConfig, Reader, remove_journal};

use super::world::{CountedLog, ID};

const ENTRIES: u64 = 400;

async fn story(reactor: Reactor, data: PathBuf) -> std::io::Result<()> {
    let (disk, dir) = (reactor.disk(), data.join("journal"));
    let config = JournalConfig { file_bytes: 1 << 20, files: 2, group_bytes_max: 256 << 10 };
    let journal = Journal::open(&reactor, &dir, 0, config, ID, 1).await.expect("a new journal");
    let log = CountedLog::new(0, 0);
    let (writer, own) = (journal.clone(), log.clone());
    let adding = reactor.spawn(Queue::Client, async move {
        for n in 0..ENTRIES {
            let len = if n % 50 == 0 { 300_000 } else { 10_000 };
            own.add(&writer, &vec![n as u8; len]).await.expect("the disk takes it");
        }
    });
    // All but the last entries go: more than the files hold.
    let mut mark = journal.mark();
    while log.added.get() < ENTRIES {
        if journal.is_checkpoint_wanted() {
            mark = journal.mark();
            journal.trim(mark);
        }
        reactor.yield_now().await;
    }
    adding.await;
    journal.close().await;
    assert_eq!(log.durable.get(), ENTRIES);
    assert!(journal.stats().bytes > 3 * config.file_bytes, "{:?}", journal.stats());

    let from = journal.trimmed_to_after(mark);
    let reader = Reader::open(&disk, &dir, 0, Some(ID), from).await;
    let mut reader = reader.expect("a good disk");
    let mut last = None;
    while let Some(group) = reader.next().await.expect("a good disk") {
        assert!(group.damage.is_empty() && !group.torn, "{}", group.sequence);
        for entry in group.entries() {
            let sequence = entry.head.log_sequence;
            assert!(last.is_none_or(|last| last + 1 == sequence));
            assert!(entry.payload.iter().all(|byte| *byte == (sequence - 1) as u8));
            last = Some(sequence);
        }
    }
    assert_eq!(last, Some(ENTRIES));
    remove_journal(&disk, &dir, 0).await.expect("a good disk");
    disk.remove_dir_all(&data).await
}

#[test]
fn the_journal_on_the_real_file_system_is_found_again() {
    let data = std::env::temp_dir().join(format!("ringlane-journal-{}", std::process::id()));
    let (done, ended) = mpsc::channel();
    run_shards(&ShardConfig::single(), move |reactor| {
        let (data, done) = (data.clone(), done.clone());
        async move {
            let result = story(reactor, data).await;
            let _ = done.send(());
            result
        }
    })
    .expect("the shard runs");
    ended.recv().expect("the story was told to its end");
}
