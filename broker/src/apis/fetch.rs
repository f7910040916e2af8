//! Fetch (KIP-74, KIP-227, KIP-320, KIP-516): records out. A fetch that finds fewer than `min_bytes` waits on the bells of
//! its partitions, wherever they are, until what they show has grown by what is missing, or its time is over: it reads again
//! only then, not at every ring. Sessions are declined (session id 0), so every fetch names all of its partitions.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{LeaderEpoch, Offset, PartitionIndex};
use ringlane_controller::ClusterImage;
use ringlane_reactor::{FileRange, Instant, Part, ShardId, oneshot};
use ringlane_storage::ReadError;
use ringlane_wire::messages::fetch::{
    EpochEndOffset, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchableTopicResponse, PartitionData,
};
use ringlane_wire::{ErrorCode, Records};

use super::topics::{self, ByOwner};
use super::{Answer, Handled, Request, Started, errors};
use crate::memory::Held;
use crate::partition::{Allowed, Batches, Partition, PartitionKey};
use crate::race::{Either, first_of, join_all, race};
use crate::shard::Shard;

/// A fetch may hold this much even where memory is short.
const LEAST_BYTES: usize = 64 * 1024;

/// How often a fetch reads. What is visible is known to within a few batches, so two or three times suffice, unless what is
/// missing does not fit into the answer; after the last it is answered what there is, as Kafka does after the second.
const READS_MAX: usize = 8;

/// Between so many bytes, which are copied and checked, others have their turn.
const TURN_BYTES: usize = 256 * 1024;

/// What a consumer asks of one partition.
#[derive(Clone, Copy)]
struct Wanted {
    slot: usize,
    key: PartitionKey,
    current_leader_epoch: i32,
    last_fetched_epoch: i32,
    offset: Offset,
    max_bytes: usize,
}

/// What a partition was when it was read.
#[derive(Clone, Copy)]
struct Seen {
    key: PartitionKey,
    offset: Offset,
    leader_epoch: LeaderEpoch,
    /// At least so many bytes were visible, as [`Partition::visible_bytes`] counts.
    visible_bytes: u64,
}

impl Seen {
    /// How many bytes more are visible at most; `None` where only reading tells what became of the partition.
    fn growth(&self, partition: &Partition) -> Option<u64> {
        let is_same = partition.leader_epoch() == self.leader_epoch
            && !partition.is_gone()
            && partition.log.is_offline().is_none()
            && partition.log.log_start().offset() <= self.offset;
        let (_, visible_bytes) = partition.visible_bytes();
        is_same.then(|| visible_bytes.checked_sub(self.visible_bytes)).flatten()
    }
}

/// What one partition answers.
#[derive(Clone)]
struct Found {
    /// Where there is no error.
    seen: Option<Seen>,
    error_code: ErrorCode,
    high_watermark: i64,
    last_stable_offset: i64,
    log_start_offset: i64,
    diverging: Option<(i32, i64)>,
    batches: Batches,
    /// Whether more is visible, which only another read gives: of a later segment, or behind what is sent from the file.
    has_more: bool,
}

impl From<ErrorCode> for Found {
    fn from(error_code: ErrorCode) -> Self {
        Self {
            seen: None,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging: None,
            batches: Batches::default(),
            has_more: false,
        }
    }
}

impl Found {
    /// Whether the client must hear of it at once, or waits for what no waiting gives.
    fn is_urgent(&self) -> bool {
        self.error_code != ErrorCode::NONE || self.diverging.is_some() || self.has_more
    }
}

/// A fetch under way.
struct Fetch {
    request: Request,
    deadline: Instant,
    bytes_min: usize,
    bytes_max: usize,
    /// The bytes read so far, on the connection's account.
    held: Option<Held>,
    slots: Vec<Option<Found>>,
    wanted: Vec<(ShardId, Vec<Wanted>)>,
}

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: FetchRequest = request.decode()?;
    // KIP-227: both epochs begin anew, whatever session went before.
    if request.version >= 7 && !matches!(message.session_epoch, -1 | 0) {
        return request.answer(&FetchResponse {
            error_code: ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
            ..Default::default()
        });
    }
    let (slots, wanted) = sort_by_owner(&shard, &message, &shard.image.current());
    let fetch_max_bytes = shard.config.fetch_max_bytes.min(message.max_bytes);
    let asked = wanted.iter().map(|wanted| wanted.max_bytes);
    let asked_bytes = asked.fold(0, usize::saturating_add);
    let fetch = Fetch {
        deadline: shard.reactor.now() + Duration::from_millis(message.max_wait_ms.max(0) as u64),
        bytes_min: message.min_bytes.max(0) as usize,
        bytes_max: (fetch_max_bytes.max(0) as usize).min(asked_bytes),
        held: None,
        slots,
        wanted: wanted.into_iter().collect(),
        request,
    };
    Ok(Started::Waiting(Box::pin(run(fetch))))
}

fn sort_by_owner(
    shard: &Shard,
    message: &FetchRequest,
    image: &ClusterImage,
) -> (Vec<Option<Found>>, ByOwner<Wanted>) {
    let mut slots = Vec::new();
    let mut wanted = ByOwner::default();
    for topic in &message.topics {
        for partition in &topic.partitions {
            let slot = slots.len();
            match place(shard, image, topic, partition) {
                Ok((owner, key)) => {
                    wanted.push(owner, want(slot, key, partition));
                    slots.push(None);
                }
                Err(error_code) => slots.push(Some(error_code.into())),
            }
        }
    }
    (slots, wanted)
}

fn place(
    shard: &Shard,
    image: &ClusterImage,
    topic: &FetchTopic,
    partition: &FetchPartition,
) -> Result<(ShardId, PartitionKey), ErrorCode> {
    let found = topics::find(image, topic.topic, topic.topic_id)?;
    let owner = topics::owner(shard, &found, partition.partition)?;
    Ok((owner, (found.id, PartitionIndex(partition.partition))))
}

fn want(slot: usize, key: PartitionKey, partition: &FetchPartition) -> Wanted {
    Wanted {
        slot,
        key,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
        offset: Offset(partition.fetch_offset),
        max_bytes: partition.partition_max_bytes.max(0) as usize,
    }
}

/// Reads until there is enough, something to tell, or no time left.
async fn run(mut fetch: Fetch) -> Answer {
    let shard = fetch.request.shard.clone();
    for _ in 1..READS_MAX {
        let missing_bytes = read(&shard, &mut fetch).await;
        let is_over = fetch.wanted.is_empty() || shard.reactor.now() >= fetch.deadline;
        if missing_bytes == 0 || is_over {
            return answer(fetch);
        }
        // What was read is read again with what comes: it must not stand in others' way meanwhile.
        fetch.held = None;
        fetch.slots.iter_mut().flatten().for_each(|found| found.batches = Batches::default());
        wait(&shard, &fetch, missing_bytes).await;
    }
    read(&shard, &mut fetch).await;
    answer(fetch)
}

/// Waits until the wanted partitions may show `missing_bytes` more than was read, there is something to tell, or the fetch's
/// time is over.
async fn wait(shard: &Rc<Shard>, fetch: &Fetch, missing_bytes: u64) {
    let mut growths = vec![0; fetch.wanted.len()];
    loop {
        let left = missing_bytes.saturating_sub(growths.iter().sum());
        if left == 0 {
            return;
        }
        // When all shards together have that, at least one of them has its part.
        let part = left.div_ceil(growths.len() as u64);
        match first_growth(shard, fetch, &growths, part).await {
            Some((at, growth)) => growths[at] = growth,
            None => return,
        }
    }
}

/// The first of the shards concerned whose partitions have grown by `part` more than `growths` says, and by how much since
/// they were read; `None` where it is time to read.
async fn first_growth(
    shard: &Rc<Shard>,
    fetch: &Fetch,
    growths: &[u64],
    part: u64,
) -> Option<(usize, u64)> {
    let deadline = fetch.deadline;
    let mut bells = Vec::with_capacity(fetch.wanted.len());
    // Dropped with this future, which tells those who still wait elsewhere that nobody listens any more.
    let mut listening = Vec::with_capacity(fetch.wanted.len());
    for (at, (owner, wanted)) in fetch.wanted.iter().enumerate() {
        let seen = wanted.iter().filter_map(|wanted| fetch.slots[wanted.slot].as_ref()?.seen);
        let seen: Vec<Seen> = seen.collect();
        let enough = growths[at] + part;
        let (sender, stopped) = oneshot::<()>();
        listening.push(sender);
        let job = move |shard: &Rc<Shard>| {
            let waiting = growth_here(shard.clone(), seen, enough, deadline);
            async move {
                match race(waiting, stopped).await {
                    Either::First(growth) => growth.map(|growth| (at, growth)),
                    Either::Second(_) => None,
                }
            }
        };
        bells.push(shard.router.submit(shard, *owner, job).await);
    }
    first_of(bells).await
}

/// Waits on this shard until the partitions may show `enough` more bytes together than was `seen`; answers how many. `None`
/// when one of them is no longer what it was, or at the deadline.
async fn growth_here(
    shard: Rc<Shard>,
    seen: Vec<Seen>,
    enough: u64,
    deadline: Instant,
) -> Option<u64> {
    loop {
        let mut bells = Vec::with_capacity(seen.len());
        let mut growth = 0;
        for seen in &seen {
            let partition = shard.partitions.find(seen.key)?;
            bells.push(partition.changed());
            growth += seen.growth(&partition)?;
        }
        if growth >= enough {
            return Some(growth);
        }
        if let Either::Second(()) = race(first_of(bells), shard.reactor.sleep_until(deadline)).await
        {
            return None;
        }
    }
}

/// Reads every wanted partition. Answers how many bytes are missing: none where the client must hear of something at once.
async fn read(shard: &Rc<Shard>, fetch: &mut Fetch) -> u64 {
    let account = fetch.request.held.account();
    let mut held = account.hold(&shard.reactor, fetch.bytes_max, LEAST_BYTES).await;
    let mut replies = Vec::with_capacity(fetch.wanted.len());
    // Each shard gets its share, so that the answer stays within what was asked for.
    let share_bytes = held.bytes() / fetch.wanted.len().max(1);
    for (owner, wanted) in &fetch.wanted {
        let wanted = wanted.clone();
        let job = move |shard: &Rc<Shard>| read_here(shard.clone(), wanted, share_bytes);
        replies.push(shard.router.submit(shard, *owner, job).await);
    }
    for (slot, found) in join_all(replies).await.into_iter().flatten() {
        fetch.slots[slot] = Some(found);
    }
    let found = fetch.slots.iter().flatten();
    let (bytes, memory_bytes, urgent) =
        found.fold((0, 0, false), |(bytes, memory_bytes, urgent), found| {
            let memory_bytes = memory_bytes + found.batches.memory_bytes();
            (bytes + found.batches.len(), memory_bytes, urgent || found.is_urgent())
        });
    held.set(memory_bytes);
    fetch.held = Some(held);
    // A shard that has filled its share has no more to give, however long one waits.
    let enough = if urgent { 0 } else { fetch.bytes_min.min(share_bytes) };
    enough.saturating_sub(bytes) as u64
}

async fn read_here(shard: Rc<Shard>, wanted: Vec<Wanted>, bytes_max: usize) -> Vec<(usize, Found)> {
    let span_bytes_min = usize::try_from(shard.config.fetch_zero_copy_min_bytes);
    let span_bytes_min = span_bytes_min.unwrap_or(usize::MAX);
    let mut left = bytes_max;
    let mut nothing_yet = true;
    let mut since_turn = 0;
    let mut all = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        if since_turn >= TURN_BYTES {
            since_turn = 0;
            shard.reactor.yield_now().await;
        }
        shard.metrics.partitions_read.increment();
        let found = match topics::led(&shard, wanted.key, wanted.current_leader_epoch) {
            // KIP-74: the first batch of the first partition that has one is sent whatever its size.
            Ok(partition) => {
                let bytes_max = wanted.max_bytes.min(left);
                let allowed = Allowed { bytes_max, at_least_one: nothing_yet, span_bytes_min };
                read_partition(&partition, &wanted, allowed).await
            }
            Err(error_code) => error_code.into(),
        };
        since_turn += found.batches.memory_bytes();
        left = left.saturating_sub(found.batches.len());
        nothing_yet &= found.batches.len() == 0;
        all.push((wanted.slot, found));
    }
    all
}

async fn read_partition(partition: &Partition, wanted: &Wanted, allowed: Allowed) -> Found {
    let high_watermark = partition.high_watermark().offset();
    let (visible_bytes, _) = partition.visible_bytes();
    let (key, offset, leader_epoch) = (wanted.key, wanted.offset, partition.leader_epoch());
    let mut found = Found {
        seen: Some(Seen { key, offset, leader_epoch, visible_bytes }),
        high_watermark: high_watermark.0,
        last_stable_offset: partition.last_stable_offset().0,
        log_start_offset: partition.log.log_start().0,
        ..Found::from(ErrorCode::NONE)
    };
    found.diverging = diverging(partition, wanted);
    if found.diverging.is_some() {
        return found;
    }
    let log_end = partition.log.log_end().offset();
    if wanted.offset > log_end || wanted.offset.0 < found.log_start_offset {
        return ErrorCode::OFFSET_OUT_OF_RANGE.into();
    }
    match partition.read(wanted.offset, high_watermark, allowed).await {
        Ok((batches, has_more)) => (found.batches, found.has_more) = (batches, has_more),
        Err(ReadError::OffsetOutOfRange { .. }) => return ErrorCode::OFFSET_OUT_OF_RANGE.into(),
        // The log said so once; consumers ask again and again.
        Err(error @ ReadError::Damaged(_)) => return errors::of_read(&error).into(),
        Err(error) => {
            tracing::error!(topic = %partition.topic, partition = partition.key.1.0, "cannot read: {error}");
            return errors::of_read(&error).into();
        }
    }
    found
}

/// KIP-595: a reader whose last epoch ended earlier here than where it reads has records that this leader never had.
fn diverging(partition: &Partition, wanted: &Wanted) -> Option<(i32, i64)> {
    if wanted.last_fetched_epoch < 0 {
        return None;
    }
    let (epoch, end) =
        partition.log.end_offset_for_epoch(LeaderEpoch(wanted.last_fetched_epoch))?;
    (epoch.0 < wanted.last_fetched_epoch || end.0 < wanted.offset.0).then_some((epoch.0, end.0))
}

fn answer(fetch: Fetch) -> Answer {
    // What is held now goes over to the connection, which counts it until it is sent.
    let Fetch { request, slots, held: _held, .. } = fetch;
    let Ok(message) = request.decode::<FetchRequest>() else {
        return Answer::Close("a request decodes once and not again".into());
    };
    let mut ranges = VecDeque::new();
    let mut found = slots.into_iter().map(|slot| slot.expect("every partition was read"));
    let mut data = |partition: &FetchPartition| {
        let found = found.next().expect("every partition was read");
        partition_data(partition.partition, found, &mut ranges)
    };
    let responses = message.topics.iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(&mut data).collect(),
    });
    let responses = responses.collect();
    let response = FetchResponse { responses, ..Default::default() };
    let answer = request.encode_around(&response, |len| {
        let range: FileRange = ranges.pop_front().expect("a range for each place");
        assert_eq!(range.len(), len, "places and ranges come in the same order");
        request.shard.metrics.bytes_spliced.add(len as u64);
        Part::File(range)
    });
    answer.unwrap_or_else(|refusal| Answer::Close(refusal.0))
}

fn partition_data(
    partition_index: i32,
    found: Found,
    ranges: &mut VecDeque<FileRange>,
) -> PartitionData<'static> {
    let (epoch, end_offset) = found.diverging.unwrap_or((-1, -1));
    let records = match found.batches {
        Batches::Memory(batches) => Records::Parts(batches),
        Batches::File(range) => {
            let len = range.len();
            ranges.push_back(range);
            Records::Elsewhere(len)
        }
    };
    PartitionData {
        partition_index,
        error_code: found.error_code,
        high_watermark: found.high_watermark,
        last_stable_offset: found.last_stable_offset,
        log_start_offset: found.log_start_offset,
        diverging_epoch: EpochEndOffset { epoch, end_offset },
        records: Some(records),
        ..Default::default()
    }
}
