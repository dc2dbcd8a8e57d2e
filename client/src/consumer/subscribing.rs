//! What the application wants to read with its group: subscribing, changing that, leaving.

use std::collections::BTreeSet;

use crate::{admin::TopicPartition, cluster::Deadline};

use super::{
    Consumer, ConsumerError, group,
    partitions::Phase,
    rebalance::Belonging,
    settings::RebalanceProtocol,
    subscription::{RebalanceListener, Subscription, TopicPattern},
};

impl Consumer {
    /// Joins the group and reads the partitions of these topics that it assigns. No topics: leaves the group.
    pub async fn subscribe<T: Into<String>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<(), ConsumerError> {
        let mut topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        topics.sort();
        topics.dedup();
        if topics.is_empty() {
            self.unsubscribe().await;
            return Ok(());
        }
        self.cluster
            .want_topics(topics.iter().map(String::as_str))?;
        self.subscribe_to(Subscription::Topics(topics))
    }

    /// The same for all topics that fit a pattern, also those made later: they are looked for as often as the
    /// metadata is refreshed.
    pub fn subscribe_pattern(&mut self, pattern: TopicPattern) -> Result<(), ConsumerError> {
        self.belonging.knows_all_topics = false;
        self.subscribe_to(Subscription::Pattern(pattern))
    }

    /// The same for a regular expression that the coordinator evaluates (RE2's syntax, whole names). With
    /// `group.protocol=consumer` only.
    pub fn subscribe_regex(&mut self, regex: impl Into<String>) -> Result<(), ConsumerError> {
        if self.protocol() != RebalanceProtocol::Coordinated {
            return Err(ConsumerError::Subscription(
                "regular expressions for the coordinator need group.protocol=consumer",
            ));
        }
        self.subscribe_to(Subscription::Regex(regex.into()))
    }

    /// Hooks into rebalances.
    pub fn set_rebalance_listener(&mut self, listener: Box<dyn RebalanceListener>) {
        self.listener = Some(listener);
    }

    fn subscribe_to(&mut self, subscription: Subscription) -> Result<(), ConsumerError> {
        let group = self.settings.group.as_ref();
        let group = group.ok_or(ConsumerError::NoGroup("subscribing to topics"))?;
        if matches!(self.subscription, Subscription::Assigned) {
            return Err(ConsumerError::Subscription(
                "partitions have been assigned by hand: unsubscribe before subscribing to topics",
            ));
        }
        if self.belonging.member.is_none() {
            let started = group::start(self.cluster.clone(), group.clone(), self.events.clone());
            self.belonging.member = Some(started?);
        }
        self.subscription = subscription;
        self.belonging.wants_rejoin = true;
        self.refresh.is_wanted = true;
        Ok(())
    }

    /// The names that the subscription stands for now, in order.
    pub(super) fn subscribed_topics(&self) -> Vec<String> {
        let metadata = self.cluster.metadata();
        self.subscription
            .topics(&metadata, self.settings.exclude_internal_topics)
    }

    /// Reads nothing any more; a subscribed consumer leaves its group.
    pub async fn unsubscribe(&mut self) {
        let deadline = self.cluster.default_deadline();
        self.leave_group(deadline).await;
        self.subscription = Subscription::None;
        self.belonging = Belonging::default();
        let all: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        self.drop_partitions(&all);
    }

    /// Commits what is to be committed automatically, tells the listener, waits for all commits, and leaves.
    pub(super) async fn leave_group(&mut self, deadline: Deadline) {
        let last = self.revoke_all();
        let pending = last.or_else(|| Some(self.committer.as_ref()?.all_before()));
        if let Some(commit) = pending {
            match tokio::time::timeout(deadline.left(), commit.done()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the last commit failed"),
                Err(_) => tracing::warn!("the last commit was not done in time"),
            }
        }
        self.identity = None;
        if let Some(member) = self.belonging.member.take() {
            member.leave(deadline).await;
        }
    }

    pub(super) fn drop_partitions(&mut self, dropped: &[TopicPartition]) {
        if dropped.is_empty() {
            return;
        }
        let dropped: BTreeSet<&TopicPartition> = dropped.iter().collect();
        let stays = |at: &&TopicPartition| !dropped.contains(at);
        let left: Vec<TopicPartition> = self.partitions.keys().filter(stays).cloned().collect();
        self.partitions.assign(left, Phase::Committed);
        self.fetches.keep_assigned(&self.partitions);
        if let Some(auto) = &mut self.auto_commit {
            let partitions = &self.partitions;
            auto.keep(|at| partitions.get(at).is_some());
        }
        self.is_dirty = true;
    }
}
