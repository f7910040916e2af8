//! The real binary on real file systems: small images of ext4 and XFS, mounted for the test, that become full or
//! read-only while durable records are produced. Where images cannot be mounted (not root, no mkfs) a test says so and passes.
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes and mounts images, outside any reactor"
)]

#[expect(dead_code, reason = "the librdkafka tests use the rest of it")]
#[path = "../librdkafka/broker.rs"]
mod broker;
#[expect(dead_code, reason = "the librdkafka tests use the rest of it")]
#[path = "../librdkafka/clients.rs"]
mod clients;
mod full;
mod image;
mod read_only;
mod records;

use std::process::Command;

use broker::{Launch, set, wait_until};
use image::Image;

/// A broker whose data directory lies in the image.
struct Running {
    launch: Launch,
    address: String,
}

/// Starts a broker with its data in the image, and these settings besides; it may not come to be ready.
fn launch(image: &Image, settings: &[&str]) -> Launch {
    let data = format!("log.dirs={}", image.data().display());
    let fixed = [
        &data,
        "listeners=PLAINTEXT://127.0.0.1:0",
        "ringlane.shards=2",
        "log.segment.bytes=1000000",
    ];
    Launch::new(image.directory(), &[set(&fixed), set(settings)].concat())
}

/// Starts a broker with small journals, and waits until it is ready.
fn start(image: &Image) -> Running {
    start_with(image, &[])
}

/// The same with these settings besides.
fn start_with(image: &Image, settings: &[&str]) -> Running {
    let mut launch = launch(image, &[&JOURNAL, settings].concat());
    let address = wait_until("the broker is ready", || launch.address());
    Running { launch, address }
}

const JOURNAL: [&str; 2] = ["ringlane.journal.file.bytes=1000000", "ringlane.journal.files=2"];

impl Running {
    /// Asks it to end, and waits until it has.
    fn end(&mut self) {
        self.check();
        let id = self.launch.process_id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        wait_until("it ends", || self.launch.status());
    }

    /// Fails the test if the broker has ended or one of its tasks has panicked.
    fn check(&mut self) {
        self.launch.address();
        let log = self.launch.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}
