//! A partition that this shard leads: its log, and what of it is acknowledged and visible.
//!
//! Three things are kept apart. *Appended*: in the log, with an offset. *Durable*: on disk. *Visible*: below the high
//! watermark, so consumers see it. On a durable topic (`ringlane.durable`, the default) this replica counts only its durable
//! end towards the high watermark; elsewhere its log end, as Kafka does, as far as `flush.messages` lets it. Invariant, asserted where the high watermark moves:
//! log start ≤ high watermark ≤ log end, and the high watermark never goes back.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use ringlane_batch::{
    HighWatermark, LastStableOffset, LeaderEpoch, Offset, PartitionIndex, TopicId,
};
use ringlane_reactor::{Notified, Notify};
use ringlane_storage::{AppendError, Appended, Log, LogConfig, Origin};

use crate::config::TopicConfig;

mod reading;
mod visible;

pub(crate) use reading::{Allowed, Batches};
use visible::VisibleBytes;

/// Which partition: its topic's id and its index.
pub(crate) type PartitionKey = (TopicId, PartitionIndex);

/// A partition led by this shard.
pub(crate) struct Partition {
    /// The topic's name.
    pub(crate) topic: Arc<str>,
    /// Its identity.
    pub(crate) key: PartitionKey,
    /// Its records.
    pub(crate) log: Log,
    leader_epoch: Cell<LeaderEpoch>,
    /// Shared by the partitions of the topic.
    config: RefCell<Rc<TopicConfig>>,
    in_sync_replicas: Cell<usize>,
    high_watermark: Cell<HighWatermark>,
    /// Where the log ended when it was opened.
    recovered_end: Offset,
    visible_bytes: Cell<VisibleBytes>,
    appended: Notify,
    /// Rings when what a waiter looks at may be another thing now: other settings, or a partition that is gone.
    changed: Notify,
    is_gone: Cell<bool>,
}

/// Ready at the next change of a partition; see [`Partition::changed`].
pub(crate) struct Changed {
    durable: Notified,
    /// Of a log that is not durable.
    appended: Option<Notified>,
    changed: Notified,
}

impl Future for Changed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let bells = [Some(&mut this.durable), this.appended.as_mut(), Some(&mut this.changed)];
        let mut rung = false;
        for bell in bells.into_iter().flatten() {
            rung |= Pin::new(bell).poll(cx).is_ready();
        }
        if rung { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Why a record that was appended will not be acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unacknowledged {
    /// The topic was deleted.
    Gone,
    /// The log went offline.
    LogOffline,
}

impl Partition {
    /// Takes up leading `log` in `leader_epoch`. A single replica has nobody to ask: all that it may count is visible.
    pub(crate) fn lead(
        topic: Arc<str>,
        key: PartitionKey,
        log: Log,
        leader_epoch: LeaderEpoch,
        config: impl Into<Rc<TopicConfig>>,
    ) -> Rc<Self> {
        log.assign_epoch(leader_epoch);
        let high_watermark = HighWatermark::at(log.acknowledgeable_end());
        let is_visible = high_watermark.offset() >= log.log_end().offset();
        let visible_bytes = VisibleBytes::new(log.size_bytes(), is_visible);
        Rc::new(Self {
            topic,
            key,
            recovered_end: log.log_end().offset(),
            log,
            leader_epoch: Cell::new(leader_epoch),
            config: RefCell::new(config.into()),
            in_sync_replicas: Cell::new(1),
            high_watermark: Cell::new(high_watermark),
            visible_bytes: Cell::new(visible_bytes),
            appended: Notify::new(),
            changed: Notify::new(),
            is_gone: Cell::new(false),
        })
    }

    /// The epoch in which this broker leads.
    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch.get()
    }

    /// Replicas in sync, this one included.
    pub(crate) fn in_sync_replicas(&self) -> usize {
        self.in_sync_replicas.get()
    }

    /// The topic's settings.
    pub(crate) fn config(&self) -> Rc<TopicConfig> {
        self.config.borrow().clone()
    }

    /// Takes over what a new cluster image says; the settings only where they changed.
    pub(crate) fn update(
        &self,
        leader_epoch: LeaderEpoch,
        in_sync_replicas: usize,
        settings: Option<(Rc<TopicConfig>, Rc<LogConfig>)>,
    ) {
        assert!(leader_epoch >= self.leader_epoch.get(), "a leader epoch never goes back");
        if leader_epoch > self.leader_epoch.get() {
            self.log.assign_epoch(leader_epoch);
            self.leader_epoch.set(leader_epoch);
        }
        self.in_sync_replicas.set(in_sync_replicas);
        if let Some((config, log_config)) = settings {
            self.log.set_config(log_config);
            *self.config.borrow_mut() = config;
            self.changed.notify_all();
        }
    }

    /// Whether its log went offline before all could be shown that the start recovered. An earlier run may have shown it: who
    /// was told of a lower end would take it for the log's, and begin anew there.
    pub(crate) fn hides_records(&self) -> bool {
        self.high_watermark.get().offset() < self.recovered_end
            && self.high_watermark().offset() < self.recovered_end
            && self.log.is_offline().is_some()
    }

    /// Appends one validated batch. It is neither durable nor visible yet: see [`Partition::acknowledged`]. Appends happen
    /// in the order in which their futures are first polled.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub(crate) async fn append(
        &self,
        batch: Vec<u8>,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let (len, epoch) = (batch.len(), self.leader_epoch.get());
        let appended = self.log.append_kept(batch, epoch, origin, now_ms).await?;
        let mut visible_bytes = self.visible_bytes.get();
        visible_bytes.append(len, appended.last_offset.plus(1));
        self.visible_bytes.set(visible_bytes);
        self.appended.notify_all();
        Ok(appended)
    }

    /// Ready once everything before `end` may be acknowledged, which a client may then also read.
    ///
    /// # Errors
    /// When the log went offline or the topic was deleted first.
    pub(crate) async fn acknowledged(&self, end: Offset) -> Result<(), Unacknowledged> {
        loop {
            let mut acknowledgeable = self.log.acknowledgeable(end);
            let mut changed = self.changed.notified();
            if self.high_watermark().offset() >= end {
                return Ok(());
            }
            // First, because a deleted log is closed, which is offline, too.
            if self.is_gone() {
                return Err(Unacknowledged::Gone);
            }
            if self.log.is_offline().is_some() {
                return Err(Unacknowledged::LogOffline);
            }
            poll_fn(|cx| {
                let ready = Pin::new(&mut acknowledgeable).poll(cx).is_ready();
                match Pin::new(&mut changed).poll(cx).is_ready() || ready {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        }
    }

    /// What consumers may see.
    pub(crate) fn high_watermark(&self) -> HighWatermark {
        let mine = self.log.acknowledgeable_end();
        // A topic that becomes durable may have shown more than it has synced: what was visible stays visible.
        let moved = HighWatermark::at(mine).max(self.high_watermark.get());
        let log_end = self.log.log_end().offset();
        assert!(moved.offset() <= log_end, "visible is appended");
        self.high_watermark.set(moved);
        let mut visible_bytes = self.visible_bytes.get();
        visible_bytes.show(moved.offset(), log_end);
        self.visible_bytes.set(visible_bytes);
        moved
    }

    /// At least and at most so many bytes are visible, counted from one origin as long as this broker leads; the same where
    /// everything is.
    pub(crate) fn visible_bytes(&self) -> (u64, u64) {
        self.high_watermark();
        let visible_bytes = self.visible_bytes.get();
        (visible_bytes.least(), visible_bytes.most())
    }

    /// What `read_committed` consumers may see: there are no open transactions.
    pub(crate) fn last_stable_offset(&self) -> LastStableOffset {
        LastStableOffset::at(self.high_watermark().offset())
    }

    /// Ready at the next change of what is visible, of the log's health or of the settings, or when the partition goes.
    pub(crate) fn changed(&self) -> Changed {
        let appended = (!self.config.borrow().durable).then(|| self.appended.notified());
        Changed { durable: self.log.durable_changed(), appended, changed: self.changed.notified() }
    }

    /// Ends the partition, because its topic was deleted: whoever waits is told. Before its log is closed.
    pub(crate) fn end(&self) {
        self.is_gone.set(true);
        self.changed.notify_all();
    }

    /// Whether its topic was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }
}

#[cfg(test)]
mod tests;
