//! Which batches a reader of committed records passes over (KIP-98): a leader sends what was aborted, too, with a list of the
//! transactions. Pure.

use std::collections::BTreeSet;

use ringlane_batch::{BatchView, ProducerId};
use ringlane_wire::messages::fetch::AbortedTransaction;

/// The aborted transactions of a piece of a partition: where each begins, and whose it is; in order.
pub(super) type AbortedTransactions = Vec<(i64, ProducerId)>;

/// What a fetch lists, in order.
pub(super) fn in_order(listed: Option<&[AbortedTransaction]>) -> AbortedTransactions {
    let listed = listed.unwrap_or_default().iter();
    let mut aborted: AbortedTransactions =
        listed.map(|aborted| (aborted.first_offset, ProducerId(aborted.producer_id))).collect();
    aborted.sort_by_key(|(first_offset, _)| *first_offset);
    aborted
}

/// A walk through the batches of a piece, one after the other.
pub(super) struct Walk<'a> {
    coming: &'a [(i64, ProducerId)],
    /// Whose transaction, aborted later, the walk is in.
    open: BTreeSet<ProducerId>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(aborted: &'a AbortedTransactions) -> Self {
        Self { coming: aborted, open: BTreeSet::new() }
    }

    /// Whether the next batch has records for the reader: it has none when it is a marker, or was aborted.
    pub(super) fn is_for_reader(&mut self, batch: &BatchView<'_>) -> bool {
        while let Some(((first_offset, producer), rest)) = self.coming.split_first()
            && *first_offset <= batch.last_offset().0
        {
            self.open.insert(*producer);
            self.coming = rest;
        }
        if batch.is_control() {
            // A marker of a producer in an aborted transaction is that transaction's end.
            self.open.remove(&batch.producer_id());
            return false;
        }
        !(batch.is_transactional() && self.open.contains(&batch.producer_id()))
    }
}

#[cfg(test)]
mod tests {
    use ringlane_batch::{
        BatchBuilder, BatchFields, Codec, Offset, ProducerEpoch, Sequence, TimestampMs,
    };

    use super::*;

    /// A batch of two records, or a marker of one.
    fn batch(at: i64, producer: i64, is_control: bool) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..if is_control { 1 } else { 2 } {
            builder.append(TimestampMs(0), None, Some(b"v"), &[]);
        }
        let fields = BatchFields {
            base_offset: Offset(at),
            producer: Some((ProducerId(producer), ProducerEpoch(0), Sequence(0))),
            is_transactional: producer >= 0,
            is_control,
            ..BatchFields::default()
        };
        builder.finish(&fields).to_vec()
    }

    #[test]
    fn aborted_batches_and_markers_are_passed_over() {
        let listed = |producer_id, first_offset| AbortedTransaction { producer_id, first_offset };
        let aborted = in_order(Some(&[listed(2, 12), listed(1, 1), listed(1, 8)]));
        let log = [
            (0, 1, false, false),  // asked for from offset 1 on: the batch holds it
            (2, 2, false, true),   // another's, committed
            (4, 1, true, false),   // the end of the first
            (5, 1, false, true),   // the same producer's next, committed
            (7, 1, true, false),   // its end
            (8, 1, false, false),  // its third
            (10, -1, false, true), // no transaction at all
            (12, 2, false, false), //
            (14, 1, true, false),  //
            (15, 1, false, true),  // and its fourth
            (17, 2, false, false), // still the one from 12 on
        ];
        let mut walk = Walk::new(&aborted);
        for (at, producer, is_control, is_for_reader) in log {
            let bytes = batch(at, producer, is_control);
            let view = BatchView::parse(&bytes).expect("a batch");
            assert_eq!(walk.is_for_reader(&view), is_for_reader, "at {at}");
        }
    }

    #[test]
    fn without_a_list_all_but_markers_is_read() {
        for listed in [None, Some(&[][..])] {
            let aborted = in_order(listed);
            let mut walk = Walk::new(&aborted);
            for (is_control, is_for_reader) in [(false, true), (true, false)] {
                let bytes = batch(0, 1, is_control);
                let view = BatchView::parse(&bytes).expect("a batch");
                assert_eq!(walk.is_for_reader(&view), is_for_reader);
            }
        }
    }
}
