//! Connections: versions are agreed, answers find their requests, and what is no broker is told from one that is slow.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{Client, ClientConfig, Connection, Error};
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::CrashKind;
use ringlane_wire::ApiKey;
use ringlane_wire::messages::{ListOffsetsRequest, MetadataRequest};

use crate::fake::{Fake, Shared, TOPIC, world};

async fn open(reactor: Reactor, config: ClientConfig) -> Result<Connection, Error> {
    Connection::open(&reactor, "10.0.0.1:9092", &config).await
}

#[test]
fn an_old_broker_is_asked_in_its_own_version() {
    let fake = Rc::new(RefCell::new(Fake { is_old: true, ..Default::default() }));
    let (mut simulation, _, host, config) = world(1, &fake);
    let opened = simulation.block_on(host, move |reactor| open(reactor, config));
    let connection = opened.expect("a connection");
    assert_eq!(connection.version(ApiKey::ApiVersions), Ok(0));
    assert_eq!(connection.version(ApiKey::Metadata), Ok(*ApiKey::Metadata.versions().end()));
    assert_eq!(fake.borrow().request_count, 2);
}

#[test]
fn requests_before_the_first_answer_get_their_own() {
    let fake = Shared::default();
    let (mut simulation, _, host, config) = world(2, &fake);
    simulation.block_on(host, move |reactor| async move {
        let connection = open(reactor, config).await.expect("a connection");
        let metadata = || connection.start(&MetadataRequest::default()).expect("queued");
        let topics = ringlane_wire::messages::list_offsets::ListOffsetsTopic {
            name: TOPIC,
            partitions: Vec::new(),
        };
        let offsets = ListOffsetsRequest { topics: vec![topics], ..Default::default() };
        let (first, second, third) =
            (metadata(), connection.start(&offsets).expect("queued"), metadata());
        // Awaited out of order.
        let (third, first, second) = (third.await, first.await, second.await);
        third.expect("an answer").decode::<MetadataRequest<'_>>().expect("metadata");
        first.expect("an answer").decode::<MetadataRequest<'_>>().expect("metadata");
        second.expect("an answer").decode::<ListOffsetsRequest<'_>>().expect("offsets");
    });
}

#[test]
fn a_silent_broker_times_out_everything_behind_it() {
    let fake = Shared::default();
    let (mut simulation, _, host, mut config) = world(3, &fake);
    config.request_timeout = Duration::from_secs(4);
    let own = fake.clone();
    let (took, errors, connection) = simulation.block_on(host, move |reactor| async move {
        let connection = open(reactor.clone(), config).await.expect("a connection");
        own.borrow_mut().is_silent = true;
        let began = reactor.now();
        let first = connection.start(&MetadataRequest::default()).expect("queued");
        reactor.sleep(Duration::from_secs(3)).await;
        let second = connection.start(&MetadataRequest::default()).expect("queued");
        let errors = [first.await.expect_err("late"), second.await.expect_err("late")];
        (reactor.now() - began, errors, connection)
    });
    assert_eq!(took, Duration::from_secs(4), "the first request's time counts");
    assert!(connection.is_closed());
    for error in errors {
        assert!(matches!(error, Error::TimedOut { api_key: ApiKey::Metadata, .. }), "{error}");
    }
}

#[test]
fn what_does_not_speak_kafka_is_named() {
    let fake = Rc::new(RefCell::new(Fake { talks_nonsense: true, ..Default::default() }));
    let (mut simulation, _, host, config) = world(4, &fake);
    let opened = simulation.block_on(host, move |reactor| open(reactor, config));
    let error = opened.err().expect("not a broker");
    assert!(matches!(&error, Error::Protocol { .. }), "{error}");
    assert!(error.to_string().starts_with("10.0.0.1:9092 does not speak"), "{error}");
}

#[test]
fn without_a_broker_the_address_is_named_at_once() {
    let fake = Shared::default();
    let (mut simulation, broker, host, mut config) = world(5, &fake);
    config.bootstrap_timeout = Duration::ZERO;
    simulation.crash(broker, CrashKind::Process);
    let connected = simulation
        .block_on(host, move |reactor| async move { Client::connect(&reactor, config).await });
    let error = connected.err().expect("nobody listens");
    assert!(matches!(&error, Error::Connect { address, .. } if &**address == "10.0.0.1:9092"));
    assert!(simulation.now().as_nanos() < 1_000_000_000, "{:?}", simulation.now());
}
