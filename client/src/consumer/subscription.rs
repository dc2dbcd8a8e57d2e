//! What a consumer reads: partitions chosen by hand, or topics whose partitions the group shares out.

use std::sync::Arc;

use crate::{admin::TopicPartition, cluster::Metadata};

/// Topics by a rule, where there are no fixed names.
pub type TopicPattern = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What the application asked for.
#[derive(Clone, Default)]
pub(super) enum Subscription {
    #[default]
    None,
    Assigned,
    Topics(Vec<String>),
    Pattern(TopicPattern),
}

impl Subscription {
    /// The names it stands for now.
    pub(super) fn topics(&self, metadata: &Metadata, exclude_internal: bool) -> Vec<String> {
        match self {
            Self::None | Self::Assigned => Vec::new(),
            Self::Topics(topics) => topics.clone(),
            Self::Pattern(matches) => {
                let mut names: Vec<String> = metadata
                    .topics()
                    .filter(|topic| topic.error.is_none())
                    .filter(|topic| !(exclude_internal && topic.is_internal))
                    .filter(|topic| matches(&topic.name))
                    .map(|topic| topic.name.to_string())
                    .collect();
                names.sort();
                names
            }
        }
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Assigned => f.write_str("Assigned"),
            Self::Topics(topics) => f.debug_tuple("Topics").field(topics).finish(),
            Self::Pattern(_) => f.write_str("Pattern"),
        }
    }
}

/// Hooks into rebalances. They run within `poll`, `close` and `unsubscribe`.
pub trait RebalanceListener: Send {
    /// These partitions are now read by this consumer: from the offsets that are returned, the others from where the
    /// group has committed.
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)>;

    /// These partitions are about to go to others: finish with them. The offsets that are returned are committed
    /// beforehand; of the other partitions the positions are, where offsets are committed automatically.
    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)>;

    /// These partitions are others' already: nothing can be committed any more.
    fn on_lost(&mut self, partitions: &[TopicPartition]);
}
