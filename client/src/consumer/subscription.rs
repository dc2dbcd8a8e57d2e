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
    /// What fits a regular expression, which the coordinator evaluates.
    Regex(String),
}

impl Subscription {
    pub(super) fn regex(&self) -> Option<&str> {
        match self {
            Self::Regex(regex) => Some(regex),
            _ => None,
        }
    }

    /// Whether the group shares the partitions out.
    pub(super) fn is_of_group(&self) -> bool {
        matches!(self, Self::Topics(_) | Self::Pattern(_) | Self::Regex(_))
    }

    /// The names it stands for now, as far as the consumer is to know them.
    pub(super) fn topics(&self, metadata: &Metadata, exclude_internal: bool) -> Vec<String> {
        match self {
            Self::None | Self::Assigned | Self::Regex(_) => Vec::new(),
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
            Self::Regex(regex) => f.debug_tuple("Regex").field(regex).finish(),
        }
    }
}

/// Hooks into rebalances. They run within `poll`, `close` and `unsubscribe`, and may take their time: what they do
/// before they return, no other member of the group does at the same time.
///
/// A partition is assigned, and then either revoked or lost, never both. In a group that rebalances eagerly every
/// rebalance revokes everything that is assigned; in one that does so cooperatively (where all assignors are made for it, as
/// `cooperative-sticky` is) it revokes only what goes to another member, and everybody goes on reading what stays; so it is with
/// `group.protocol=consumer`, one member after the other.
pub trait RebalanceListener: Send {
    /// These partitions are now read by this consumer: from the offsets that are returned, the others from where the
    /// group has committed. Called after every rebalance, with what is new by it, which may be nothing.
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)>;

    /// These partitions are about to go to others: finish with them. The offsets that are returned are committed
    /// beforehand; of the other partitions the positions are, where offsets are committed automatically.
    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)>;

    /// These partitions may be others' already, as the group has gone on without this member: the session has timed
    /// out, `max.poll.interval.ms` has passed without a poll, another consumer has taken the static member's place.
    /// Nothing can be committed any more. Unless told otherwise, they count as revoked.
    fn on_lost(&mut self, partitions: &[TopicPartition]) {
        self.on_revoked(partitions);
    }
}
