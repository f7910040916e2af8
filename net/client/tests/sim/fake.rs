//! A broker just large enough for a client: one topic in memory, sequences checked as Kafka does, and failures by chance at
//! every point where a real one can fail.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ringlane_batch::{BatchView, LeaderEpoch, Offset, stamp};
use ringlane_client::ClientConfig;
use ringlane_reactor::sim::{HostId, Options, Simulation};
use ringlane_reactor::{AddressReservation, Queue, Reactor, Stream};
use ringlane_wire::frame::encode_response;
use ringlane_wire::header::decode_request_header;
use ringlane_wire::messages::api_versions::ApiVersion;
use ringlane_wire::messages::fetch::{FetchableTopicResponse, PartitionData};
use ringlane_wire::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ringlane_wire::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ringlane_wire::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use ringlane_wire::messages::*;
use ringlane_wire::{ApiKey, Decode, ErrorCode, FrameAssembler, Message, Reader, Records, Uuid};

pub(crate) const TOPIC: &str = "t";
pub(crate) const PARTITIONS: usize = 3;
const TOPIC_ID: Uuid = Uuid([7; 16]);
const BROKER: &str = "10.0.0.1:9092";

/// What a fake broker has stored, and how it fails: each rate is once in so many, 0 for never.
#[derive(Default)]
pub(crate) struct Fake {
    /// Batches of each partition, stamped.
    pub(crate) logs: [Vec<Bytes>; PARTITIONS],
    pub(crate) sequences: BTreeMap<(i64, usize), i32>,
    pub(crate) next_producer_id: i64,
    /// A connection ends when a request came, before or after it was carried out.
    pub(crate) hangs_up_one_in: u64,
    /// A partition's request is refused with an error that passes.
    pub(crate) refuses_one_in: u64,
    /// Every produce to this partition is refused for good.
    pub(crate) rejects_partition: Option<usize>,
    /// Requests are read and never answered.
    pub(crate) is_silent: bool,
    /// Answers are no frames.
    pub(crate) talks_nonsense: bool,
    /// ApiVersions is known in version 0 only.
    pub(crate) is_old: bool,
    pub(crate) request_count: u64,
}

pub(crate) type Shared = Rc<RefCell<Fake>>;

/// A simulated world with a running fake broker; the client's host and its settings.
pub(crate) fn world(seed: u64, fake: &Shared) -> (Simulation, HostId, HostId, ClientConfig) {
    let mut simulation = Simulation::new(Options::seed(seed));
    let broker = simulation.host("broker", Ipv4Addr::new(10, 0, 0, 1).into(), 1);
    let client = simulation.host("client", Ipv4Addr::new(10, 0, 0, 2).into(), 1);
    start(&mut simulation, broker, fake);
    let mut config = ClientConfig::new([BROKER]);
    config.bootstrap_timeout = Duration::from_secs(10);
    (simulation, broker, client, config)
}

pub(crate) fn start(simulation: &mut Simulation, host: HostId, fake: &Shared) {
    let fake = fake.clone();
    simulation.start(host, move |reactor| listen(reactor, fake.clone()));
}

async fn listen(reactor: Reactor, fake: Shared) -> io::Result<()> {
    let address: SocketAddr = BROKER.parse().expect("an address");
    let listener = reactor.listen(&AddressReservation::simulated(address), 16)?;
    loop {
        let stream = listener.accept().await?;
        let connection = serve(reactor.clone(), fake.clone(), stream);
        reactor.spawn(Queue::Client, async move { drop(connection.await) }).detach();
    }
}

/// Answers the requests of one connection in order, until it hangs up.
async fn serve(reactor: Reactor, fake: Shared, stream: Stream) -> io::Result<()> {
    let mut frames = Vec::new();
    let mut assembler = FrameAssembler::new(1 << 20);
    loop {
        let chunk = stream.read().await?;
        if chunk.is_empty() {
            return Ok(());
        }
        assembler.push(&chunk, &mut |frame| frames.push(frame)).map_err(io::Error::other)?;
        for frame in frames.drain(..) {
            let chance = |one_in: u64| one_in > 0 && reactor.random_u64().is_multiple_of(one_in);
            let hangs_up = chance(fake.borrow().hangs_up_one_in);
            if hangs_up && reactor.random_u64().is_multiple_of(2) {
                stream.shutdown();
                return Ok(());
            }
            let answer = fake.borrow_mut().answer(&frame, &chance);
            if hangs_up {
                stream.shutdown();
                return Ok(());
            }
            let (is_silent, talks_nonsense) = {
                let fake = fake.borrow();
                (fake.is_silent, fake.talks_nonsense)
            };
            match answer {
                _ if is_silent => {}
                _ if talks_nonsense => {
                    stream.write_all(vec![Bytes::from_static(b"HTTP/1.1 400\r\n")]).await?
                }
                Answer::Now(parts) => stream.write_all(parts).await?,
                // A fetch that found nothing waits a little, as a broker does.
                Answer::Late(parts) => {
                    reactor.sleep(Duration::from_millis(20)).await;
                    stream.write_all(parts).await?;
                }
            }
        }
    }
}

enum Answer {
    Now(Vec<Bytes>),
    Late(Vec<Bytes>),
}

type Chance<'a> = &'a dyn Fn(u64) -> bool;

impl Fake {
    fn answer(&mut self, frame: &Bytes, chance: Chance<'_>) -> Answer {
        self.request_count += 1;
        let (header, mut body) = decode_request_header(frame).expect("the client's header");
        let (version, id) = (header.api_version, header.correlation_id);
        let api_key = ApiKey::from_code(header.api_key).expect("an API that is served");
        fn read<'a, M: Decode<'a>>(body: &mut Reader<'a>, version: i16) -> M {
            M::decode_to_end(body, version).expect("the client's request")
        }
        fn now(version: i16, id: i32, response: &impl Message) -> Answer {
            Answer::Now(encode_response(version, id, response).expect("a response"))
        }
        match api_key {
            ApiKey::ApiVersions if self.is_old && version > 0 => {
                let error_code = ErrorCode::UNSUPPORTED_VERSION;
                now(0, id, &ApiVersionsResponse { error_code, ..self.api_versions() })
            }
            ApiKey::ApiVersions => now(version, id, &self.api_versions()),
            ApiKey::Metadata => now(version, id, &metadata()),
            ApiKey::InitProducerId => {
                self.next_producer_id += 1;
                let producer_id = self.next_producer_id;
                now(version, id, &InitProducerIdResponse { producer_id, ..Default::default() })
            }
            ApiKey::Produce => {
                let response = self.produce(&read(&mut body, version), chance);
                now(version, id, &response)
            }
            ApiKey::ListOffsets => now(version, id, &self.list_offsets(&read(&mut body, version))),
            ApiKey::Fetch => {
                let response = self.fetch(&read(&mut body, version), chance);
                let found = response.responses[0].partitions.iter();
                let found = found.flat_map(|partition| &partition.records).any(|r| !r.is_empty());
                match now(version, id, &response) {
                    Answer::Now(parts) if !found => Answer::Late(parts),
                    answer => answer,
                }
            }
            other => panic!("the fake broker does not serve {other:?}"),
        }
    }

    fn api_versions(&self) -> ApiVersionsResponse<'static> {
        let api = |&api_key: &ApiKey| {
            let versions = api_key.versions();
            let is_old = self.is_old && api_key == ApiKey::ApiVersions;
            let max_version = if is_old { 0 } else { *versions.end() };
            ApiVersion { api_key: api_key.code(), min_version: *versions.start(), max_version }
        };
        let api_keys = ApiKey::ALL.iter().map(api).collect();
        ApiVersionsResponse { api_keys, ..Default::default() }
    }

    fn produce(
        &mut self,
        request: &ProduceRequest<'_>,
        chance: Chance<'_>,
    ) -> ProduceResponse<'static> {
        let mut partition_responses = Vec::new();
        for data in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            let Some(Records::Borrowed(records)) = data.records else { panic!("no records") };
            let partition = data.index as usize;
            let outcome = match self.rejects_partition == Some(partition) {
                true => Err(ErrorCode::INVALID_RECORD),
                false if chance(self.refuses_one_in) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
                false => self.append(partition, records),
            };
            // Carried out, and yet an error: the client must find out by trying again.
            let outcome = match chance(self.refuses_one_in) {
                true => outcome.and(Err(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND)),
                false => outcome,
            };
            let mut response = PartitionProduceResponse { index: data.index, ..Default::default() };
            match outcome {
                Ok(offset) => response.base_offset = offset,
                Err(code) => response.error_code = code,
            }
            partition_responses.push(response);
        }
        let responses =
            vec![TopicProduceResponse { name: TOPIC, topic_id: TOPIC_ID, partition_responses }];
        ProduceResponse { responses, ..Default::default() }
    }

    fn append(&mut self, partition: usize, records: &[u8]) -> Result<i64, ErrorCode> {
        let batch = BatchView::parse(records).expect("the client's batch");
        assert!(batch.crc_is_valid() && batch.len() == records.len(), "one whole batch");
        let producer = batch.producer_id().0;
        if producer >= 0 {
            let next = self.sequences.entry((producer, partition)).or_insert(0);
            let first = batch.base_sequence().0;
            if first + batch.record_count() <= *next {
                let stored = |stored: &&Bytes| {
                    let stored = BatchView::parse(stored).expect("stored");
                    (stored.producer_id().0, stored.base_sequence().0) == (producer, first)
                };
                let stored = self.logs[partition].iter().find(stored).expect("it was stored");
                return Ok(BatchView::parse(stored).expect("stored").base_offset().0);
            }
            if first != *next {
                return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
            }
            *next += batch.record_count();
        }
        let base_offset = self.end(partition);
        let mut bytes = records.to_vec();
        stamp(&mut bytes, Offset(base_offset), LeaderEpoch(0));
        self.logs[partition].push(bytes.into());
        Ok(base_offset)
    }

    fn end(&self, partition: usize) -> i64 {
        let last = self.logs[partition].last();
        last.map_or(0, |last| BatchView::parse(last).expect("stored").last_offset().0 + 1)
    }

    fn fetch(&self, request: &FetchRequest<'_>, chance: Chance<'_>) -> FetchResponse<'static> {
        let mut partitions = Vec::new();
        for asked in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let log = &self.logs[asked.partition as usize];
            let is_before_end = |batch: &&Bytes| {
                BatchView::parse(batch).expect("stored").last_offset().0 >= asked.fetch_offset
            };
            let mut data = PartitionData {
                partition_index: asked.partition,
                high_watermark: self.end(asked.partition as usize),
                ..Default::default()
            };
            if chance(self.refuses_one_in) {
                data.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
            } else if asked.fetch_offset > data.high_watermark {
                data.error_code = ErrorCode::OFFSET_OUT_OF_RANGE;
            } else {
                // Two batches, and then one that is cut off.
                let mut found: Vec<Bytes> =
                    log.iter().filter(is_before_end).take(3).cloned().collect();
                if found.len() == 3 {
                    found[2].truncate(30);
                }
                data.records = Some(Bytes::from(found.concat()).into());
            }
            partitions.push(data);
        }
        let responses =
            vec![FetchableTopicResponse { topic: TOPIC, topic_id: TOPIC_ID, partitions }];
        FetchResponse { responses, ..Default::default() }
    }

    fn list_offsets(&self, request: &ListOffsetsRequest<'_>) -> ListOffsetsResponse<'static> {
        let answer = |asked: &list_offsets::ListOffsetsPartition| ListOffsetsPartitionResponse {
            partition_index: asked.partition_index,
            offset: if asked.timestamp == -2 {
                0
            } else {
                self.end(asked.partition_index as usize)
            },
            ..Default::default()
        };
        let partitions = request.topics[0].partitions.iter().map(answer).collect();
        let topics = vec![ListOffsetsTopicResponse { name: TOPIC, partitions }];
        ListOffsetsResponse { topics, ..Default::default() }
    }
}

fn metadata() -> MetadataResponse<'static> {
    let partition = |index| MetadataResponsePartition {
        partition_index: index,
        leader_id: 1,
        leader_epoch: 0,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some(TOPIC),
        topic_id: TOPIC_ID,
        partitions: (0..PARTITIONS as i32).map(partition).collect(),
        ..Default::default()
    };
    let broker =
        MetadataResponseBroker { node_id: 1, host: "10.0.0.1", port: 9092, ..Default::default() };
    MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() }
}
