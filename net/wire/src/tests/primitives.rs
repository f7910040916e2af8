//! Wire forms of single values at their limits: variable-length integers, lengths, nulls, ids, error codes, shared parts.

use bytes::Bytes;
use proptest::prelude::*;

use crate::error::{DecodeErrorReason as Reason, EncodeError};
use crate::field::{Context, ReadField, WriteField};
use crate::writer::SHARED_BYTES_MIN;
use crate::{DecodeError, ErrorCode, Reader, Records, Uuid, Writer};

const FLEXIBLE: Context = Context { version: 0, flexible: true, nullable: true };
const FIXED: Context = Context { version: 0, flexible: false, nullable: true };

fn read<'a, T: ReadField<'a>>(bytes: &'a [u8], context: Context) -> Result<T, DecodeError> {
    let mut r = Reader::new(bytes);
    let value = T::read(&mut r, context)?;
    r.finish().map(|()| value)
}

fn reason<'a, T: ReadField<'a>>(bytes: &'a [u8], context: Context) -> Option<Reason> {
    read::<T>(bytes, context).err().map(|error| error.reason)
}

fn written(value: &impl WriteField, context: Context) -> Vec<u8> {
    let mut w = Writer::new();
    value.write(&mut w, context).expect("the value has an encoding");
    w.finish().concat()
}

proptest! {
    #[test]
    fn an_unsigned_varint_comes_back(value: u32) {
        let mut w = Writer::new();
        w.put_unsigned_varint(value);
        let bytes = w.finish().concat();
        let mut r = Reader::new(&bytes);
        prop_assert_eq!(r.unsigned_varint(), Ok(value));
        prop_assert_eq!(r.remaining(), 0);
    }

    #[test]
    fn an_id_comes_back_from_its_text(bytes: [u8; 16]) {
        let id = Uuid(bytes);
        let text = id.to_string();
        prop_assert_eq!(text.len(), 22);
        prop_assert_eq!(text.parse(), Ok(id));
    }
}

#[test]
fn an_unsigned_varint_has_at_most_32_bits() {
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(), Ok(u32::MAX));
    for bytes in [[0xff, 0xff, 0xff, 0xff, 0x1f], [0x80; 5]] {
        let error = Reader::new(&bytes).unsigned_varint().expect_err("over 32 bits");
        assert_eq!(error.reason, Reason::InvalidVarint);
    }
}

/// Texts that Kafka's own `Uuid` class prints for these bits.
#[test]
fn ids_print_as_kafka_prints_them() {
    assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(Uuid(1u128.to_be_bytes()).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    for text in ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAB"] {
        assert!(text.parse::<Uuid>().is_err(), "{text:?}");
    }
}

#[test]
fn lengths_and_nulls_have_their_forms() {
    assert_eq!(written(&"ab", FIXED), [0, 2, b'a', b'b']);
    assert_eq!(written(&"ab", FLEXIBLE), [3, b'a', b'b']);
    assert_eq!(written(&None::<&str>, FIXED), [0xff, 0xff]);
    assert_eq!(written(&None::<&str>, FLEXIBLE), [0]);
    assert_eq!(written(&None::<Vec<i8>>, FIXED), [0xff, 0xff, 0xff, 0xff]);
    assert_eq!(written(&vec![5i8, 6], FIXED), [0, 0, 0, 2, 5, 6]);
    assert_eq!(written(&vec![5i8, 6], FLEXIBLE), [3, 5, 6]);
    assert_eq!(written(&1.5f64, FIXED), [0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    assert_eq!(read::<Option<&str>>(&[0xff, 0xff], FIXED), Ok(None));
    assert_eq!(read::<f64>(&[0x3f, 0xf8, 0, 0, 0, 0, 0, 0], FIXED), Ok(1.5));
    assert_eq!(read::<bool>(&[7], FIXED), Ok(true));
}

#[test]
fn bad_lengths_are_refused() {
    let never_null = Context { nullable: false, ..FIXED };
    assert_eq!(reason::<&str>(&[0xff, 0xff], FIXED), Some(Reason::UnexpectedNull));
    assert_eq!(reason::<Option<&str>>(&[0xff, 0xff], never_null), Some(Reason::UnexpectedNull));
    assert_eq!(reason::<&str>(&[0xff, 0xfe], FIXED), Some(Reason::NegativeLength(-2)));
    assert_eq!(reason::<&str>(&[0, 1, 0xff], FIXED), Some(Reason::InvalidUtf8));
    let truncated = Reason::Truncated { needed: 2, remaining: 1 };
    assert_eq!(reason::<&[u8]>(&[0, 0, 0, 2, 9], FIXED), Some(truncated));
    let too_long = Reason::ArrayTooLong { claimed: i32::MAX as usize, max: 1 };
    let bytes = [0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    assert_eq!(reason::<Vec<i32>>(&bytes, FIXED), Some(too_long));
    // A compact string may claim more than a classic one can: Kafka keeps one limit.
    let claims_32768 = [0x81, 0x80, 0x02];
    assert_eq!(reason::<&str>(&claims_32768, FLEXIBLE), Some(Reason::StringTooLong(32768)));
}

#[test]
fn strings_over_the_limit_have_no_encoding() {
    let text = "x".repeat(32768);
    for context in [FIXED, FLEXIBLE] {
        let error = text.as_str().write(&mut Writer::new(), context);
        assert_eq!(error, Err(EncodeError::TooLong { length: 32768, max: 32767 }));
    }
}

#[test]
fn large_shared_parts_are_not_copied_and_small_ones_are() {
    let large = Bytes::from(vec![7; SHARED_BYTES_MIN]);
    let small = Bytes::from(vec![8; SHARED_BYTES_MIN - 1]);
    let records = Records::Parts(vec![small.clone(), large.clone(), small, large.clone()]);
    let mut w = Writer::new();
    records.write(&mut w, FIXED).expect("records have an encoding");
    let parts = w.finish();
    let shared: Vec<bool> = parts.iter().map(|part| part.as_ptr() == large.as_ptr()).collect();
    assert_eq!(shared, [false, true, false, true]);
    assert_eq!(parts.iter().map(Bytes::len).sum::<usize>(), 4 + records.len());
}

#[test]
fn what_is_elsewhere_is_put_in_its_place() {
    let mut w = Writer::new();
    Records::Elsewhere(3).write(&mut w, FIXED).expect("records have an encoding");
    w.put_slice(b"between");
    Records::Elsewhere(0).write(&mut w, FLEXIBLE).expect("records have an encoding");
    assert_eq!(w.len(), 4 + 3 + 7 + 1);
    let mut lengths = Vec::new();
    let parts = w.finish_around(|len| {
        lengths.push(len);
        Bytes::from_static(&b"file"[..len])
    });
    assert_eq!((parts.concat(), lengths), (b"\0\0\0\x03filbetween\x01".to_vec(), vec![3, 0]));
}

#[test]
fn error_codes_of_a_later_kafka_survive() {
    let later = ErrorCode(9999);
    assert_eq!(written(&later, FIXED), 9999i16.to_be_bytes());
    assert_eq!(read::<ErrorCode>(&9999i16.to_be_bytes(), FIXED), Ok(later));
    assert_eq!(later.name(), "UNKNOWN_SERVER_ERROR");
    assert_eq!(format!("{later:?}"), "ErrorCode(9999)");
    assert!(!later.is_retriable());
}

/// The oracle knows the codes of Kafka 4.1: all of them mean the same to it and to us.
#[test]
fn error_codes_are_those_of_the_oracle() {
    let camel_case = |name: &str| -> String {
        let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
        name.split('_').map(word).collect()
    };
    let mut differing = Vec::new();
    for code in ErrorCode::ALL.iter().filter(|code| !code.is_none()) {
        let theirs = kafka_protocol::error::ResponseError::try_from_code(code.0);
        let theirs = theirs.expect("not zero");
        if matches!(theirs, kafka_protocol::error::ResponseError::Unknown(_)) {
            differing.push(*code);
            continue;
        }
        assert_eq!(format!("{theirs:?}"), camel_case(code.name()), "{}", code.0);
        if theirs.is_retriable() != code.is_retriable() {
            differing.push(*code);
        }
    }
    // Kafka made it retriable after 4.1.
    assert_eq!(differing, [ErrorCode::CONCURRENT_TRANSACTIONS]);
}
