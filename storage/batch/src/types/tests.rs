//! What the newtypes promise beyond being integers.

use proptest::prelude::*;

use super::*;

#[test]
fn a_sequence_wraps_to_zero_after_the_largest() {
    assert_eq!(Sequence(5).plus(3), Sequence(8));
    assert_eq!(Sequence(i32::MAX).plus(0), Sequence(i32::MAX));
    assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
    assert_eq!(Sequence(i32::MAX).plus(i32::MAX), Sequence(i32::MAX - 1));
}

#[test]
fn topic_ids_read_as_kafka_writes_them() {
    // Both are constants of Kafka's Uuid class.
    assert_eq!(TopicId::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(TopicId::METADATA.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    assert_eq!("AAAAAAAAAAAAAAAAAAAAAQ==".parse(), Ok(TopicId::METADATA));
}

#[test]
fn text_that_is_no_topic_id_is_refused() {
    for text in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAR", "é"] {
        assert_eq!(text.parse::<TopicId>(), Err(ParseTopicIdError), "{text}");
    }
}

proptest! {
    #[test]
    fn topic_ids_survive_their_text(bytes: [u8; 16]) {
        let id = TopicId(bytes);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn random_topic_ids_never_look_like_an_option(bytes: [u8; 16]) {
        if let Some(id) = TopicId::from_random(bytes) {
            prop_assert!(!id.to_string().starts_with('-'));
            prop_assert!(id > TopicId::METADATA);
        }
    }
}
