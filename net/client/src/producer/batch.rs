//! A batch on its way: filled, sealed with its producer's identity, sent until it is acknowledged or given up; and what the
//! senders of its records wait for.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ringlane_batch::{
    BatchBuilder, BatchFields, BatchView, Codec, Header, ProducerEpoch, ProducerId, Record,
    Sequence,
};
use ringlane_reactor::{Instant, Notified, Notify};

use crate::error::Error;

/// Where a record was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acknowledged {
    /// Its partition.
    pub partition: i32,
    /// Its offset; -1 when the broker does not tell: with `acks=0`, or after a retry of what was stored already.
    pub offset: i64,
}

/// The future of a record's acknowledgement. Dropping it changes nothing.
pub struct Delivery {
    outcome: Rc<Outcome>,
    index: i32,
    notified: Option<Notified>,
}

/// The end of a batch, once it has one.
pub(super) struct Outcome {
    partition: i32,
    base_offset: RefCell<Option<Result<i64, Error>>>,
    bell: Notify,
}

impl Future for Delivery {
    type Output = Result<Acknowledged, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if let Some(end) = this.outcome.base_offset.borrow().as_ref() {
                let (partition, index) = (this.outcome.partition, i64::from(this.index));
                return Poll::Ready(end.clone().map(|base| Acknowledged {
                    partition,
                    offset: if base < 0 { -1 } else { base + index },
                }));
            }
            let notified = this.notified.get_or_insert_with(|| this.outcome.bell.notified());
            if Pin::new(notified).poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.notified = None;
        }
    }
}

/// Who produces: given by a broker (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) id: ProducerId,
    pub(super) epoch: ProducerEpoch,
}

impl Identity {
    /// Nobody's.
    pub(super) const NONE: Self = Self { id: ProducerId::NONE, epoch: ProducerEpoch::NONE };
}

/// The identity and first sequence of a batch: once it was sent with them, it keeps them, or it might be stored twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    pub(super) identity: Identity,
    pub(super) sequence: Sequence,
}

/// A batch of one partition.
pub(super) struct Batch {
    /// Its place among the partition's batches.
    pub(super) number: u64,
    pub(super) created: Instant,
    pub(super) stamp: Option<Stamp>,
    pub(super) last_error: Option<Rc<Error>>,
    content: Content,
    codec: Codec,
    /// Part of a transaction.
    is_transactional: bool,
    record_count: i32,
    len_bytes: usize,
    outcome: Rc<Outcome>,
}

enum Content {
    /// Being filled.
    Open(BatchBuilder),
    /// As it goes out.
    Sealed(Bytes, Option<Stamp>),
}

impl Batch {
    pub(super) fn new(
        number: u64,
        partition: i32,
        (codec, is_transactional): (Codec, bool),
        now: Instant,
    ) -> Self {
        let outcome = Outcome { partition, base_offset: RefCell::default(), bell: Notify::new() };
        let builder = BatchBuilder::new(codec);
        Self {
            number,
            created: now,
            stamp: None,
            last_error: None,
            codec,
            is_transactional,
            record_count: 0,
            len_bytes: builder.len_bytes(),
            content: Content::Open(builder),
            outcome: Rc::new(outcome),
        }
    }

    /// Adds a record unless the batch is sealed or, with records in it, would exceed `bytes_max`.
    pub(super) fn append(
        &mut self,
        record: &super::ProducerRecord<'_>,
        timestamp: ringlane_batch::TimestampMs,
        bytes_max: usize,
    ) -> Option<Delivery> {
        let Content::Open(builder) = &mut self.content else { return None };
        let len = builder.len_with(record.key, record.value, record.headers);
        if self.record_count > 0 && len > bytes_max {
            return None;
        }
        builder.append(timestamp, record.key, record.value, record.headers);
        let index = self.record_count;
        self.record_count += 1;
        self.len_bytes = builder.len_bytes();
        Some(Delivery { outcome: self.outcome.clone(), index, notified: None })
    }

    pub(super) fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Bytes before compression.
    pub(super) fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// The bytes to send, with the stamp that the batch has now.
    pub(super) fn seal(&mut self) -> Bytes {
        let stamp = self.stamp;
        let fields = fields(stamp, self.is_transactional);
        let placeholder = Content::Sealed(Bytes::new(), None);
        let bytes = match std::mem::replace(&mut self.content, placeholder) {
            Content::Open(builder) => builder.finish(&fields),
            Content::Sealed(bytes, sealed_as) if sealed_as == stamp => bytes,
            Content::Sealed(bytes, _) => restamp(&bytes, self.codec, &fields),
        };
        self.content = Content::Sealed(bytes.clone(), stamp);
        bytes
    }

    /// Tells everyone who waits how it ended: the offset of the first record, or why it is given up.
    pub(super) fn end(self, end: Result<i64, Error>) {
        self.outcome.end(end);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.outcome.end(Err(Error::Invalid("the producer ended before this was sent".into())));
    }
}

impl Outcome {
    /// The first end counts.
    fn end(&self, end: Result<i64, Error>) {
        self.base_offset.borrow_mut().get_or_insert(end);
        self.bell.notify_all();
    }
}

fn fields(stamp: Option<Stamp>, is_transactional: bool) -> BatchFields {
    let producer = stamp.map(|stamp| (stamp.identity.id, stamp.identity.epoch, stamp.sequence));
    BatchFields { producer, is_transactional, ..Default::default() }
}

/// The same records under another identity. Rare: after a batch before it was given up.
fn restamp(bytes: &[u8], codec: Codec, fields: &BatchFields) -> Bytes {
    let ours = "a batch of this producer's own";
    let view = BatchView::parse(bytes).expect(ours);
    let records = view.records(usize::MAX).expect(ours);
    let mut builder = BatchBuilder::new(codec);
    for record in records.iter() {
        let Record { timestamp, key, value, headers, .. } = record.expect(ours);
        let headers: Vec<Header<'_>> = headers.collect();
        builder.append(timestamp, key, value, &headers);
    }
    builder.finish(fields)
}
