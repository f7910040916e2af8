//! The controller in the simulation: it starts at once, keeps what it answered through every crash, and replays exactly.

mod common {
    pub(crate) mod cluster;
    pub(crate) mod commands;
}

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use common::cluster::{DIR, cluster};
use common::commands::{create_topic, options, register};
use ringlane_controller::{ClusterImage, Command, Controller, ControllerError, Outcome, apply};
use ringlane_reactor::sim::{CrashKind, Options, Stopped};

/// Every test's seeds.
const SEEDS: std::ops::Range<u64> = 0..40;

#[test]
fn a_first_start_leads_within_fifty_milliseconds_and_names_the_cluster() {
    for seed in SEEDS {
        let (mut simulation, host) = cluster(Options::seed(seed));
        let before = simulation.now();
        let image = simulation.block_on(host, |reactor| async move {
            let controller = Controller::start(&reactor, Path::new(DIR), options()).await;
            controller.expect("starts").image()
        });
        assert!(simulation.now() - before < Duration::from_millis(50), "seed {seed}");
        assert_eq!(image.cluster_id().len(), 22, "seed {seed}");
    }
}

#[test]
fn a_restart_finds_everything_and_a_new_epoch() {
    let (mut simulation, host) = cluster(Options::seed(1));
    let before = simulation.block_on(host, |reactor| async move {
        let controller = Controller::start(&reactor, Path::new(DIR), options()).await?;
        controller.submit(register(2)).await?;
        for topic in 0..20 {
            let id = controller.new_topic_id();
            let bell = controller.changed();
            let outcome = controller.submit(create_topic(&format!("t{topic}"), id, 3)).await?;
            assert!(matches!(&outcome, Outcome::TopicsCreated(topics) if topics[0].is_ok()));
            assert!(controller.image().topic_by_id(id).is_some(), "the image shows it");
            bell.await;
        }
        let image = controller.image();
        controller.stop().await;
        Ok::<_, ControllerError>(image)
    });
    let before = before.expect("works");
    assert!(simulation.disk_bytes(host) < 64 << 10, "snapshots bound the log");
    let after = simulation.block_on(host, |reactor| async move {
        let controller = Controller::start(&reactor, Path::new(DIR), options()).await?;
        let recovered = controller.image();
        let outcome = controller.submit(register(2)).await?;
        Ok::<_, ControllerError>((recovered, outcome, controller.image()))
    });
    let (recovered, outcome, after) = after.expect("starts again");
    assert_eq!(recovered, before);
    assert_eq!(outcome, Outcome::BrokerRegistered { epoch: after.version() as i64 });
    let epochs = after.topics().flat_map(|topic| &topic.partitions).map(|p| p.leader_epoch.0);
    assert!(epochs.into_iter().all(|epoch| epoch == 1), "a restarted leader leads anew");
}

/// What a process was answered, for the oracle outside of it.
type History = Rc<RefCell<Vec<(u64, Command)>>>;

/// Starts the controller and creates topics until the host crashes or `count` are there.
async fn work(
    reactor: ringlane_reactor::Reactor,
    count: usize,
    answered: History,
) -> Result<(), ControllerError> {
    let controller = Controller::start(&reactor, Path::new(DIR), options()).await?;
    controller.submit(register(4)).await?;
    for _ in 0..count {
        let id = controller.new_topic_id();
        let command = create_topic(&format!("t{id}"), id, 1 + (reactor.random_u64() % 4) as i32);
        let outcome = controller.submit(command.clone()).await?;
        assert!(matches!(&outcome, Outcome::TopicsCreated(topics) if topics[0].is_ok()));
        answered.borrow_mut().push((controller.image().version(), command));
    }
    controller.stop().await;
    Ok(())
}

/// One life of a cluster: crashes at every disk operation that chance picks, restarts, and then the oracle.
fn crash_and_restart(seed: u64) -> (u64, Vec<String>) {
    let (mut simulation, host) = cluster(Options::seed(seed));
    let answered = History::default();
    for life in 0..8 {
        let kind =
            if (seed + life).is_multiple_of(3) { CrashKind::Process } else { CrashKind::Power };
        simulation.crash_at(host, (seed * 7 + life * 13) % 60, kind);
        let answered = answered.clone();
        let result = simulation.try_block_on(host, |reactor| work(reactor, 20, answered));
        match result {
            Ok(result) => result.expect("a disk without faults serves"),
            Err(Stopped::Crashed) => {}
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
        simulation.crash(host, kind);
    }
    let image = simulation.block_on(host, move |reactor| async move {
        let controller = Controller::start(&reactor, Path::new(DIR), options()).await;
        controller.unwrap_or_else(|error| panic!("seed {seed}: {error}")).image()
    });
    for (version, command) in answered.borrow().iter() {
        let Command::CreateTopics(topics) = command else { unreachable!("only topics") };
        let topic = image.topic(&topics[0].name);
        let topic = topic.unwrap_or_else(|| panic!("seed {seed}: answered at {version}, lost"));
        assert_eq!(topic.id, topics[0].id);
        assert_eq!(topic.partitions.len() as i32, topics[0].partition_count);
    }
    let topics = image.topics().map(|topic| format!("{topic:?}")).collect();
    (simulation.trace_hash(), topics)
}

#[test]
fn what_was_answered_survives_crashes_and_power_cuts() {
    let mut kept = 0;
    for seed in SEEDS {
        kept += crash_and_restart(seed).1.len();
    }
    assert!(kept > 200, "the stories are about something: {kept}");
}

/// Starts the controller and looks at its image.
async fn look(reactor: ringlane_reactor::Reactor) -> Arc<ClusterImage> {
    Controller::start(&reactor, Path::new(DIR), options()).await.expect("starts").image()
}

#[test]
fn what_a_restart_showed_survives_a_power_cut() {
    for seed in 0..6 {
        for operation in 0..40 {
            let (mut simulation, host) = cluster(Options::seed(seed));
            simulation.crash_at(host, operation, CrashKind::Process);
            let crashed =
                simulation.try_block_on(host, |reactor| work(reactor, 40, History::default()));
            assert_eq!(crashed, Err(Stopped::Crashed));
            let shown = simulation.block_on(host, look);
            simulation.crash(host, CrashKind::Power);
            assert_eq!(
                simulation.block_on(host, look),
                shown,
                "seed {seed}, operation {operation}"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [3, 17] {
        assert_eq!(crash_and_restart(seed), crash_and_restart(seed), "seed {seed}");
    }
    assert_ne!(crash_and_restart(3).0, crash_and_restart(17).0);
}

#[test]
fn the_image_is_the_replay_of_the_answered_commands() {
    let (mut simulation, host) = cluster(Options::seed(5));
    let answered = History::default();
    let own = answered.clone();
    let image = simulation.block_on(host, |reactor| async move {
        work(reactor.clone(), 30, own).await.expect("works");
        Controller::start(&reactor, Path::new(DIR), options()).await.expect("starts").image()
    });
    let mut replayed = ClusterImage::default();
    let first = answered.borrow()[0].0;
    let cluster_id = image.cluster_id().to_owned();
    replayed = apply(replayed, first - 2, &Command::SetClusterId { cluster_id }).0;
    replayed = apply(replayed, first - 1, &register(4)).0;
    for (version, command) in answered.borrow().iter() {
        replayed = apply(replayed, *version, command).0;
    }
    assert_eq!(*image, replayed);
}
