//! The record formats, held against bytes that Apache Kafka 4.3.1's own generated classes wrote for the same values.

use proptest::prelude::*;

use crate::group::records::{
    CommittedOffset, DecodeError, GroupMetadata, GroupRecord, MemberMetadata, Record,
};

use super::*;

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    let digits: Vec<u8> = hex.bytes().map(|b| (b as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const OFFSET_KEY: &str = "000100016700066f726465727300000007";
const GROUP_KEY: &str = "0002000167";

fn offset_record(value: Option<CommittedOffset>) -> GroupRecord {
    GroupRecord::OffsetCommit { group_id: "g".into(), topic: "orders".into(), partition: 7, value }
}

fn committed() -> CommittedOffset {
    CommittedOffset {
        offset: 42,
        leader_epoch: Some(5),
        metadata: "mé".to_owned(),
        commit_timestamp_ms: 1_700_000_000_000,
        expire_timestamp_ms: None,
    }
}

fn metadata() -> GroupMetadata {
    let member = |id: &str, instance_id: Option<&str>| MemberMetadata {
        member_id: id.to_owned(),
        instance_id: instance_id.map(str::to_owned),
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription: Bytes::new(),
        assignment: Bytes::new(),
    };
    let first = MemberMetadata {
        subscription: Bytes::from_static(&[1, 2]),
        assignment: Bytes::from_static(&[3]),
        ..member("c-1", Some("i"))
    };
    GroupMetadata {
        protocol_type: "consumer".to_owned(),
        generation: Generation(3),
        protocol: Some("range".to_owned()),
        leader: Some("c-1".to_owned()),
        state_since_ms: Some(1_700_000_000_000),
        members: vec![first, member("c-2", None)],
    }
}

const OFFSET_V3: &str = "0003000000000000002a0000000500036dc3a90000018bcfe56800";
const METADATA_V3: &str = "00030008636f6e73756d657200000003000572616e67650003632d310000018bcfe56800\
    000000020003632d31000169000163000a2f3132372e302e302e31000493e00000afc8000000020102000000010300\
    03632d32ffff000163000a2f3132372e302e302e31000493e00000afc80000000000000000";

#[test]
fn offsets_are_written_as_kafka_writes_them() {
    let Record { key, value } = offset_record(Some(committed())).encode().unwrap();
    assert_eq!(key, unhex(OFFSET_KEY));
    assert_eq!(value.unwrap(), unhex(OFFSET_V3));

    let expiring = CommittedOffset {
        expire_timestamp_ms: Some(1_700_000_060_000),
        metadata: String::new(),
        ..committed()
    };
    let value = offset_record(Some(expiring)).encode().unwrap().value.unwrap();
    assert_eq!(value, unhex("0001000000000000002a00000000018bcfe568000000018bcfe65260"));
    assert_eq!(offset_record(None).encode().unwrap().value, None);
}

#[test]
fn groups_are_written_as_kafka_writes_them() {
    let record = GroupRecord::GroupMetadata { group_id: "g".into(), value: Some(metadata()) };
    let Record { key, value } = record.encode().unwrap();
    assert_eq!(key, unhex(GROUP_KEY));
    assert_eq!(value.unwrap(), unhex(METADATA_V3));

    let empty = GroupMetadata {
        generation: Generation(4),
        protocol: None,
        leader: None,
        members: Vec::new(),
        ..metadata()
    };
    let record = GroupRecord::GroupMetadata { group_id: "g".into(), value: Some(empty) };
    let expected = "00030008636f6e73756d657200000004ffffffff0000018bcfe5680000000000";
    assert_eq!(record.encode().unwrap().value.unwrap(), unhex(expected));
}

#[test]
fn every_version_of_an_offset_is_read() {
    let no_epoch = CommittedOffset { leader_epoch: None, ..committed() };
    let bare = CommittedOffset { metadata: String::new(), ..no_epoch.clone() };
    let expiring = CommittedOffset { expire_timestamp_ms: Some(1_700_000_060_000), ..bare.clone() };
    let cases = [
        ("0000000000000000002a00000000018bcfe56800", bare),
        ("0001000000000000002a00000000018bcfe568000000018bcfe65260", expiring),
        ("0002000000000000002a00036dc3a90000018bcfe56800", no_epoch),
        (OFFSET_V3, committed()),
        ("0004000000000000002a00000005046dc3a90000018bcfe5680000", committed()),
        // With the topic id that Kafka 4.1 may add as a tagged field.
        (
            "0004000000000000002a00000005046dc3a90000018bcfe56800\
             01001000000000000000000000000000000001",
            committed(),
        ),
    ];
    for (hex, expected) in cases {
        let read = GroupRecord::decode(&unhex(OFFSET_KEY), Some(&unhex(hex)));
        assert_eq!(read, Ok(offset_record(Some(expected))), "{hex}");
    }
    let key_v0 = unhex(&OFFSET_KEY.replacen("0001", "0000", 1));
    assert_eq!(GroupRecord::decode(&key_v0, None), Ok(offset_record(None)));
}

#[test]
fn every_version_of_a_group_is_read() {
    let tail = |rebalance: &str, instance: [&str; 2]| {
        format!(
            "00000002\
             0003632d31{}000163000a2f3132372e302e302e31{rebalance}0000afc800000002010200000001030003\
             632d32{}000163000a2f3132372e302e302e31{rebalance}0000afc80000000000000000",
            instance[0], instance[1]
        )
    };
    let head = "0008636f6e73756d657200000003000572616e67650003632d31";
    let since = "0000018bcfe56800";
    let mut no_instance = metadata();
    no_instance.members[0].instance_id = None;
    let no_time = GroupMetadata { state_since_ms: None, ..no_instance.clone() };
    let mut no_rebalance = no_time.clone();
    for member in &mut no_rebalance.members {
        member.rebalance_timeout_ms = member.session_timeout_ms;
    }
    let v4 = "000409636f6e73756d6572000000030672616e676504632d310000018bcfe568000304632d310269\
              02630b2f3132372e302e302e31000493e00000afc803010202030004632d320002630b2f3132372e302e\
              302e31000493e00000afc801010000";
    let cases = [
        (format!("0000{head}{}", tail("", ["", ""])), no_rebalance),
        (format!("0001{head}{}", tail("000493e0", ["", ""])), no_time),
        (format!("0002{head}{since}{}", tail("000493e0", ["", ""])), no_instance),
        (METADATA_V3.to_owned(), metadata()),
        (v4.to_owned(), metadata()),
    ];
    for (hex, expected) in cases {
        let expected = GroupRecord::GroupMetadata { group_id: "g".into(), value: Some(expected) };
        let read = GroupRecord::decode(&unhex(GROUP_KEY), Some(&unhex(&hex)));
        assert_eq!(read, Ok(expected), "{hex}");
    }
}

#[test]
fn what_we_do_not_know_is_an_error() {
    let decode = |key: &str, value: &str| GroupRecord::decode(&unhex(key), Some(&unhex(value)));
    assert_eq!(decode("0003000167", ""), Err(DecodeError::UnknownKeyVersion(3)));
    assert_eq!(decode(OFFSET_KEY, "0005"), Err(DecodeError::UnknownValueVersion(5)));
    assert_eq!(decode(GROUP_KEY, "ffff"), Err(DecodeError::UnknownValueVersion(-1)));
    let malformed =
        |key: &str, value: &str| matches!(decode(key, value), Err(DecodeError::Malformed(_)));
    assert!(malformed("00", OFFSET_V3), "half a version");
    assert!(malformed(OFFSET_KEY, ""), "no version");
    assert!(malformed(&format!("{OFFSET_KEY}00"), OFFSET_V3), "a byte too many");
    assert!(malformed(OFFSET_KEY, &format!("{OFFSET_V3}00")), "a byte too many");
    assert!(malformed(OFFSET_KEY, &OFFSET_V3.replace("6dc3a9", "6dffff")), "not UTF-8");
    assert!(malformed(GROUP_KEY, &METADATA_V3.replace("632d32", "632d31")), "one id twice");
    let many = METADATA_V3.replacen("00000002", "7fffffff", 1);
    assert!(malformed(GROUP_KEY, &many), "two billion members in a hundred bytes");
}

#[test]
fn a_field_too_long_for_the_format_is_not_written() {
    let long = CommittedOffset { metadata: "x".repeat(32_768), ..committed() };
    assert!(offset_record(Some(long)).encode().is_err());
    let longest = CommittedOffset { metadata: "x".repeat(32_767), ..committed() };
    assert!(offset_record(Some(longest)).encode().is_ok());
}

fn any_record() -> impl Strategy<Value = GroupRecord> {
    let offset = (any::<i64>(), proptest::option::of(0..i32::MAX), ".{0,20}", 0..i64::MAX)
        .prop_map(|(offset, leader_epoch, metadata, commit_timestamp_ms)| CommittedOffset {
            offset,
            leader_epoch,
            metadata,
            commit_timestamp_ms,
            expire_timestamp_ms: None,
        });
    let offset = (".{0,9}", ".{0,9}", any::<i32>(), proptest::option::of(offset)).prop_map(
        |(group_id, topic, partition, value)| GroupRecord::OffsetCommit {
            group_id,
            topic,
            partition,
            value,
        },
    );
    let members = proptest::collection::btree_map(".{1,9}", any::<(i32, Vec<u8>, Vec<u8>)>(), 0..4);
    let group = (".{0,9}", 0..i32::MAX, members).prop_map(|(group_id, generation, members)| {
        let member = |(member_id, (timeout_ms, subscription, assignment))| MemberMetadata {
            member_id,
            instance_id: None,
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            rebalance_timeout_ms: i32::max(timeout_ms, 0),
            session_timeout_ms: timeout_ms,
            subscription: Bytes::from(subscription),
            assignment: Bytes::from(assignment),
        };
        let value = GroupMetadata {
            generation: Generation(generation),
            members: members.into_iter().map(member).collect(),
            ..metadata()
        };
        GroupRecord::GroupMetadata { group_id, value: Some(value) }
    });
    prop_oneof![offset, group]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_is_written_is_read_back(record in any_record()) {
        let Record { key, value } = record.encode().unwrap();
        prop_assert_eq!(GroupRecord::decode(&key, value.as_deref()), Ok(record));
    }

    #[test]
    fn damaged_bytes_never_panic(
        record in any_record(),
        cut in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let Record { key, value } = record.encode().unwrap();
        if let Some(value) = value {
            let mut damaged = value.to_vec();
            let at = cut.index(damaged.len());
            damaged[at] = byte;
            let _ = GroupRecord::decode(&key, Some(&damaged));
            prop_assert!(GroupRecord::decode(&key, Some(&value[..at])).is_err());
        }
    }
}
