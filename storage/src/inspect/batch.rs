//! A batch as an inspection sees it: the fields of its header, where it lies, and whether its checksum holds.

use ringlane_batch::{
    BatchError, BatchHeader, BatchView, Codec, LeaderEpoch, Offset, ProducerEpoch, ProducerId,
    Sequence, TimestampMs, TimestampType,
};

/// One batch in a `.log` file. The fields are what the header says; they mean nothing when the CRC does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The file's byte where it begins.
    pub position: u64,
    /// Bytes of the batch.
    pub len: u64,
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record, or of the last there was before compaction.
    pub last_offset: Offset,
    /// Records, as the header counts them.
    pub record_count: i32,
    /// Epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// How the records are compressed.
    pub codec: Result<Codec, BatchError>,
    /// Who set the timestamps.
    pub timestamp_type: TimestampType,
    /// What the records' timestamp deltas count from.
    pub base_timestamp: TimestampMs,
    /// The largest timestamp of the records, or the time of the append.
    pub max_timestamp: TimestampMs,
    /// Who produced it, if idempotent.
    pub producer_id: ProducerId,
    /// Generation of the producer id.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record.
    pub base_sequence: Sequence,
    /// Sequence of the last record.
    pub last_sequence: Sequence,
    /// From when its tombstones and markers may go (KIP-534).
    pub delete_horizon: Option<TimestampMs>,
    /// Whether it is part of a transaction.
    pub is_transactional: bool,
    /// Whether it holds the broker's own markers.
    pub is_control: bool,
    /// The CRC-32C that it claims.
    pub crc: u32,
    /// Whether its bytes have that CRC.
    pub crc_is_valid: bool,
}

impl Batch {
    /// The offset behind this batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset.plus(1)
    }

    /// The byte behind this batch.
    pub fn end(&self) -> u64 {
        self.position + self.len
    }

    /// The batch of `len` bytes at `position` whose header, of version 2, is `header`, and whose bytes have the CRC `crc`.
    pub(super) fn of(
        mut header: [u8; BatchHeader::LEN],
        position: u64,
        len: u64,
        crc: u32,
    ) -> Self {
        assert!(len >= BatchHeader::LEN as u64, "a batch is no shorter than its header");
        // The fields are read from a header that claims no records behind it.
        let bare = (BatchHeader::LEN - BatchHeader::LOG_OVERHEAD) as i32;
        header[BatchHeader::LENGTH..][..4].copy_from_slice(&bare.to_be_bytes());
        let view = BatchView::parse(&header).expect("the header of a batch of version 2");
        Self {
            position,
            len,
            base_offset: view.base_offset(),
            last_offset: Offset(
                view.base_offset().0.saturating_add(i64::from(view.last_offset_delta())),
            ),
            record_count: view.record_count(),
            leader_epoch: view.leader_epoch(),
            codec: view.codec(),
            timestamp_type: view.timestamp_type(),
            base_timestamp: view.base_timestamp(),
            max_timestamp: view.max_timestamp(),
            producer_id: view.producer_id(),
            producer_epoch: view.producer_epoch(),
            base_sequence: view.base_sequence(),
            last_sequence: view.last_sequence(),
            delete_horizon: view.delete_horizon(),
            is_transactional: view.is_transactional(),
            is_control: view.is_control(),
            crc: view.stored_crc(),
            crc_is_valid: view.stored_crc() == crc,
        }
    }
}
