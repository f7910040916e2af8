//! What holds for every group and for arbitrary bytes: it reads back, a wrong bit is noticed, nothing panics.

use proptest::prelude::*;
use ringlane_batch::Offset;

use super::*;

const ID: (u64, u16) = (0x1122_3344_5566_7788, 3);
const PLACE: Place = Place { file: 2, block: 77 };

fn head(n: u64) -> EntryHead {
    let kinds = [EntryKind::Batch, EntryKind::Truncate, EntryKind::LogStart];
    EntryHead {
        kind: kinds[n as usize % 3],
        topic_id: TopicId([n as u8; 16]),
        partition: PartitionIndex(n as i32),
        log_sequence: n << 33,
        base_offset: Offset(n as i64 * 10),
        segment_base: Offset(n as i64),
        position: n as u32 * 1000,
    }
}

fn listed(n: u64) -> ListedLog {
    let (topic_id, partition) = (TopicId([n as u8; 16]), PartitionIndex(n as i32));
    ListedLog { topic_id, partition, entries: n as u32, last_log_sequence: n << 40 }
}

/// The bytes of a group of `payloads` behind one of `logs` logs.
fn group(sequence: u64, logs: u64, payloads: &[Vec<u8>]) -> Vec<u8> {
    let logs: Vec<ListedLog> = (0..logs).map(listed).collect();
    let mut buffer = vec![0xee; 64 * 1024];
    let mut builder = GroupBuilder::new(&mut buffer, ID, sequence, &logs);
    for (n, payload) in payloads.iter().enumerate() {
        assert!(builder.room_for(buffer.len(), payload.len()));
        builder.add(&mut buffer, &head(n as u64), payload);
    }
    let padded = builder.finish(&mut buffer, PLACE);
    assert_eq!(padded % BLOCK_BYTES, 0);
    assert!(buffer[builder.used_bytes()..padded].iter().all(|byte| *byte == 0));
    buffer.truncate(padded);
    buffer
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20)
}

/// Everything that a reader would take from `bytes`; `None` where it would notice that something is wrong.
fn unharmed(bytes: &[u8]) -> Option<(GroupHeader, Vec<ListedLog>, Vec<Entry<'_>>)> {
    let view = parse_group(bytes).ok()?;
    let readable = view.entries();
    let logs = view.logs_before().ok()?;
    readable.fault.is_none().then_some((*view.header(), logs, readable.entries))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_group_reads_back(sequence: u64, logs in 0u64..50, payloads in payloads()) {
        let bytes = group(sequence, logs, &payloads);
        let (header, found, entries) = unharmed(&bytes).expect("it is whole");
        prop_assert_eq!((header.journal_id, header.shard), ID);
        prop_assert_eq!((header.sequence, header.place), (sequence, PLACE));
        prop_assert_eq!(header.padded_bytes(), bytes.len() as u64);
        prop_assert_eq!(found, (0..logs).map(listed).collect::<Vec<_>>());
        prop_assert_eq!(entries.len(), payloads.len());
        for (n, entry) in entries.iter().enumerate() {
            prop_assert_eq!(entry.head, head(n as u64));
            prop_assert_eq!(entry.payload, &payloads[n][..]);
        }
    }

    #[test]
    fn a_wrong_bit_is_noticed(payloads in payloads(), logs in 0u64..9, at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = group(5, logs, &payloads);
        let used = GroupHeader::parse(&bytes).expect("it is whole").bytes as usize;
        bytes[at.index(used)] ^= 1 << bit;
        prop_assert_eq!(unharmed(&bytes), None);
    }

    #[test]
    fn a_wrong_bit_in_an_entry_leaves_the_others(payloads in payloads(), at: prop::sample::Index, bit in 0u8..8) {
        prop_assume!(!payloads.is_empty());
        let mut bytes = group(5, 2, &payloads);
        let used = GroupHeader::parse(&bytes).expect("it is whole").bytes as usize;
        let first = GroupBuilder::least_bytes(2);
        bytes[first + at.index(used - first)] ^= 1 << bit;
        let readable = parse_group(&bytes).expect("the header is whole").entries();
        prop_assert!(readable.fault.is_some());
        prop_assert_eq!(readable.entries.len(), payloads.len() - 1);
    }

    #[test]
    fn bytes_of_an_older_group_do_not_pass(payloads in payloads(), sectors: [bool; 16]) {
        prop_assume!(!payloads.is_empty());
        let old = group(4, 1, &payloads);
        let mut torn = group(5, 1, &payloads);
        let kept = sectors.iter().enumerate().filter(|(n, old)| **old && n * 512 < torn.len());
        for sector in kept.map(|(n, _)| n * 512..(n + 1) * 512).collect::<Vec<_>>() {
            torn[sector.clone()].copy_from_slice(&old[sector]);
        }
        let used = GroupHeader::parse(&old).expect("it is whole").bytes as usize;
        let whole = group(5, 1, &payloads);
        match parse_group(&torn) {
            Ok(view) if view.header().sequence == 5 => {
                let whole = torn[..used] == whole[..used];
                prop_assert_eq!(view.entries().fault.is_none(), whole);
            }
            Ok(view) => prop_assert_eq!(view.header().sequence, 4),
            Err(fault) => prop_assert!(false, "the first sector is one or the other: {fault}"),
        }
    }

    /// A page of a group that lands over another of the same group.
    #[test]
    fn an_entry_at_another_place_does_not_pass(count in 2usize..9, from: prop::sample::Index, to: prop::sample::Index) {
        let payloads: Vec<Vec<u8>> = (0..count).map(|n| vec![n as u8; 100]).collect();
        let mut bytes = group(5, 2, &payloads);
        let place = |n: usize| GroupBuilder::least_bytes(2) + n * entry_bytes(100);
        let (from, to) = (from.index(count), to.index(count));
        prop_assume!(from != to);
        bytes.copy_within(place(from)..place(from + 1), place(to));
        let readable = parse_group(&bytes).expect("the header is whole").entries();
        prop_assert!(readable.fault.is_some());
        prop_assert_eq!(readable.entries.len(), count - 1);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(parse_group(&bytes).is_err());
    }

    /// As a hostile writer would make them: the checksums are right, the lengths are anything.
    #[test]
    fn no_length_is_believed(length: u32, entries: u32, logs: u32, payload: u32, small in 0u32..500) {
        let mut bytes = group(5, 3, &[vec![1; 100], vec![2; 100]]);
        let whole = GroupHeader::parse(&bytes).expect("it is whole");
        for (length, logs) in [(length, logs), (small, logs % 16), (small, 0)] {
            let mut header = whole;
            (header.bytes, header.entries, header.listed_logs) = (length, entries, logs);
            header.write(&mut bytes);
            if let Ok(view) = parse_group(&bytes) {
                let _ = (view.entries(), view.logs_before());
            }
        }
        let mut bytes = group(5, 0, &[vec![1; 100], vec![2; 100]]);
        let at = GROUP_HEADER_BYTES + 4;
        bytes[at..at + 4].copy_from_slice(&payload.to_be_bytes());
        prop_assume!(payload != 100);
        let readable = parse_group(&bytes).expect("the header is whole").entries();
        prop_assert_eq!(readable.entries.len(), 1);
    }
}

#[test]
fn every_byte_of_the_drawing() {
    let bytes = group(0x0102, 1, &[b"payload".to_vec()]);
    assert_eq!(bytes[..12], *b"RLJOURNL\x00\x01\x00\x03");
    assert_eq!(
        bytes[16..32],
        [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 0, 0, 0, 1, 2]
    );
    assert_eq!(bytes[32..44], [0, 0, 0, 168, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(bytes[48..56], [0, 0, 0, 2, 0, 0, 0, 77]);
    let entry = &bytes[88..168];
    assert_eq!(entry[4..8], [0, 0, 0, 7]);
    assert_eq!(entry[28..32], [1, 0, 0, 0]);
    assert_eq!(entry[40..48], [0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(entry[68..72], [0, 0, 0, 88]);
    assert_eq!(entry[72..80], *b"payload\0");
}

#[test]
fn unknown_kinds_and_versions_are_told() {
    let mut bytes = group(5, 0, &[vec![]]);
    let entry = GROUP_HEADER_BYTES;
    bytes[entry + 28] = 9;
    let crc = crc32c::crc32c(&bytes[entry + 4..entry + ENTRY_HEADER_BYTES]);
    bytes[entry..entry + 4].copy_from_slice(&crc.to_be_bytes());
    let readable = parse_group(&bytes).expect("the header is whole").entries();
    assert_eq!(readable, Readable { entries: vec![], fault: Some(Fault::Kind(9)) });
    bytes[9] = 2;
    let crc = header_crc(bytes.first_chunk().expect("a header"));
    bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(parse_group(&bytes).err(), Some(Fault::Version(2)));
}
