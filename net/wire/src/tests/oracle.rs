//! Every message and version against the `kafka-protocol` crate, whose code is generated from Kafka's own schemas.

use super::generate::Generator;
use super::message_cases;

/// Random values of each message and version.
const SEEDS: u64 = 64;

/// What we write, the oracle reads and writes in the same bytes; and we read back what we wrote.
#[test]
fn the_oracle_writes_the_bytes_that_we_write() {
    for case in message_cases() {
        for version in case.versions() {
            for seed in 0..SEEDS {
                let bytes = (case.round_trip)(&mut Generator::new(seed), version);
                if !case.oracle_versions.contains(&version) {
                    continue;
                }
                let name = case.name;
                let theirs = (case.oracle_reencode)(&bytes, version)
                    .unwrap_or_else(|e| panic!("{name} v{version} seed {seed}: {e}: {bytes:02x?}"));
                assert!(
                    theirs == bytes,
                    "{name} v{version} seed {seed}\nours:   {bytes:02x?}\ntheirs: {theirs:02x?}"
                );
            }
        }
    }
}

/// The oracle is generated from Kafka 4.1: these newer versions rest on `schema.rs` and `hand_checked.rs` alone.
#[test]
fn only_these_versions_are_unknown_to_the_oracle() {
    let mut unknown = Vec::new();
    for case in message_cases() {
        for version in case.versions().filter(|v| !case.oracle_versions.contains(v)) {
            unknown.push(format!("{} {version}", case.name));
        }
    }
    assert_eq!(
        unknown,
        [
            "ListOffsetsRequest 11",
            "ListOffsetsResponse 11",
            "OffsetCommitRequest 10",
            "OffsetFetchRequest 10",
            "DescribeLogDirsRequest 5",
            "DescribeLogDirsResponse 5"
        ]
    );
}

/// The fewest bytes that a value is said to take are those of the default value, whose strings and arrays are empty: more
/// would refuse arrays of small elements, fewer would weaken the bound on memory.
#[test]
fn the_least_size_is_that_of_the_default_value() {
    for case in message_cases() {
        for version in case.versions() {
            let bytes = (case.encode_default)(version).expect("the default has an encoding");
            let size_min = (case.size_min)(case.context(version));
            assert_eq!(bytes.len(), size_min, "{} v{version}", case.name);
        }
    }
}
