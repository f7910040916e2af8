//! The one table of APIs, and how a request becomes an answer. A row gives an API its handler; its key, name and versions
//! come from the wire crate. Everything else (dispatch, ApiVersions, the table in docs/compatibility.md) derives from it.
//!
//! To add an API: its messages in `net/wire`, its handler in a file here, its row below.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ringlane_reactor::{Part, Stream};
use ringlane_wire::header::decode_request_header;
use ringlane_wire::{ApiKey, Decode, DecodeError, EncodeError, Message, Reader, frame};

use crate::memory::Held;
use crate::shard::Shard;

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// One API that the broker serves.
pub struct Api {
    /// Key, name and versions.
    pub key: ApiKey,
    handle: fn(Request) -> LocalFuture<Handled>,
}

macro_rules! apis {
    ($($key:ident => $module:ident;)+) => {
        $(mod $module;)+

        /// Every API that is served, by key.
        pub const TABLE: &[Api] = &[
            $(Api { key: ApiKey::$key, handle: |request| Box::pin($module::handle(request)) },)+
        ];
    };
}

apis! {
    Produce => produce;
    Fetch => fetch;
    ListOffsets => list_offsets;
    Metadata => metadata;
    OffsetCommit => offset_commit;
    OffsetFetch => offset_fetch;
    FindCoordinator => find_coordinator;
    JoinGroup => join_group;
    Heartbeat => heartbeat;
    LeaveGroup => leave_group;
    SyncGroup => sync_group;
    DescribeGroups => describe_groups;
    ListGroups => list_groups;
    ApiVersions => api_versions;
    CreateTopics => create_topics;
    DeleteTopics => delete_topics;
    DeleteRecords => delete_records;
    InitProducerId => init_producer_id;
    OffsetForLeaderEpoch => offset_for_leader_epoch;
    DescribeConfigs => describe_configs;
    DescribeLogDirs => describe_log_dirs;
    CreatePartitions => create_partitions;
    DeleteGroups => delete_groups;
    IncrementalAlterConfigs => incremental_alter_configs;
    DescribeCluster => describe_cluster;
    DescribeTopicPartitions => describe_topic_partitions;
}

mod configs;
mod errors;
mod groups;
mod topics;

pub(crate) use topics::OFFSETS_TOPIC;

/// What a connection does with a request's outcome.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Sends it.
    Send(Vec<Part>),
    /// Sends nothing: a produce with acks=0.
    Nothing,
    /// Closes, for this reason.
    Close(String),
}

/// A request that has begun.
pub(crate) enum Started {
    /// It is answered.
    Done(Cell<Option<Answer>>),
    /// What must happen in the order of arrival has happened; the rest may overlap with later requests.
    Waiting(LocalFuture<Answer>),
}

impl Started {
    fn done(answer: Answer) -> Self {
        Self::Done(Cell::new(Some(answer)))
    }

    /// The answer, when it is there. Gives it once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        match self {
            Self::Done(answer) => Poll::Ready(answer.take().expect("an answer is given once")),
            Self::Waiting(future) => future.as_mut().poll(cx),
        }
    }
}

/// What a handler gives: the request has begun, or the connection closes because its bytes mean nothing.
pub(crate) type Handled = Result<Started, Refusal>;

/// Why a connection closes: what the client sent is not the protocol.
#[derive(Debug)]
pub(crate) struct Refusal(String);

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self(format!("the request does not decode: {error}"))
    }
}

impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        Self(format!("the answer has no form in the version asked for: {error}"))
    }
}

/// One request: its frame, its header's facts, and the shard that it reached.
pub(crate) struct Request {
    /// The shard whose connection received it.
    pub(crate) shard: Rc<Shard>,
    /// Its bytes on the account of its connection. Work that outlives the connection keeps it.
    pub(crate) held: Rc<Held>,
    /// Which API.
    pub(crate) key: ApiKey,
    /// Which version of it, one that is served.
    pub(crate) version: i16,
    /// What the client calls itself.
    pub(crate) client_id: String,
    /// The address that the client connected from.
    pub(crate) client_host: String,
    correlation_id: i32,
    frame: Bytes,
    body_start: usize,
}

impl Request {
    /// The request's message, borrowed from its frame. What follows it is passed over, as Kafka does: librdkafka 2.16 asks for
    /// the metadata of all topics with three bytes too many (confluentinc/librdkafka#5049).
    fn decode<'a, M: Decode<'a>>(&'a self) -> Result<M, Refusal> {
        let mut reader = Reader::new(&self.frame[self.body_start..]);
        Ok(M::decode(&mut reader, self.version)?)
    }

    /// A slice of the frame as shared bytes.
    fn share(&self, slice: &[u8]) -> Bytes {
        self.frame.slice_ref(slice)
    }

    /// The frame of the answer.
    fn encode(&self, response: &impl Message) -> Result<Answer, Refusal> {
        self.encode_around(response, |len| panic!("nobody said where {len} bytes of records are"))
    }

    /// The same, where `elsewhere` gives the records that are not in memory, in order.
    fn encode_around(
        &self,
        response: &impl Message,
        elsewhere: impl FnMut(usize) -> Part,
    ) -> Result<Answer, Refusal> {
        let (version, id) = (self.version, self.correlation_id);
        Ok(Answer::Send(frame::encode_response_around(version, id, response, elsewhere)?))
    }

    /// Ends the request with this answer.
    fn answer(&self, response: &impl Message) -> Handled {
        Ok(Started::done(self.encode(response)?))
    }

    /// The same, for the end of a waiting future.
    fn answer_later(&self, response: &impl Message) -> Answer {
        self.encode(response).unwrap_or_else(|refusal| Answer::Close(refusal.0))
    }
}

/// Begins the request in `frame`, which came over `stream` and whose bytes `held` has.
///
/// # Errors
/// Why the connection is to be closed.
pub(crate) async fn start(
    shard: &Rc<Shard>,
    stream: &Stream,
    held: &Rc<Held>,
    frame: Bytes,
) -> Result<Started, String> {
    let request = parse(shard, stream, held, frame)?;
    shard.metrics.requests.increment();
    if !request.key.versions().contains(&request.version) {
        return unsupported_version(&request);
    }
    let api = TABLE.iter().find(|api| api.key == request.key);
    let api = api.ok_or_else(|| format!("the API {} is not served", request.key.name()))?;
    (api.handle)(request).await.map_err(|refusal| refusal.0)
}

fn parse(
    shard: &Rc<Shard>,
    stream: &Stream,
    held: &Rc<Held>,
    frame: Bytes,
) -> Result<Request, String> {
    let (header, reader) = decode_request_header(&frame)
        .map_err(|error| format!("the request header does not decode: {error}"))?;
    let key = ApiKey::from_code(header.api_key)
        .ok_or_else(|| format!("no API has the key {}", header.api_key))?;
    let body_start = frame.len() - reader.remaining();
    let client_id = header.client_id.unwrap_or_default().to_owned();
    let (version, correlation_id) = (header.api_version, header.correlation_id);
    let client_host = format!("/{}", stream.peer().ip());
    Ok(Request {
        shard: shard.clone(),
        held: held.clone(),
        key,
        version,
        client_id,
        client_host,
        correlation_id,
        frame,
        body_start,
    })
}

/// KIP-511: a client that is newer than the broker learns the versions of ApiVersions from an answer in version 0. No other
/// API has a form for this, so the connection closes, as Kafka's does.
fn unsupported_version(request: &Request) -> Result<Started, String> {
    if request.key == ApiKey::ApiVersions {
        let answer = api_versions::unsupported(request.correlation_id);
        return answer
            .map(|parts| parts.into_iter().map(Part::from).collect())
            .map(|parts| Started::done(Answer::Send(parts)))
            .map_err(|error| error.to_string());
    }
    Err(format!("version {} of {} is not served", request.version, request.key.name()))
}
