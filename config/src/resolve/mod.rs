//! Given texts over defaults: what holds, where it comes from, and whether a change may be made.

pub mod alter;
pub mod broker;
pub mod describe;
mod settings;

pub use broker::{BrokerConfig, environment_key, from_environment};
pub use describe::{Described, DescribedSynonym, Source, TopicDescriber};
pub use settings::Settings;
