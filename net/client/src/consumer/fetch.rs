//! One fetch from one leader, and what its answer means for each partition. Session-less: every request names all that it
//! wants (KIP-227's session id 0).

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use ringlane_reactor::Instant;
use ringlane_wire::messages::FetchRequest;
use ringlane_wire::messages::fetch::{FetchPartition, FetchTopic, PartitionData};
use ringlane_wire::{ErrorCode, Records, Uuid};

use super::fetched::Checks;
use super::{ConsumerConfig, Fetched, Isolation, OffsetReset, Place, Shared, State, aborted};
use crate::answer::Answer;
use crate::backoff::pause;
use crate::error::Error;
use crate::metadata::NodeId;
use crate::offsets::Position;

/// Fetches `places`, which `leader` is believed to lead, once.
pub(super) async fn from_leader(
    shared: Rc<Shared>,
    assignment: u64,
    leader: NodeId,
    places: Vec<Place>,
) {
    let offsets: Vec<(Place, i64)> = {
        let state = shared.state.borrow();
        let offset =
            |place: Place| Some((place.clone(), state.partitions.get(&place)?.fetch_offset()?));
        places.into_iter().filter_map(offset).collect()
    };
    let outcome = fetch(&shared, leader, &offsets).await;
    shared.with_assignment(assignment, |state| {
        state.fetching.remove(&leader);
        for (place, _) in &offsets {
            state.partitions.get_mut(place).expect("the assignment is the same").asked();
        }
        match outcome {
            Ok((answer, span)) => take_apart(&shared, state, &answer, span, &offsets),
            Err(error) => {
                for (place, _) in &offsets {
                    state.partition_failed(&shared, place, error.clone());
                }
            }
        }
    });
}

/// The answer, and from when to when it took.
async fn fetch(
    shared: &Shared,
    leader: NodeId,
    offsets: &[(Place, i64)],
) -> Result<(Answer, Range<Instant>), Error> {
    let connection = shared.client.connection(leader).await?;
    let request = request(shared, offsets);
    let asked_at = shared.client.reactor().now();
    let answer = connection.call_patiently(&request, shared.config.max_wait).await?;
    Ok((answer, asked_at..shared.client.reactor().now()))
}

fn request<'a>(shared: &Shared, offsets: &'a [(Place, i64)]) -> FetchRequest<'a> {
    let ConsumerConfig { min_bytes, max_wait, max_bytes, partition_max_bytes, .. } = shared.config;
    let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
    for ((topic, partition), fetch_offset) in offsets {
        let known = shared.client.known_topic(topic);
        let info = known.as_ref().and_then(|known| known.partitions.get(*partition as usize));
        topics.entry(topic).or_default().push(FetchPartition {
            partition: *partition,
            // KIP-320: a leader of another epoch says so instead of answering from another history.
            current_leader_epoch: info.map_or(-1, |info| info.leader_epoch),
            fetch_offset: *fetch_offset,
            partition_max_bytes,
            ..Default::default()
        });
    }
    let topic = |(topic, partitions)| FetchTopic {
        topic,
        topic_id: shared.client.known_topic(topic).map_or(Uuid::ZERO, |known| known.id),
        partitions,
    };
    FetchRequest {
        max_wait_ms: i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes,
        max_bytes,
        isolation_level: shared.config.isolation as i8,
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

fn take_apart(
    shared: &Shared,
    state: &mut State,
    answer: &Answer,
    span: Range<Instant>,
    offsets: &[(Place, i64)],
) {
    let decoded = answer.decode::<FetchRequest<'_>>();
    let checked = decoded.and_then(|response| {
        answer.check(response.error_code, "", None)?;
        Ok(response)
    });
    let response = match checked {
        Ok(response) => response,
        Err(error) => {
            return offsets.iter().for_each(|(place, _)| {
                state.partition_failed(shared, place, error.clone());
            });
        }
    };
    let mut said: BTreeMap<Place, &PartitionData<'_>> = BTreeMap::new();
    for topic in &response.responses {
        let Some(name) = shared.client.topic_name(topic.topic, topic.topic_id) else { continue };
        said.extend(
            topic.partitions.iter().map(|data| ((name.clone(), data.partition_index), data)),
        );
    }
    for (place, from) in offsets {
        let outcome = match said.get(place) {
            Some(data) => state.take_partition(shared, answer, place, (*from, &span), data),
            None => {
                Err(answer.refusal(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, &place_name(place), None))
            }
        };
        if let Err(error) = outcome {
            state.partition_failed(shared, place, error);
        }
    }
}

fn place_name((topic, partition): &Place) -> String {
    format!("{topic}-{partition}")
}

impl State {
    fn take_partition(
        &mut self,
        shared: &Shared,
        answer: &Answer,
        place: &Place,
        (from, span): (i64, &Range<Instant>),
        data: &PartitionData<'_>,
    ) -> Result<(), Error> {
        if !data.error_code.is_none() {
            return Err(answer.refusal(data.error_code, &place_name(place), None));
        }
        let records = match &data.records {
            Some(Records::Borrowed(bytes)) if !bytes.is_empty() => answer.frame().slice_ref(bytes),
            _ => Bytes::new(),
        };
        let ConsumerConfig { check_crcs, decompressed_bytes_max, isolation, .. } = shared.config;
        let checks = Checks { check_crcs, decompressed_bytes_max };
        let (topic, partition) = place;
        let end = match isolation {
            Isolation::ReadUncommitted => data.high_watermark,
            Isolation::ReadCommitted => data.last_stable_offset,
        };
        let aborted = aborted::in_order(data.aborted_transactions.as_deref());
        let fetched = Fetched::new(topic, *partition, end, (records, from, aborted), checks)?;
        let assigned = self.partitions.get_mut(place).expect("the assignment is the same");
        assigned.answered();
        if let Some(fetched) = fetched.map(|fetched| fetched.within(span.clone())) {
            assigned.arrived(fetched.next_offset());
            self.ready.push_back(Ok(fetched));
        }
        Ok(())
    }

    /// A partition did not answer: it is asked again after a pause, and `error` told when it does not pass.
    fn partition_failed(&mut self, shared: &Shared, place: &Place, error: Error) {
        let (reactor, config) = (shared.client.reactor(), shared.client.config());
        let now = reactor.now();
        let assigned = self.partitions.get_mut(place).expect("the assignment is the same");
        if error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE) {
            match shared.config.reset {
                OffsetReset::Earliest => return assigned.reset(Position::Earliest),
                OffsetReset::Latest => return assigned.reset(Position::Latest),
                OffsetReset::Fail => {}
            }
        }
        let random = reactor.random_u64();
        let pause = pause(assigned.failures(), config.backoff_min, config.backoff_max, random);
        assigned.wait_until(now + pause);
        let gives_up = assigned.failing(now, config.retry_timeout);
        if !error.is_retriable() || gives_up {
            self.ready.push_back(Err(error));
        }
        self.stale.insert(place.0.clone());
    }
}
