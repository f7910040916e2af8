//! Which partition of `__consumer_offsets` holds a group: clients of any broker must be told the same one.

/// The partition of `group_id` among `partition_count`: Java's `Utils.abs(groupId.hashCode()) % n`, hashing UTF-16
/// code units.
///
/// # Panics
/// When `partition_count` is not positive.
pub fn partition_for(group_id: &str, partition_count: i32) -> i32 {
    assert!(partition_count > 0, "a topic has partitions");
    let hash = group_id
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka's abs: the one number without a positive twin counts as 0.
    hash.checked_abs().unwrap_or(0) % partition_count
}
