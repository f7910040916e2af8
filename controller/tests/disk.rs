//! The controller and its directory: what it refuses to start on, and how, and what it does when the disk fails.

mod common {
    pub(crate) mod cluster;
    pub(crate) mod commands;
}

use std::path::Path;
use std::time::Duration;

use common::cluster::{DIR, cluster};
use common::commands::{create_topic, options, register};
use ringlane_batch::TopicId;
use ringlane_controller::{BrokerId, ClusterImage, Controller, ControllerError, image_on_disk};
use ringlane_reactor::sim::{CrashKind, DiskFaults, HostId, Options, Simulation};
use ringlane_reactor::{Queue, Reactor};

async fn start(reactor: Reactor) -> Result<Controller, ControllerError> {
    Controller::start(&reactor, Path::new(DIR), options()).await
}

/// A controller's directory with something in it.
fn used() -> (Simulation, HostId) {
    let (mut simulation, host) = cluster(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let controller = start(reactor).await.expect("starts");
        controller.submit(register(2)).await.expect("registers");
        for topic in 0..10 {
            let name = format!("topic-{topic}");
            let command = create_topic(&name, controller.new_topic_id(), 2);
            controller.submit(command).await.expect("creates");
        }
        controller.stop().await;
    });
    simulation.crash(host, CrashKind::Power);
    (simulation, host)
}

/// Why a start on the directory fails.
fn refusal(simulation: &mut Simulation, host: HostId) -> String {
    let result =
        simulation.block_on(host, |reactor| async move { start(reactor).await.map(|_| ()) });
    simulation.crash(host, CrashKind::Power);
    result.expect_err("does not start").to_string()
}

fn path(file: &str) -> String {
    format!("{DIR}/{file}")
}

#[test]
fn a_damaged_file_is_named_with_what_to_do() {
    for file in ["log", "vote", "snapshot"] {
        let (mut simulation, host) = used();
        simulation.corrupt(host, path(file), 20).expect("is there");
        let message = refusal(&mut simulation, host);
        let expected = format!("{DIR}/{file} is corrupt (");
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.ends_with("move it away to start an empty cluster"), "{message}");
    }
}

/// With and without a snapshot, and whatever a power cut tears of the log's last entry.
#[test]
fn who_looks_at_a_directory_sees_the_image_that_a_start_comes_to() {
    for (topics, seed) in [(0, 1), (3, 2), (40, 3), (2000, 4)] {
        let (mut simulation, host) = cluster(Options::seed(seed));
        simulation.block_on(host, async move |reactor| {
            let controller = start(reactor.clone()).await.expect("starts");
            controller.submit(register(2)).await.expect("registers");
            for topic in 0..topics {
                let command = create_topic(&format!("t-{topic}"), controller.new_topic_id(), 1);
                controller.submit(command).await.expect("creates");
            }
            let unfinished = create_topic("last", controller.new_topic_id(), 1);
            let submit = async move { controller.submit(unfinished).await };
            reactor.spawn(Queue::Controller, submit).detach();
            reactor.sleep(Duration::from_micros(100)).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, async move |reactor| {
            let seen = image_on_disk(&reactor.disk(), Path::new(DIR)).await.expect("it is whole");
            let seen = seen.expect("it is a controller's");
            let found = start(reactor).await.expect("starts").image();
            assert!(seen.topics().eq(found.topics()), "{topics} topics and perhaps one more");
            assert!(found.topics().len() >= topics);
        });
    }
}

#[test]
fn a_newer_version_and_another_broker_are_told_apart() {
    let (mut simulation, host) = used();
    let mut vote = simulation.read_file(host, path("vote")).expect("is there");
    vote[8] = 2;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&vote[..4]), &vote[8..]);
    vote[4..8].copy_from_slice(&checksum.to_le_bytes());
    simulation.write_file(host, path("vote"), &vote).expect("writes");
    let message = refusal(&mut simulation, host);
    let end = "was written by a newer version of Ringlane (format 2); start that version instead";
    assert_eq!(message, format!("{DIR}/vote {end}"));

    let (mut simulation, host) = used();
    let result = simulation.block_on(host, |reactor| async move {
        let options = ringlane_controller::Options::new(BrokerId(7));
        Controller::start(&reactor, Path::new(DIR), options).await.map(|_| ())
    });
    let expected = ControllerError::WrongBroker { path: DIR.into(), found: 1, expected: 7 };
    assert_eq!(result, Err(expected));
}

#[test]
fn a_log_that_was_taken_away_is_missed() {
    let (mut simulation, host) = used();
    simulation.remove_file(host, path("log")).expect("is there");
    let message = refusal(&mut simulation, host);
    assert!(message.starts_with(&format!("{DIR}/log is corrupt (it is empty")), "{message}");
}

/// Creates topics until the disk fails; how many were answered, and why it ended.
async fn until_failure(reactor: Reactor) -> (Vec<TopicId>, Option<ControllerError>) {
    let mut answered = Vec::new();
    let controller = match start(reactor).await {
        Ok(controller) => controller,
        Err(error) => return (answered, Some(error)),
    };
    if let Err(error) = controller.submit(register(2)).await {
        return (answered, Some(error));
    }
    for _ in 0..60 {
        let id = controller.new_topic_id();
        match controller.submit(create_topic(&format!("t{id}"), id, 1)).await {
            Ok(_) => answered.push(id),
            Err(error) => {
                let again = controller.submit(register(2)).await;
                assert!(matches!(again, Err(ControllerError::Stopped(_))), "it stays stopped");
                return (answered, Some(error));
            }
        }
    }
    (answered, None)
}

#[test]
fn a_failing_disk_stops_the_controller_and_costs_nothing_that_was_answered() {
    let mut failures = 0;
    for seed in 0..40 {
        let faults =
            DiskFaults { write_error_one_in: 80, sync_error_one_in: 80, ..DiskFaults::default() };
        let (mut simulation, host) = cluster(Options { disk: faults, ..Options::seed(seed) });
        let (answered, failure) = simulation.block_on(host, until_failure);
        failures += usize::from(failure.is_some());
        simulation.crash(host, CrashKind::Power);
        simulation.set_disk_faults(host, DiskFaults::default());
        let image = simulation.block_on(host, move |reactor| async move {
            let controller = start(reactor).await;
            controller.unwrap_or_else(|error| panic!("seed {seed}: {error}")).image()
        });
        let lost = |id: &&TopicId| ClusterImage::topic_by_id(&image, **id).is_none();
        assert_eq!(answered.iter().find(lost), None, "seed {seed}: answered, then lost");
    }
    assert!(failures > 10, "the disk did fail: {failures}");
}

#[test]
fn commands_submitted_together_share_a_sync() {
    let (mut simulation, host) = cluster(Options::seed(1));
    let controller = simulation.block_on(host, |reactor| async move {
        let options = ringlane_controller::Options::new(BrokerId(1));
        let controller =
            Controller::start(&reactor, Path::new(DIR), options).await.expect("starts");
        controller.submit(register(2)).await.expect("registers");
        controller
    });
    let before = simulation.disk_operations(host);
    simulation.block_on(host, |reactor| async move {
        let create = |at: u8| {
            let controller = controller.clone();
            let command = create_topic(&format!("t{at}"), TopicId([at; 16]), 1);
            let submit = async move { controller.submit(command).await };
            reactor.spawn(ringlane_reactor::Queue::Client, submit)
        };
        let tasks: Vec<_> = (0..100).map(create).collect();
        for task in tasks {
            task.await.expect("creates");
        }
        assert_eq!(controller.image().topics().len(), 100);
    });
    let operations = simulation.disk_operations(host) - before;
    assert!(operations < 20, "{operations} writes and syncs for 100 commands");
}

/// A full device stops nobody for good: commands wait for space, and a stop does not.
#[test]
fn commands_wait_for_space() {
    for is_stopped in [false, true] {
        let (mut simulation, host) = used();
        let controller = simulation
            .block_on(host, |reactor| async move { start(reactor).await.expect("starts") });
        simulation.set_disk_faults(host, DiskFaults { capacity_bytes: 0, ..DiskFaults::default() });
        let (controller, creating) = simulation.block_on(host, move |reactor| async move {
            let creator = controller.clone();
            let create = async move {
                // More than fits in what the log has allocated.
                for topic in 0..100 {
                    let name = format!("late-{topic}");
                    let command = create_topic(&name, creator.new_topic_id(), 2);
                    creator.submit(command).await.map_err(|error| error.to_string())?;
                }
                Ok::<_, String>(())
            };
            let mut creating = reactor.spawn(Queue::Controller, create);
            let waited = reactor.timeout(Duration::from_secs(60), &mut creating).await;
            assert!(waited.is_err(), "there is no space");
            (controller, creating)
        });
        if is_stopped {
            simulation.block_on(host, move |_| async move {
                controller.stop().await;
                creating.await.expect_err("is told that there is no space");
            });
            continue;
        }
        simulation.set_disk_faults(host, DiskFaults::default());
        simulation.block_on(host, move |_| async move {
            creating.await.expect("goes on when there is space");
            assert_eq!(controller.image().topics().count(), 110);
            controller.stop().await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let controller = start(reactor).await.expect("starts");
            assert_eq!(controller.image().topics().count(), 110);
        });
    }
}
