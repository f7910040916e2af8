//! The controller on the real reactor and a real directory: it starts at once, and finds what an earlier process left.

mod common {
    pub(crate) mod commands;
}

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use common::commands::{create_topic, options, register};
use ringlane_controller::Controller;
use ringlane_reactor::{Reactor, ShardConfig, run_shards};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("controller-on-the-real-reactor")
}

/// Runs `main` on one shard of a reactor of its own.
fn run<F: Future<Output = io::Result<()>> + 'static>(
    main: impl Fn(Reactor) -> F + Send + Clone + 'static,
) {
    run_shards(&ShardConfig::single(), main).expect("runs");
}

/// Starts, and says how long it took.
async fn start(reactor: &Reactor) -> io::Result<(Controller, Duration)> {
    let before = reactor.now();
    let controller = Controller::start(reactor, &directory(), options()).await;
    Ok((controller.map_err(io::Error::other)?, reactor.now() - before))
}

#[test]
fn what_one_process_decided_the_next_one_finds() {
    run(|reactor| async move {
        match reactor.disk().remove_dir_all(&directory()).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (controller, took) = start(&reactor).await?;
        println!("first start: {took:?}");
        assert!(took < Duration::from_secs(5), "no election timeout is waited for");
        controller.submit(register(2)).await.map_err(io::Error::other)?;
        for topic in 0..20 {
            let command = create_topic(&format!("t{topic}"), controller.new_topic_id(), 3);
            controller.submit(command).await.map_err(io::Error::other)?;
        }
        controller.stop().await;
        Ok(())
    });
    run(|reactor| async move {
        let (controller, took) = start(&reactor).await?;
        println!("restart: {took:?}");
        assert_eq!(controller.image().topics().len(), 20);
        controller.stop().await;
        reactor.disk().remove_dir_all(&directory()).await
    });
}
