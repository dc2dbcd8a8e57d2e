//! The admin client: what tools ask of a cluster, as plain functions with plain results.
//!
//! One file per family. Always: an error that concerns one resource is in that resource's place of the result, and
//! an `Err` means that nothing is known of any. Not here: texts for people; tools have those.

use std::{
    collections::HashMap, future::poll_fn, hash::Hash, pin::Pin, task::Poll, time::Duration,
};

use ottla_protocol::{errors::ErrorCode, messages::Request, types::BrokerId};

use crate::{
    cluster::{Call, Cluster, ClusterSettings, Deadline, Lane, Target},
    error::{ApiError, ClientError},
};

mod acls;
mod by_leader;
mod cluster;
mod configs;
mod features;
mod group_describe;
mod group_offsets;
mod groups;
mod leaders;
mod log_dirs;
mod offsets;
mod quorum;
mod quotas;
mod reassignments;
mod records;
mod scram;
#[cfg(test)]
mod security_tests;
mod topics;
mod transactions;

pub use acls::{
    AclBinding, AclEntry, AclFilter, AclOperation, AclPermission, AclResourceType, PatternType,
    ResourceFilter, ResourcePattern,
};
pub use cluster::{ClusterDescription, ClusterNode};
pub use configs::{
    AlterOp, AlterResource, ConfigEntries, ConfigEntry, ConfigLook, ConfigResource, ConfigSource,
    ConfigSynonym, ConfigType, DescribeDetail, ResourceType,
};
pub use features::{FeatureUpdate, UpgradeType};
pub use group_describe::{
    GroupDescription, GroupEpochs, GroupKind, MemberDescription, MemberEpochs, TopicPartitions,
};
pub(crate) use group_offsets::commit_topics;
pub use group_offsets::{CommittedOffset, NewOffset};
pub use groups::{GroupListing, MemberToRemove};
pub use leaders::ElectionType;
pub use log_dirs::{LogDir, ReplicaOnDisk, TopicPartitionReplica};
pub use offsets::{Isolation, ListedOffset, OffsetSpec};
pub use quorum::{QuorumDescription, QuorumEndpoint, QuorumReplica};
pub use quotas::{QuotaEntity, QuotaEntityType, QuotaMatch, Quotas};
pub use reassignments::{NewReplicas, Reassignment};
pub use scram::{ScramChange, ScramCredential, ScramMechanism};
pub use topics::{
    CreatedTopic, NewPartitions, NewTopic, PARTITIONS_PER_REQUEST, PartitionDescription,
    TopicDescription, TopicListing,
};
pub use transactions::{
    AbortSpec, ProducerState, TransactionDescription, TransactionFilter, TransactionListing,
};

/// A partition of a topic, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What became of each resource, in the order it was asked for.
pub type Outcomes<K, T = ()> = Vec<(K, Result<T, ApiError>)>;

/// A handle; clones share the cluster.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
    timeout: Duration,
    /// Who is asked what every broker can answer.
    anyone: Target,
}

impl Admin {
    /// Finds the cluster.
    pub async fn connect(settings: ClusterSettings) -> Result<Self, ClientError> {
        Ok(Self::over(Cluster::connect(settings).await?))
    }

    /// Over a cluster that is already connected.
    pub fn over(cluster: Cluster) -> Self {
        let timeout = cluster.settings().api_timeout;
        Self {
            cluster,
            timeout,
            anyone: Target::Any,
        }
    }

    /// The same with another time for each call than `default.api.timeout.ms`.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// The same, with this broker asked what every broker can answer.
    #[must_use]
    pub fn asking(&self, broker: BrokerId) -> Self {
        Self {
            anyone: Target::Broker(broker),
            ..self.clone()
        }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.cluster.close().await;
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    fn call(&self) -> Call {
        Call::until(self.deadline())
    }

    /// Asks whichever node there is, unless one was chosen; errors are left to the caller.
    async fn ask_any<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        self.cluster
            .call(&self.anyone, request, self.call(), no_error)
            .await
    }

    /// The same of the controller.
    async fn ask_controller<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        self.cluster
            .call(&Target::Controller, request, self.call(), no_error)
            .await
    }

    /// For the timeout field of requests that the broker itself may have to wait for.
    fn broker_timeout_ms(&self) -> i32 {
        let timeout = self.timeout.min(self.cluster.settings().request_timeout);
        i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// For responses without an error of their own, or whose errors concern single resources.
fn no_error<R>(_: &R) -> ErrorCode {
    ErrorCode::None
}

/// The first of the resources' errors that says the whole request went to the wrong broker or too early.
fn misdirected(codes: impl IntoIterator<Item = i16>) -> ErrorCode {
    codes
        .into_iter()
        .map(ErrorCode::from_code)
        .find(|code| {
            matches!(
                code,
                ErrorCode::NotController
                    | ErrorCode::NotCoordinator
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::CoordinatorLoadInProgress
            )
        })
        .unwrap_or(ErrorCode::None)
}

/// Puts answers into the order of the questions; what the broker left out is an error of its own.
fn in_order<K: Eq + Hash, T>(
    asked: impl IntoIterator<Item = K>,
    answers: Outcomes<K, T>,
) -> Outcomes<K, T> {
    let asked: Vec<K> = asked.into_iter().collect();
    // Nearly always.
    if asked.iter().eq(answers.iter().map(|(key, _)| key)) {
        return answers;
    }
    let mut answers: HashMap<K, Result<T, ApiError>> = answers.into_iter().collect();
    asked
        .into_iter()
        .map(|key| {
            let outcome = answers.remove(&key).unwrap_or_else(|| Err(left_out()));
            (key, outcome)
        })
        .collect()
}

fn left_out() -> ApiError {
    ApiError {
        code: ErrorCode::UnknownServerError,
        message: Some("The broker's answer does not mention it.".to_owned()),
    }
}

/// Waits for all of them at the same time; what they come to is in their order.
async fn all_at_once<F: Future>(questions: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut questions: Vec<Pin<Box<F>>> = questions.into_iter().map(Box::pin).collect();
    let mut answers: Vec<Option<F::Output>> = questions.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (question, answer) in questions.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = question.as_mut().poll(cx)
            {
                *answer = Some(ready);
            }
        }
        match answers.iter().all(Option::is_some) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// A question about many things in two halves, each for a connection of its own: brokers answer those of one connection one
/// after the other, and may take long.
fn divided<T>(mut items: Vec<T>) -> Vec<(Lane, Vec<T>)> {
    const WORTH_IT: usize = 200;
    if items.len() < WORTH_IT {
        return vec![(Lane::Control, items)];
    }
    let rest = items.split_off(items.len() / 2);
    vec![(Lane::Data, items), (Lane::Control, rest)]
}

/// Groups items by a key and keeps the order in which keys first appear.
fn grouped<K: Clone + Eq + Hash, T>(items: impl IntoIterator<Item = (K, T)>) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    let mut places: HashMap<K, usize> = HashMap::new();
    for (key, item) in items {
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}
