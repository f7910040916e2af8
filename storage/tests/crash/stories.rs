//! Crashes that a seed found once, or that none would.

use std::path::Path;

use ringlane_reactor::OpenOptions;
use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_storage::LogConfig;

use crate::common::*;

/// A torn tail at the recovery point, cut by recovery; the next batch rolls, so that nothing is written over it.
#[test]
fn a_tail_that_was_cut_does_not_come_back_behind_what_is_durable() {
    for seed in seeds(30) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, small()).await;
            append(&log, batch(1)).await;
            log.close().await.expect("a good disk");
            let path = dir().join("00000000000000000000.log");
            let file = reactor.disk().open(&path, OpenOptions::WRITE).await.expect("it is there");
            file.write_at(&[1; 600], file.len().expect("a good disk")).expect("a good disk");
            file.sync_data().await.expect("a good disk");
            reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
            let log = open(&reactor, LogConfig { segment_bytes: 200, ..small() }).await;
            append(&log, batch(2)).await;
            assert_eq!(log.segment_count(), 2);
            durable(&log).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let log = open(&reactor, small()).await;
            assert_eq!(log.log_end().0, 2);
            assert_eq!(read_all(&log).await.len(), 2 * batch(1).len());
        });
    }
}
