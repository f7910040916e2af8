//! Reads the topics from a consumer's subscription: the one place where the coordinator looks into a member's
//! metadata.

use super::records::Reader;

/// The topics of a `consumer` subscription of any version: all begin with version 0's fields, a version and the
/// topics (`ConsumerProtocolSubscription.json`). None when the bytes are something else.
pub(super) fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(metadata);
    let version = reader.i16().ok()?;
    let count = reader.i32().ok()?;
    if version < 0 || count < 0 {
        return None;
    }
    let mut topics = Vec::new();
    // Each round consumes bytes or fails, so a false count cannot make this long.
    for _ in 0..count {
        topics.push(reader.string().ok()?.to_owned());
    }
    Some(topics)
}
