//! Producer ids for idempotent producers. The controller gives out blocks, so that an id costs no Raft round trip and is
//! never given twice, also after a crash (KIP-730).

use std::cell::Cell;
use std::rc::Rc;

use ringlane_batch::ProducerId;
use ringlane_controller::{Command, Outcome};

use crate::cluster::{self, ControllerUnavailable};
use crate::shard::Shard;

/// What is left of a shard's block.
#[derive(Default)]
pub(crate) struct ProducerIds {
    next: Cell<i64>,
    end: Cell<i64>,
}

impl ProducerIds {
    fn take(&self) -> Option<ProducerId> {
        let next = self.next.get();
        if next == self.end.get() {
            return None;
        }
        self.next.set(next + 1);
        Some(ProducerId(next))
    }

    fn refill(&self, first: i64, count: i32) {
        assert!(count > 0, "a block has ids");
        self.next.set(first);
        self.end.set(first + i64::from(count));
    }
}

/// A producer id that nobody had before.
///
/// # Errors
/// When the controller cannot give out a block.
pub(crate) async fn allocate(shard: &Rc<Shard>) -> Result<ProducerId, ControllerUnavailable> {
    if let Some(id) = shard.producer_ids.take() {
        return Ok(id);
    }
    let command = Command::AllocateProducerIds { broker: shard.broker() };
    let Outcome::ProducerIds { first, count } = cluster::submit(shard, command).await? else {
        return Err(ControllerUnavailable);
    };
    // Another request may have refilled meanwhile: the rest of its block is then given up, which costs nothing.
    shard.producer_ids.refill(first, count);
    shard.producer_ids.take().ok_or(ControllerUnavailable)
}
