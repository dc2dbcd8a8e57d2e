//! What a topic may be called.

use ottla_protocol::errors::ErrorCode;

use super::commands::ApiError;

/// The metadata log's own topic; nobody creates it by request.
pub(super) const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";
const INTERNAL_TOPICS: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];
/// A partition's directory is the name, a hyphen and the index: more would not fit a file name.
const NAME_LENGTH_MAX: usize = 249;

/// Whether clients see the topic as internal.
#[must_use]
pub fn is_internal_topic(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// Refuses a name that can't be a topic's, with the reference's words.
pub fn validate_topic_name(name: &str) -> Result<(), ApiError> {
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." => "'.' is not allowed".to_owned(),
        ".." => "'..' is not allowed".to_owned(),
        _ if name.encode_utf16().count() > NAME_LENGTH_MAX => {
            format!(
                "the length of '{name}' is longer than the max allowed length {NAME_LENGTH_MAX}"
            )
        }
        _ if !name.bytes().all(is_legal) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(ApiError::new(
        ErrorCode::InvalidTopicException,
        format!("Topic name is invalid: {reason}"),
    ))
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Names that differ only in periods and underscores would share metrics: this is what they share. `None` where the
/// name has neither and so collides with nothing.
pub(super) fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
