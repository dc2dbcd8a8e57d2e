//! What can be wrong with a configuration. The texts are part of the protocol: tools print them as they come.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Invalid {
        key: String,
        value: String,
        reason: String,
    },
    /// A list as a whole is wrong.
    #[error("Configuration '{key}' {reason}")]
    List { key: String, reason: String },
    #[error("Missing required configuration \"{key}\" which has no default value.")]
    Missing { key: String },
    #[error("Unknown {kind} config name: {key}")]
    Unknown { kind: &'static str, key: String },
    #[error("Can't {operation} to key {key} because its type is not LIST.")]
    NotAList {
        operation: &'static str,
        key: String,
    },
    #[error("Null value not supported for : {keys}")]
    NullValue { keys: String },
    #[error("Error due to duplicate config keys")]
    DuplicateKeys,
    #[error("Cannot update these configs dynamically: [{keys}]")]
    ReadOnly { keys: String },
    #[error(
        "Cannot update these configs at default cluster level, broker id must be specified: [{keys}]"
    )]
    PerBrokerOnly { keys: String },
    #[error(
        "These security configs can be dynamically updated only per-listener using the listener prefix: [{keys}]"
    )]
    ListenerPrefixMissing { keys: String },
    /// Keys that are right by themselves but not together.
    #[error("{0}")]
    Conflict(String),
}

impl ConfigError {
    pub(crate) fn invalid(key: &str, value: impl ToString, reason: impl Into<String>) -> Self {
        ConfigError::Invalid {
            key: key.to_owned(),
            value: value.to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn list(key: &str, reason: impl Into<String>) -> Self {
        ConfigError::List {
            key: key.to_owned(),
            reason: reason.into(),
        }
    }
}
