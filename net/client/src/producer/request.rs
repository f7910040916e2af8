//! One produce request: built from batches, and its answer taken apart again.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::Queue;
use ringlane_wire::messages::ProduceRequest;
use ringlane_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use ringlane_wire::{ErrorCode, Uuid};

use super::Acks;
use super::batch::Batch;
use super::sender::{Load, Shared};
use super::state::QueueIndex;
use crate::answer::Answer;
use crate::connection::Connection;
use crate::error::Error;
use crate::metadata::NodeId;

/// The answer to a request that no broker answers.
const UNKNOWN_OFFSET: i64 = -1;

/// Starts the request, so that it leaves behind all that were started before, and waits for its answer in a task.
pub(super) fn send(shared: &Rc<Shared>, node: NodeId, connection: &Connection, mut load: Load) {
    let names: Vec<(Rc<str>, i32)> = {
        let state = shared.state.borrow();
        let name = |(index, _): &(QueueIndex, Batch)| {
            (state.queues[*index].topic.clone(), state.queues[*index].index)
        };
        load.iter().map(name).collect()
    };
    let request = build(shared, &names, &mut load);
    if shared.config.acks == Acks::None {
        let started = connection.start_unanswered(&request);
        drop(request);
        return wait(shared, node, load, async move {
            started?.await?;
            Ok(None)
        });
    }
    let started = match shared.config.transactional_id {
        Some(_) => connection.start_at_most(&request, shared.produce_version_max()),
        None => connection.start(&request),
    };
    drop(request);
    wait(shared, node, load, async move { started?.await.map(|answer| Some((answer, names))) });
}

fn build<'a>(
    shared: &'a Shared,
    names: &'a [(Rc<str>, i32)],
    load: &mut Load,
) -> ProduceRequest<'a> {
    let mut topics: BTreeMap<&str, Vec<PartitionProduceData<'a>>> = BTreeMap::new();
    for ((topic, index), (_, batch)) in names.iter().zip(load) {
        let data = PartitionProduceData { index: *index, records: Some(batch.seal().into()) };
        topics.entry(topic).or_default().push(data);
    }
    let topic = |(name, partition_data)| TopicProduceData {
        name,
        topic_id: shared.client.known_topic(name).map_or(Uuid::ZERO, |topic| topic.id),
        partition_data,
    };
    ProduceRequest {
        transactional_id: shared.config.transactional_id.as_deref(),
        acks: shared.config.acks.code(),
        timeout_ms: millis(shared.config.acks_timeout),
        topic_data: topics.into_iter().map(topic).collect(),
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

type Outcome = Result<Option<(Answer, Vec<(Rc<str>, i32)>)>, Error>;

fn wait(
    shared: &Rc<Shared>,
    node: NodeId,
    load: Load,
    outcome: impl Future<Output = Outcome> + 'static,
) {
    let shared = shared.clone();
    let reactor = shared.client.reactor().clone();
    let wait = async move {
        let ends = match outcome.await {
            Ok(None) => each(load, |_| Ok(UNKNOWN_OFFSET)),
            Ok(Some((answer, names))) => take_apart(&shared, &answer, &names, load),
            Err(error) => each(load, |_| Err(error.clone())),
        };
        shared.answered(node, ends);
    };
    reactor.spawn(Queue::Client, wait).detach();
}

type Ends = Vec<(QueueIndex, Batch, Result<i64, Error>)>;

fn each(load: Load, mut end: impl FnMut(usize) -> Result<i64, Error>) -> Ends {
    load.into_iter().enumerate().map(|(at, (index, batch))| (index, batch, end(at))).collect()
}

/// What the answer says of each batch, in the order of the request.
fn take_apart(shared: &Shared, answer: &Answer, names: &[(Rc<str>, i32)], load: Load) -> Ends {
    let response = match answer.decode::<ProduceRequest<'_>>() {
        Ok(response) => response,
        Err(error) => return each(load, |_| Err(error.clone())),
    };
    let mut said: BTreeMap<(Rc<str>, i32), Result<i64, Error>> = BTreeMap::new();
    for topic in &response.responses {
        // A topic that was created anew meanwhile has another id: what is said of the old one is said of none.
        let Some(name) = shared.client.topic_name(topic.name, topic.topic_id) else { continue };
        for partition in &topic.partition_responses {
            let place = format_place(&name, partition.index, partition.error_code);
            let outcome = match partition.error_code {
                // KIP-98: the broker has it already, and no longer knows where.
                ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Ok(UNKNOWN_OFFSET),
                code => answer
                    .check(code, &place, partition.error_message)
                    .map(|()| partition.base_offset),
            };
            said.insert((name.clone(), partition.index), outcome);
        }
    }
    each(load, |at| {
        let (topic, index) = &names[at];
        let outcome = said.remove(&(topic.clone(), *index));
        outcome.unwrap_or_else(|| {
            Err(answer.refusal(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                &format!("{topic}-{index}"),
                None,
            ))
        })
    })
}

/// `topic-partition` for an error; nothing is written where there is none.
fn format_place(topic: &str, partition: i32, code: ErrorCode) -> String {
    if code.is_none() { String::new() } else { format!("{topic}-{partition}") }
}
