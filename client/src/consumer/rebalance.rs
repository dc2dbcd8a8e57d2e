//! Subscriptions, and what a rebalance means for the partitions: let go, join, take over.
//!
//! Always: what was handed out is committed (where that is done automatically) and the listener has finished with the
//! partitions before the group may give them to others.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::{admin::TopicPartition, cluster::Deadline};

use super::{
    Consumer, ConsumerError,
    commit::PendingCommit,
    fetches::wake,
    group::{self, Identity, Member, Notice},
    lookup::{Event, Events},
    partitions::Phase,
    subscription::{RebalanceListener, Subscription, TopicPattern},
};

/// Where the consumer stands with its group.
#[derive(Debug, Default)]
pub(super) struct Belonging {
    member: Option<Member>,
    stage: Stage,
    /// What the group's task has told and was not looked at yet.
    pub(super) notices: VecDeque<Notice>,
    /// What was joined with.
    topics: Vec<String>,
    wants_rejoin: bool,
    failure: Option<ConsumerError>,
    /// All topics have been listed at least once, for patterns.
    pub(super) knows_all_topics: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Free to join.
    #[default]
    Out,
    /// A last commit is under way.
    LettingGo,
    Joining,
    Member,
}

/// Automatic commits.
#[derive(Debug)]
pub(super) struct AutoCommit {
    interval: Duration,
    due_at: Instant,
    is_asked: bool,
    committed: BTreeMap<TopicPartition, i64>,
}

impl AutoCommit {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            due_at: now + interval,
            is_asked: false,
            committed: BTreeMap::new(),
        }
    }
}

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

    /// Reads nothing any more; a subscribed consumer leaves its group.
    pub async fn unsubscribe(&mut self) {
        let deadline = self.cluster.default_deadline();
        self.leave_group(deadline).await;
        self.subscription = Subscription::None;
        self.belonging = Belonging::default();
        self.drop_assignment();
    }

    /// Commits what is to be committed automatically, tells the listener, and leaves.
    pub(super) async fn leave_group(&mut self, deadline: Deadline) {
        if let Some(commit) = self.last_commit(deadline.left()) {
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

    fn drop_assignment(&mut self) {
        self.partitions.assign([], Phase::Committed);
        self.fetches.keep_assigned(&self.partitions);
        if let Some(auto) = &mut self.auto_commit {
            auto.committed.clear();
        }
        self.is_dirty = true;
    }

    /// Whether records may be handed out.
    pub(super) fn may_hand_out(&self) -> bool {
        self.belonging.stage != Stage::LettingGo
    }

    /// Everything about the group that can be done without waiting.
    pub(super) fn group_step(&mut self, now: Instant) -> Result<(), ConsumerError> {
        let Some(member) = &self.belonging.member else {
            return Ok(());
        };
        member.polled(now);
        while self.may_hand_out() {
            let Some(notice) = self.belonging.notices.pop_front() else {
                break;
            };
            self.take_notice(notice);
        }
        if let Some(failure) = &self.belonging.failure {
            return Err(failure.clone());
        }
        if self.belonging.wants_rejoin && self.belonging.stage == Stage::Member {
            self.let_go();
        }
        if self.belonging.wants_rejoin && self.belonging.stage == Stage::Joining {
            self.belonging.stage = Stage::Out;
        }
        if self.belonging.stage == Stage::Out {
            self.join();
        }
        Ok(())
    }

    fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Rebalance => {
                // Who has lost the partitions since has nothing left to let go.
                let mut later = self.belonging.notices.iter();
                let is_lost = later.any(|notice| matches!(notice, Notice::Lost(_)));
                if self.belonging.stage == Stage::Member && !is_lost {
                    self.let_go();
                }
            }
            Notice::Lost(error) => {
                tracing::warn!(%error, "the group has gone on without this member");
                self.identity = None;
                let lost: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
                if let Some(listener) = self.listener.as_mut().filter(|_| !lost.is_empty()) {
                    listener.on_lost(&lost);
                }
                self.drop_assignment();
                self.belonging.stage = Stage::Out;
            }
            Notice::Assigned {
                identity,
                partitions,
            } => {
                // Since the join the subscription may have changed; the next one's answer counts.
                if self.belonging.stage == Stage::Joining && !self.belonging.wants_rejoin {
                    self.take_assignment(identity, partitions);
                }
            }
            Notice::Failed(error) => self.belonging.failure = Some(error),
        }
    }

    fn take_assignment(&mut self, identity: Identity, partitions: Vec<TopicPartition>) {
        tracing::info!(
            generation = identity.generation,
            ?partitions,
            "partitions are assigned"
        );
        self.identity = Some(identity);
        self.belonging.stage = Stage::Member;
        if let Err(error) = self.take_over(partitions.clone()) {
            self.errors.push(error);
            return;
        }
        if let Some(auto) = &mut self.auto_commit {
            auto.due_at = Instant::now() + auto.interval;
        }
        if let Some(listener) = &mut self.listener {
            for (at, offset) in listener.on_assigned(&partitions) {
                self.partitions.place(&at, offset.max(0), None);
            }
        }
    }

    /// First half of a rebalance: finish with the partitions.
    fn let_go(&mut self) {
        let group = self.settings.group.as_ref();
        // Longer than this the others need not wait for it.
        let patience = group.map_or(Duration::ZERO, |group| group.poll_interval_max / 2);
        let patience = patience.min(self.cluster.settings().request_timeout);
        match self.last_commit(patience) {
            Some(commit) => {
                self.belonging.stage = Stage::LettingGo;
                report(commit, self.events.clone(), Event::LetGo);
            }
            None => {
                self.belonging.stage = Stage::Out;
                self.drop_assignment();
            }
        }
    }

    /// The last commit before a rebalance is done, or was in vain.
    pub(super) fn has_let_go(&mut self, outcome: Result<(), ConsumerError>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, "the commit before the rebalance failed");
        }
        if self.belonging.stage == Stage::LettingGo {
            self.belonging.stage = Stage::Out;
            self.drop_assignment();
        }
    }

    /// Tells the listener and commits for the last time.
    fn last_commit(&mut self, within: Duration) -> Option<PendingCommit> {
        let revoked: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        if revoked.is_empty() {
            return None;
        }
        let mut offsets = match &self.auto_commit {
            Some(_) => self.consumed(),
            None => Vec::new(),
        };
        if let Some(listener) = self.listener.as_mut().filter(|_| self.identity.is_some()) {
            for (at, offset) in listener.on_revoked(&revoked) {
                offsets.retain(|(known, _)| *known != at);
                offsets.push((at, crate::admin::NewOffset::at(offset)));
            }
        }
        let committer = self.committer.as_ref().filter(|_| !offsets.is_empty())?;
        Some(committer.enqueue(offsets, self.identity.clone(), within))
    }

    /// Second half: the group may have the partitions.
    fn join(&mut self) {
        let is_pattern = matches!(self.subscription, Subscription::Pattern(_));
        if is_pattern && !self.belonging.knows_all_topics {
            return;
        }
        let topics = self.subscribed_topics();
        if let Some(member) = &self.belonging.member {
            member.join(topics.clone());
            self.belonging.topics = topics;
            self.belonging.stage = Stage::Joining;
            self.belonging.wants_rejoin = false;
            // What was told about the membership before is history.
            self.belonging.notices.clear();
        }
    }

    fn subscribed_topics(&self) -> Vec<String> {
        let metadata = self.cluster.metadata();
        self.subscription
            .topics(&metadata, self.settings.exclude_internal_topics)
    }

    /// The metadata is new: topics may have come, gone or grown.
    pub(super) fn compare_topics(&mut self) {
        let Some(member) = &self.belonging.member else {
            return;
        };
        let metadata = self.cluster.metadata();
        let topics = self.subscribed_topics();
        let differs = self.belonging.stage == Stage::Member && topics != self.belonging.topics;
        self.belonging.wants_rejoin |= differs;
        if self.belonging.stage == Stage::Member && member.is_outdated(&metadata) {
            self.belonging.wants_rejoin = true;
        }
        if let Subscription::Topics(topics) = &self.subscription {
            let exists = |topic: &String| metadata.topic(topic).is_some_and(|t| t.error.is_none());
            self.refresh.is_wanted |= !topics.iter().all(exists);
        }
    }

    /// Commits by itself what polls have handed out.
    pub(super) fn commit_if_due(&mut self, now: Instant) {
        let (Some(auto), Some(committer)) = (&mut self.auto_commit, &self.committer) else {
            return;
        };
        if auto.is_asked || self.belonging.stage == Stage::LettingGo || self.partitions.is_empty() {
            return;
        }
        if auto.due_at > now {
            wake(&mut self.wake_at, auto.due_at);
            return;
        }
        auto.due_at = now + auto.interval;
        wake(&mut self.wake_at, auto.due_at);
        let mut offsets = self.consumed();
        let Some(auto) = &mut self.auto_commit else {
            return;
        };
        offsets.retain(|(at, new)| auto.committed.get(at) != Some(&new.offset));
        if offsets.is_empty() {
            return;
        }
        auto.is_asked = true;
        let done: BTreeMap<_, _> = offsets
            .iter()
            .map(|(at, new)| (at.clone(), new.offset))
            .collect();
        let within = self.cluster.settings().request_timeout;
        let commit = committer.enqueue(offsets, self.identity.clone(), within);
        report(commit, self.events.clone(), |outcome| {
            Event::AutoCommitted(outcome.map(|()| done))
        });
    }

    pub(super) fn auto_committed(
        &mut self,
        outcome: Result<BTreeMap<TopicPartition, i64>, ConsumerError>,
    ) {
        let Some(auto) = &mut self.auto_commit else {
            return;
        };
        auto.is_asked = false;
        match outcome {
            Ok(offsets) => {
                for (at, offset) in offsets {
                    if self.partitions.get(&at).is_some() {
                        auto.committed.insert(at, offset);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the automatic commit failed"),
        }
    }
}

fn report(
    commit: PendingCommit,
    events: Events,
    event: impl FnOnce(Result<(), ConsumerError>) -> Event + Send + 'static,
) {
    tokio::spawn(async move {
        let _ = events.send(event(commit.done().await));
    });
}
