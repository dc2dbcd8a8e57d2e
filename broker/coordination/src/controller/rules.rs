//! What the controller must know of configuration keys, without knowing any.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::commands::ApiError;

/// Whose configuration, with the numbers of the wire and of `ConfigRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResourceType {
    Topic,
    Broker,
    ClientMetrics,
    Group,
}

impl ConfigResourceType {
    /// The type for its number; loggers have no configuration of their own in the metadata log.
    #[must_use]
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            16 => Some(Self::ClientMetrics),
            32 => Some(Self::Group),
            _ => None,
        }
    }

    #[must_use]
    pub const fn number(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

/// The tables of keys, as functions; the shell implements them over `ottla-config`.
pub trait ConfigRules: Debug + Send + Sync {
    /// Whether the key holds a list, so that values can be appended to it and subtracted from it.
    fn is_list(&self, resource: ConfigResourceType, key: &str) -> bool;

    /// The value in force where none is set, for appending and subtracting.
    fn default_value(&self, resource: ConfigResourceType, key: &str) -> Option<String>;

    /// Checks all that will be set for the resource after a change, with the reference's words on failure.
    fn validate(
        &self,
        resource: ConfigResourceType,
        name: &str,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), ApiError>;
}
