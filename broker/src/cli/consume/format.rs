//! How a record is printed: by a template, or as a line of JSON.

use std::io::Write;

use ringlane_batch::Record;
use serde_json::{Map, Value, json};

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Key,
    Value,
    Headers,
    Topic,
    Partition,
    Offset,
    Timestamp,
}

/// Takes a template apart.
pub(super) fn parse(template: &str) -> Result<Format, String> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut characters = template.chars();
    while let Some(character) = characters.next() {
        let part = match character {
            '\\' => {
                text.push(escape(characters.next())?);
                continue;
            }
            '%' => match characters.next() {
                Some('k') => Part::Key,
                Some('v' | 's') => Part::Value,
                Some('h') => Part::Headers,
                Some('t') => Part::Topic,
                Some('p') => Part::Partition,
                Some('o') => Part::Offset,
                Some('T') => Part::Timestamp,
                Some('%') => {
                    text.push(b'%');
                    continue;
                }
                Some(other) => {
                    return Err(format!("%{other} means nothing: use %k %v %h %t %p %o %T %%"));
                }
                None => return Err("a % stands at the end: write %% for a percent sign".into()),
            },
            other => {
                text.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(part);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(Format(parts))
}

fn escape(character: Option<char>) -> Result<u8, String> {
    match character {
        Some('n') => Ok(b'\n'),
        Some('t') => Ok(b'\t'),
        Some('r') => Ok(b'\r'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some(other) => Err(format!("\\{other} means nothing: use \\n \\t \\r \\0 \\\\")),
        None => Err("a \\ stands at the end: write \\\\ for a backslash".into()),
    }
}

impl Format {
    /// Appends `record`, of this topic and partition, to `buffer`. What is null is empty.
    pub(super) fn write(&self, place: (&str, i32), record: &Record<'_>, buffer: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => buffer.extend_from_slice(text),
                Part::Key => buffer.extend_from_slice(record.key.unwrap_or_default()),
                Part::Value => buffer.extend_from_slice(record.value.unwrap_or_default()),
                Part::Headers => write_headers(record, buffer),
                Part::Topic => buffer.extend_from_slice(place.0.as_bytes()),
                Part::Partition => write_number(i64::from(place.1), buffer),
                Part::Offset => write_number(record.offset.0, buffer),
                Part::Timestamp => write_number(record.timestamp.0, buffer),
            }
        }
    }
}

fn write_number(number: i64, buffer: &mut Vec<u8>) {
    write!(buffer, "{number}").expect("memory takes what is written");
}

/// `key=value,key=value`.
fn write_headers(record: &Record<'_>, buffer: &mut Vec<u8>) {
    for (index, header) in record.headers.clone().enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        buffer.extend_from_slice(header.key);
        buffer.push(b'=');
        buffer.extend_from_slice(header.value.unwrap_or_default());
    }
}

/// Appends `record` as a line of JSON.
pub(super) fn write_json(place: (&str, i32), record: &Record<'_>, buffer: &mut Vec<u8>) {
    let mut object = Map::new();
    object.insert("topic".into(), json!(place.0));
    object.insert("partition".into(), json!(place.1));
    object.insert("offset".into(), json!(record.offset.0));
    object.insert("timestamp".into(), json!(record.timestamp.0));
    insert_bytes(&mut object, "key", record.key);
    insert_bytes(&mut object, "value", record.value);
    let header = |header: ringlane_batch::Header<'_>| {
        let mut object = Map::new();
        object.insert("key".into(), json!(header.key_text()));
        insert_bytes(&mut object, "value", header.value);
        Value::Object(object)
    };
    object.insert("headers".into(), record.headers.clone().map(header).collect());
    serde_json::to_writer(&mut *buffer, &object).expect("memory takes what is written");
    buffer.push(b'\n');
}

/// Text as it is; other bytes in base64, under a name that says so.
pub(in crate::cli) fn insert_bytes(
    object: &mut Map<String, Value>,
    name: &str,
    bytes: Option<&[u8]>,
) {
    match bytes.map(std::str::from_utf8) {
        None => object.insert(name.into(), Value::Null),
        Some(Ok(text)) => object.insert(name.into(), json!(text)),
        Some(Err(_)) => {
            object.insert(format!("{name}_base64"), json!(base64(bytes.unwrap_or_default())))
        }
    };
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 0x3f;
            text.push(if digit > chunk.len() { '=' } else { char::from(DIGITS[index as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringlane_batch::{BatchBuilder, BatchView, Codec, Header, TimestampMs};

    fn with_record(check: impl FnOnce(&Record<'_>)) {
        let mut builder = BatchBuilder::new(Codec::None);
        let headers = [Header { key: b"a", value: Some(b"1") }, Header { key: b"b", value: None }];
        builder.append(TimestampMs(5), Some(b"key"), Some(&[0xff, 0]), &headers);
        let bytes = builder.finish(&Default::default());
        let batch = BatchView::parse(&bytes).expect("a batch");
        let records = batch.records(1000).expect("records");
        check(&records.iter().next().expect("one").expect("whole"));
    }

    #[test]
    fn a_template_is_filled_in() {
        with_record(|record| {
            let mut buffer = Vec::new();
            let format = parse("%t-%p@%o %T %k=%v [%h] 100%%\\t\\n").expect("a template");
            format.write(("t", 3), record, &mut buffer);
            assert_eq!(buffer, b"t-3@0 5 key=\xff\0 [a=1,b=] 100%\t\n");
        });
        for bad in ["%x", "%", "\\q", "\\"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_keeps_bytes_that_are_no_text() {
        with_record(|record| {
            let mut buffer = Vec::new();
            write_json(("t", 3), record, &mut buffer);
            let value: Value = serde_json::from_slice(&buffer).expect("JSON");
            assert_eq!(value["key"], json!("key"));
            assert_eq!(value["value_base64"], json!("/wA="));
            assert_eq!(value["headers"][1], json!({"key": "b", "value": null}));
            assert_eq!(
                (buffer.last(), buffer.iter().filter(|&&b| b == b'\n').count()),
                (Some(&b'\n'), 1)
            );
        });
    }

    /// The vectors of RFC 4648.
    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, encoded) in cases {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
