//! A broker of known behaviour: it stores what it is sent in memory, answers a produce after a delay from a known
//! distribution, and tampers with records on request.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ringlane_batch::{BatchBuilder, BatchFields, BatchView, Codec, LeaderEpoch, Offset, stamp};
use ringlane_reactor::{AddressReservation, Instant, Notify, Queue, Reactor, Stream};
use ringlane_wire::frame::encode_response;
use ringlane_wire::header::decode_request_header;
use ringlane_wire::messages::api_versions::{ApiVersion, FinalizedFeatureKey};
use ringlane_wire::messages::create_topics::CreatableTopicResult;
use ringlane_wire::messages::delete_topics::DeletableTopicResult;
use ringlane_wire::messages::describe_configs::DescribeConfigsResult;
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

use crate::coordinator::Coordinator;
use crate::group::Groups;

pub(crate) const ADDRESS: &str = "10.0.0.1:9092";

/// What is done to the record with this sequence of arrival, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tamper {
    /// Acknowledged, and not stored.
    Lose(usize),
    /// Stored twice.
    Duplicate(usize),
    /// Stored after the one behind it.
    Swap(usize),
    /// A byte of its value is another; the batch's own checksum fits it.
    Corrupt(usize),
}

/// A broker.
#[derive(Default)]
pub(crate) struct Fake {
    /// The delays of produce requests, in turn.
    pub(crate) delays: Vec<Duration>,
    pub(crate) tamper: Option<Tamper>,
    /// It stops answering once so many produce requests came, for this long.
    pub(crate) stall: Option<(usize, Duration)>,
    /// From so many produce requests on it answers nothing any more.
    pub(crate) dies_after: Option<usize>,
    /// How long a fetch takes that finds something.
    pub(crate) fetch_delay: Duration,
    pub(crate) groups: Groups,
    /// Of transactions, if there are any.
    pub(crate) coordinator: Option<Coordinator>,
    /// With their partitions.
    pub(crate) topics: Vec<(String, i32)>,
    pub(crate) logs: BTreeMap<Place, Vec<Bytes>>,
    pub(crate) held: Option<Bytes>,
    pub(crate) requests: usize,
    pub(crate) stalled_until: Instant,
}

pub(crate) type Shared = Rc<RefCell<Fake>>;

/// A topic's number, and a partition of it.
pub(crate) type Place = (u8, i32);

/// The id of the topic with this number.
fn topic_id(number: u8) -> Uuid {
    Uuid([7 + number; 16])
}

/// The number of the topic with this id.
fn topic_number(id: Uuid) -> u8 {
    id.0[0] - 7
}

/// Accepts connections for ever.
pub(crate) async fn serve(reactor: Reactor, fake: Shared) -> io::Result<()> {
    let address: SocketAddr = ADDRESS.parse().expect("an address");
    let listener = reactor.listen(&AddressReservation::simulated(address), 64)?;
    loop {
        let stream = listener.accept().await?;
        let connection = Connection {
            reactor: reactor.clone(),
            fake: fake.clone(),
            stream,
            answers: Rc::default(),
            news: Notify::new(),
        };
        let connection = Rc::new(connection);
        let writer = connection.clone();
        reactor.spawn(Queue::Client, async move { drop(writer.write().await) }).detach();
        reactor.spawn(Queue::Client, async move { drop(connection.read().await) }).detach();
    }
}

/// An answer's parts, and when they leave.
type Due = (Instant, Vec<Bytes>);

struct Connection {
    reactor: Reactor,
    fake: Shared,
    stream: Stream,
    /// When each answer is due; they leave in this order.
    answers: Rc<RefCell<VecDeque<Due>>>,
    news: Notify,
}

impl Connection {
    async fn read(&self) -> io::Result<()> {
        let mut frames = Vec::new();
        let mut assembler = FrameAssembler::new(1 << 24);
        loop {
            let chunk = self.stream.read().await?;
            if chunk.is_empty() {
                return Ok(());
            }
            assembler.push(&chunk, &mut |frame| frames.push(frame)).map_err(io::Error::other)?;
            for frame in frames.drain(..) {
                let now = self.reactor.now();
                let answer = self.fake.borrow_mut().answer(&frame, now);
                if let Some((delay, parts)) = answer {
                    self.answers.borrow_mut().push_back((now + delay, parts));
                    self.news.notify_all();
                }
            }
        }
    }

    async fn write(&self) -> io::Result<()> {
        loop {
            let news = self.news.notified();
            let next = self.answers.borrow_mut().pop_front();
            match next {
                None => news.await,
                Some((due, parts)) => {
                    self.reactor.sleep_until(due).await;
                    self.stream.write_all(parts).await?;
                }
            }
        }
    }
}

/// A fetch that finds nothing waits a little, as a broker does.
const EMPTY_FETCH_DELAY: Duration = Duration::from_millis(20);

impl Fake {
    fn answer(&mut self, frame: &Bytes, now: Instant) -> Option<(Duration, Vec<Bytes>)> {
        let (header, mut body) = decode_request_header(frame).expect("the client's header");
        let (version, id) = (header.api_version, header.correlation_id);
        fn read<'a, M: Decode<'a>>(body: &mut Reader<'a>, version: i16) -> M {
            M::decode_to_end(body, version).expect("the client's request")
        }
        let parts = |response: &dyn Fn() -> Vec<Bytes>| Some((Duration::ZERO, response()));
        fn encode(version: i16, id: i32, response: &impl Message) -> Vec<Bytes> {
            encode_response(version, id, response).expect("a response")
        }
        match ApiKey::from_code(header.api_key).expect("an API that is served") {
            ApiKey::ApiVersions => parts(&|| encode(version, id, &self.api_versions())),
            ApiKey::Metadata => parts(&|| encode(version, id, &self.metadata())),
            ApiKey::InitProducerId => {
                let request: InitProducerIdRequest<'_> = read(&mut body, version);
                let response = match (request.transactional_id, &mut self.coordinator) {
                    (Some(id), Some(coordinator)) => coordinator.init(id),
                    _ => InitProducerIdResponse { producer_id: 1, ..Default::default() },
                };
                parts(&|| encode(version, id, &response))
            }
            ApiKey::AddPartitionsToTxn => {
                let request: AddPartitionsToTxnRequest<'_> = read(&mut body, version);
                let Self { coordinator, topics, .. } = self;
                let coordinator = coordinator.as_mut().expect("it offers transactions");
                let response = coordinator.add(&request, |name| number_in(topics, name));
                parts(&|| encode(version, id, &response))
            }
            ApiKey::EndTxn => {
                let mut coordinator = self.coordinator.take().expect("it offers transactions");
                let request = read(&mut body, version);
                let (response, markers) =
                    coordinator.end(&request, version, |place| self.end(place));
                let delay = coordinator.end_delay;
                self.coordinator = Some(coordinator);
                markers.into_iter().for_each(|(place, marker)| self.append(place, marker));
                Some((delay, encode(version, id, &response)))
            }
            ApiKey::DescribeConfigs => {
                let results = vec![DescribeConfigsResult::default()];
                let response = DescribeConfigsResponse { results, ..Default::default() };
                parts(&|| encode(version, id, &response))
            }
            ApiKey::CreateTopics => {
                let request: CreateTopicsRequest<'_> = read(&mut body, version);
                let topic = &request.topics[0];
                self.topics.push((topic.name.to_owned(), topic.num_partitions));
                let result = CreatableTopicResult { name: topic.name, ..Default::default() };
                let response = CreateTopicsResponse { topics: vec![result], ..Default::default() };
                parts(&|| encode(version, id, &response))
            }
            ApiKey::DeleteTopics => {
                let request: DeleteTopicsRequest<'_> = read(&mut body, version);
                let name = request.topics[0].name;
                let result = DeletableTopicResult { name, ..Default::default() };
                let response =
                    DeleteTopicsResponse { responses: vec![result], ..Default::default() };
                parts(&|| encode(version, id, &response))
            }
            ApiKey::ListOffsets => {
                let response = starts(&read(&mut body, version));
                parts(&|| encode(version, id, &response))
            }
            ApiKey::Produce => {
                let response = self.produce(&read(&mut body, version));
                let delay = self.delay(now)?;
                Some((delay, encode(version, id, &response)))
            }
            ApiKey::Fetch => {
                let response = self.fetch(&read(&mut body, version));
                let mut partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
                let found = partitions.any(|partition| {
                    partition.records.as_ref().is_some_and(|records| !records.is_empty())
                });
                let delay = if found { self.fetch_delay } else { EMPTY_FETCH_DELAY };
                Some((delay, encode(version, id, &response)))
            }
            api => self.groups.answer(api, &mut body, (version, id)).or_else(|| {
                panic!("the fake broker does not serve {api:?}");
            }),
        }
    }

    /// Of the produce request that just came; none when it is not answered.
    fn delay(&mut self, now: Instant) -> Option<Duration> {
        let number = self.requests;
        self.requests += 1;
        if self.dies_after.is_some_and(|requests| number >= requests) {
            return None;
        }
        if let Some((_, length)) = self.stall.filter(|(at, _)| *at == number) {
            self.stalled_until = now + length;
        }
        let delay = self.delays.get(number % self.delays.len().max(1)).copied();
        Some(delay.unwrap_or(Duration::ZERO).max(self.stalled_until - now))
    }

    fn api_versions(&self) -> ApiVersionsResponse<'static> {
        let api = |&api_key: &ApiKey| {
            let versions = api_key.versions();
            let (min_version, max_version) = (*versions.start(), *versions.end());
            ApiVersion { api_key: api_key.code(), min_version, max_version }
        };
        let is_offered = |api_key: &&ApiKey| {
            let of_transactions = [ApiKey::AddPartitionsToTxn, ApiKey::EndTxn];
            self.coordinator.is_some() || !of_transactions.contains(api_key)
        };
        let api_keys = ApiKey::ALL.iter().filter(is_offered).map(api).collect();
        let is_implicit = self.coordinator.as_ref().is_some_and(|of| of.is_implicit);
        let level = FinalizedFeatureKey {
            name: "transaction.version",
            max_version_level: if is_implicit { 2 } else { 1 },
            ..Default::default()
        };
        ApiVersionsResponse { api_keys, finalized_features: vec![level], ..Default::default() }
    }

    fn metadata(&self) -> MetadataResponse<'_> {
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 1,
            leader_epoch: 0,
            replica_nodes: vec![1],
            isr_nodes: vec![1],
            ..Default::default()
        };
        let topics =
            (0u8..).zip(&self.topics).map(|(number, (name, partitions))| MetadataResponseTopic {
                name: Some(name),
                topic_id: topic_id(number),
                partitions: (0..*partitions).map(partition).collect(),
                ..Default::default()
            });
        let (node_id, host, port) = (1, "10.0.0.1", 9092);
        let broker = MetadataResponseBroker { node_id, host, port, ..Default::default() };
        MetadataResponse { brokers: vec![broker], topics: topics.collect(), ..Default::default() }
    }

    fn produce<'a>(&mut self, request: &ProduceRequest<'a>) -> ProduceResponse<'a> {
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            let mut partition_responses = Vec::new();
            for data in &topic.partition_data {
                let Some(Records::Borrowed(records)) = data.records else { panic!("no records") };
                let number = match topic.topic_id.is_zero() {
                    true => number_in(&self.topics, topic.name),
                    false => topic_number(topic.topic_id),
                };
                let base_offset = self.take((number, data.index), records);
                let index = data.index;
                let response =
                    PartitionProduceResponse { index, base_offset, ..Default::default() };
                partition_responses.push(response);
            }
            let (name, topic_id) = (topic.name, topic.topic_id);
            responses.push(TopicProduceResponse { name, topic_id, partition_responses });
        }
        ProduceResponse { responses, ..Default::default() }
    }

    /// Stores a batch, tampered with if it is the one.
    fn take(&mut self, partition: Place, records: &[u8]) -> i64 {
        let number = self.requests;
        let bytes = Bytes::copy_from_slice(records);
        let offset = self.end(partition);
        if let Some(coordinator) = &mut self.coordinator {
            let batch = BatchView::parse(records).expect("the client's batch");
            coordinator.stores(partition, &batch, offset);
        }
        match self.tamper {
            Some(Tamper::Lose(at)) if at == number => {}
            Some(Tamper::Duplicate(at)) if at == number => {
                self.append(partition, bytes.clone());
                self.append(partition, bytes);
            }
            Some(Tamper::Swap(at)) if at == number => self.held = Some(bytes),
            Some(Tamper::Corrupt(at)) if at == number => self.append(partition, corrupted(&bytes)),
            _ => {
                self.append(partition, bytes);
                if let Some(held) = self.held.take() {
                    self.append(partition, held);
                }
            }
        }
        offset
    }

    fn append(&mut self, partition: Place, batch: Bytes) {
        let offset = self.end(partition);
        let mut bytes = batch.to_vec();
        stamp(&mut bytes, Offset(offset), LeaderEpoch(0));
        self.logs.entry(partition).or_default().push(bytes.into());
    }

    fn end(&self, partition: Place) -> i64 {
        let last = self.logs.get(&partition).and_then(|log| log.last());
        last.map_or(0, |last| BatchView::parse(last).expect("stored").last_offset().0 + 1)
    }

    fn fetch(&self, request: &FetchRequest<'_>) -> FetchResponse<'static> {
        let answer = |topic: u8, asked: &fetch::FetchPartition| {
            let place = (topic, asked.partition);
            let log = self.logs.get(&place).map_or(&[][..], Vec::as_slice);
            let is_before = |batch: &Bytes| {
                BatchView::parse(batch).expect("stored").last_offset().0 < asked.fetch_offset
            };
            let from = log.partition_point(is_before);
            let committed = self.coordinator.as_ref().filter(|_| request.isolation_level == 1);
            let first_open = committed.and_then(|coordinator| coordinator.first_open(place));
            let last_stable_offset = first_open.unwrap_or_else(|| self.end(place));
            let is_stable = |batch: &Bytes| {
                BatchView::parse(batch).expect("stored").base_offset().0 < last_stable_offset
            };
            let to = log.partition_point(is_stable).max(from);
            PartitionData {
                partition_index: asked.partition,
                high_watermark: self.end(place),
                last_stable_offset,
                aborted_transactions: committed
                    .map(|coordinator| coordinator.aborted(place, asked.fetch_offset)),
                records: Some(Bytes::from(log[from..to].concat()).into()),
                ..Default::default()
            }
        };
        let responses = request.topics.iter().map(|topic| {
            let answer = |asked| answer(topic_number(topic.topic_id), asked);
            let partitions = topic.partitions.iter().map(answer).collect();
            FetchableTopicResponse { topic: "", topic_id: topic.topic_id, partitions }
        });
        let responses = responses.collect();
        FetchResponse { responses, error_code: ErrorCode::NONE, ..Default::default() }
    }
}

/// Where the partitions asked about start: nothing is ever deleted.
fn starts<'a>(request: &ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
    const EARLIEST: i64 = -2;
    let answer = |asked: &list_offsets::ListOffsetsPartition| {
        assert_eq!(asked.timestamp, EARLIEST, "readers begin at the start");
        let partition_index = asked.partition_index;
        ListOffsetsPartitionResponse { partition_index, offset: 0, ..Default::default() }
    };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(answer).collect();
        ListOffsetsTopicResponse { name: topic.name, partitions }
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

/// The batch with another last byte in the value of its first record.
fn corrupted(batch: &[u8]) -> Bytes {
    let view = BatchView::parse(batch).expect("the client's batch");
    let records = view.records(1 << 24).expect("its records");
    let mut builder = BatchBuilder::new(Codec::None);
    for record in records.iter() {
        let record = record.expect("a record");
        let mut value = record.value.expect("a value").to_vec();
        *value.last_mut().expect("bytes") ^= 1;
        builder.append(record.timestamp, record.key, Some(&value), &[]);
    }
    builder.finish(&BatchFields::default())
}

/// The number of the topic with this name.
fn number_in(topics: &[(String, i32)], name: &str) -> u8 {
    topics.iter().position(|(known, _)| known == name).expect("a topic") as u8
}
