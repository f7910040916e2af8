//! Our table of fields against Kafka's schemas: order, types, versions, nulls, tags and defaults of every field.
//!
//! This is what tells two neighbouring fields of one type apart, which no round trip can, and what covers versions newer
//! than the oracle. `kafka_schemas.txt` holds the schemas' facts; `kafka_schemas.py` writes it from a kafka-clients jar.

use std::fmt::Write as _;

use super::message_cases;
use crate::ApiKey;
use crate::field::{Field, Kind, Versions, WriteField};
use crate::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, VERSION_MAX,
};

#[test]
fn the_table_says_what_kafkas_schemas_say() {
    let expected = include_str!("kafka_schemas.txt");
    let expected: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
    let ours = table();
    let ours: Vec<&str> = ours.lines().collect();
    let differing = ours.iter().zip(&expected).find(|(ours, expected)| ours != expected);
    if let Some((ours, expected)) = differing {
        panic!("our row:   {ours}\nin Kafka:  {expected}");
    }
    assert_eq!(ours.len(), expected.len(), "rows missing at the end");
}

/// A decoder may see tags in any order, but a writer must ascend: the rows are written as they are listed.
#[test]
fn tags_ascend_within_each_struct() {
    fn check(kind: Kind) {
        match kind {
            Kind::Primitive(_) => {}
            Kind::Array(element) => check(*element),
            Kind::Struct { name, fields } => {
                let tags: Vec<u32> = fields.iter().filter_map(|field| field.spec.tag).collect();
                assert!(tags.is_sorted_by(|a, b| a < b), "{name}: {tags:?}");
                fields.iter().for_each(|field| check(field.kind));
            }
        }
    }
    message_cases().into_iter().for_each(|case| check(case.kind));
}

#[test]
fn keys_ascend_and_have_one_api_each() {
    let codes: Vec<i16> = ApiKey::ALL.iter().map(|key| key.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    assert!(ApiKey::ALL.iter().all(|key| ApiKey::from_code(key.code()) == Some(*key)));
    assert_eq!(ApiKey::from_code(-1), None);
}

/// All rows of all messages in the format of `kafka_schemas.txt`.
fn table() -> String {
    let mut text = String::new();
    for case in message_cases() {
        let (first, last) = case.versions().into_inner();
        let flexible = case.api_key.flexible_from();
        writeln!(text, "{} {first}-{last} flexible {flexible}+", case.name).unwrap();
        write_fields(&mut text, case.kind, 0, 1);
    }
    for kind in [ConsumerProtocolSubscription::KIND, ConsumerProtocolAssignment::KIND] {
        let Kind::Struct { name, .. } = kind else { unreachable!() };
        writeln!(text, "{name} 0-{VERSION_MAX} flexible none").unwrap();
        write_fields(&mut text, kind, 0, 1);
    }
    text
}

/// A nested field is there no earlier than its struct, whatever its own row says.
fn write_fields(text: &mut String, kind: Kind, outer_first: i16, depth: usize) {
    match kind {
        Kind::Primitive(_) => {}
        Kind::Array(element) => write_fields(text, *element, outer_first, depth),
        Kind::Struct { fields, .. } => {
            for field in fields {
                let first = field.spec.versions.min.max(outer_first);
                writeln!(text, "{}{}", "  ".repeat(depth), row(field, first)).unwrap();
                write_fields(text, field.kind, first, depth + 1);
            }
        }
    }
}

fn row(field: &Field, first: i16) -> String {
    let spec = field.spec;
    let versions = version_range(Versions { min: first, ..spec.versions });
    let mut row = format!("{} {} {versions}", field.name, type_name(field.kind));
    if let Some(nullable) = spec.nullable {
        write!(row, " nullable {}", version_range(nullable)).unwrap();
    }
    if spec.ignorable {
        row.push_str(" ignorable");
    }
    if let Some(tag) = spec.tag {
        write!(row, " tag {tag}").unwrap();
    }
    if let Some(default) = default(field) {
        write!(row, " default {default}").unwrap();
    }
    row
}

fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Primitive(name) => name.to_owned(),
        Kind::Array(element) => format!("[]{}", type_name(*element)),
        Kind::Struct { name, .. } => name.to_owned(),
    }
}

fn version_range(versions: Versions) -> String {
    match versions.max {
        i16::MAX => format!("{}+", versions.min),
        max => format!("{}-{max}", versions.min),
    }
}

/// The default as a schema has it: None for zero, false and empty; null is written out, but for records always implied.
fn default(field: &Field) -> Option<String> {
    match field.default {
        "" if field.kind == Kind::Primitive("records") => None,
        "" => field.spec.nullable.map(|_| "null".to_owned()),
        "Some(\"\")" | "Some(Vec::new())" => None,
        "i32::MAX" => Some(i32::MAX.to_string()),
        "i32::MIN" => Some(i32::MIN.to_string()),
        "i64::MAX" => Some(i64::MAX.to_string()),
        default => Some(default.to_owned()),
    }
}
