//! Which names a topic may have, in Kafka's words (`org.apache.kafka.common.internals.Topic`).

/// Longest name, in characters (all legal ones are one byte).
const MAX_NAME_LENGTH: usize = 249;

/// Why `name` is no topic name, as Kafka words it.
///
/// # Errors
/// The message for INVALID_TOPIC_EXCEPTION.
pub fn validate(name: &str) -> Result<(), String> {
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > MAX_NAME_LENGTH => {
            format!(
                "the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}"
            )
        }
        _ if !name.bytes().all(is_legal) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {reason}"))
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether metric names could mix this topic up with another: '.' becomes '_' there.
pub(crate) fn has_collision_chars(name: &str) -> bool {
    name.contains(['.', '_'])
}

/// The spelling that colliding names share.
pub(crate) fn unify(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kafka_judges_them() {
        for name in ["a", "A-1_b.c", "...", &"x".repeat(249)] {
            assert_eq!(validate(name), Ok(()), "{name}");
        }
        for (name, reason) in [
            ("", "the empty string is not allowed"),
            (".", "'.' is not allowed"),
            ("..", "'..' is not allowed"),
            (
                "a b",
                "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
        ] {
            assert_eq!(validate(name), Err(format!("Topic name is invalid: {reason}")));
        }
        let long = "x".repeat(250);
        let reason = format!("the length of '{long}' is longer than the max allowed length 249");
        assert_eq!(validate(&long), Err(format!("Topic name is invalid: {reason}")));
        assert!(validate("ä").is_err());
    }
}
