//! What a control batch marks, by its first record: the types are Kafka's (`ControlRecordType`), as `kafka-dump-log` calls them.

use ringlane_batch::{BatchError, BatchView, Record};

/// A control batch holds one small record.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 20;
const TYPES: [&str; 7] = [
    "ABORT",
    "COMMIT",
    "LEADER_CHANGE",
    "SNAPSHOT_HEADER",
    "SNAPSHOT_FOOTER",
    "KRAFT_VERSION",
    "KRAFT_VOTERS",
];

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// What is marked.
    pub(super) control_type: &'static str,
    /// Of the transaction coordinator that ended the transaction.
    pub(super) coordinator_epoch: Option<i32>,
}

impl Marker {
    /// Of the control batch in `bytes`; `None` when compaction took its record, or that is none.
    pub(super) fn of(bytes: &[u8]) -> Result<Option<Self>, BatchError> {
        let records = BatchView::parse(bytes)?.records(DECOMPRESSED_BYTES_MAX)?;
        let first = records.iter().next().transpose()?;
        Ok(first.and_then(|record| Self::of_record(&record)))
    }

    fn of_record(record: &Record<'_>) -> Option<Self> {
        // Version i16, type i16.
        let number = i16_at(record.key?, 2)?;
        let of_type = usize::try_from(number).ok().and_then(|number| TYPES.get(number));
        let control_type = of_type.copied().unwrap_or("UNKNOWN");
        // Version i16, coordinator epoch i32.
        let epoch = || record.value?.get(2..6)?.try_into().ok().map(i32::from_be_bytes);
        let coordinator_epoch =
            if matches!(control_type, "ABORT" | "COMMIT") { epoch() } else { None };
        Some(Self { control_type, coordinator_epoch })
    }
}

fn i16_at(bytes: &[u8], at: usize) -> Option<i16> {
    bytes.get(at..at + 2)?.try_into().ok().map(i16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use ringlane_batch::{BatchBuilder, BatchFields, Codec, TimestampMs};

    use super::*;

    fn of(key: &[u8], value: &[u8]) -> Option<Marker> {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(TimestampMs(1), Some(key), Some(value), &[]);
        let fields = BatchFields { is_control: true, ..BatchFields::default() };
        Marker::of(&builder.finish(&fields)).expect("a batch")
    }

    #[test]
    fn the_first_record_says_what_is_marked() {
        let marker = |control_type, coordinator_epoch| Marker { control_type, coordinator_epoch };
        let end = [0, 0, 0, 0, 0, 7];
        assert_eq!(of(&[0, 0, 0, 0], &end), Some(marker("ABORT", Some(7))));
        assert_eq!(of(&[0, 0, 0, 1], &end), Some(marker("COMMIT", Some(7))));
        assert_eq!(of(&[0, 0, 0, 1], &end[..3]), Some(marker("COMMIT", None)));
        assert_eq!(of(&[0, 0, 0, 2], &end), Some(marker("LEADER_CHANGE", None)));
        assert_eq!(of(&[0, 0, 0, 99], &end), Some(marker("UNKNOWN", None)));
        assert_eq!(of(&[0, 0, 255, 255], &end), Some(marker("UNKNOWN", None)));
        assert_eq!(of(&[0, 0, 0], &end), None);
    }
}
