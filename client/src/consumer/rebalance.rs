//! What a rebalance means for the partitions: let go what must be, join, take over what is given.
//!
//! Always: what was handed out of a partition is committed (where that is done automatically) and the listener has
//! finished with it before the group may give it to others; what the consumer keeps is read on meanwhile. Not here:
//! what is said to the coordinator.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use ottla_protocol::errors::ErrorCode;

use crate::{
    admin::{NewOffset, TopicPartition},
    error::ApiError,
};

use super::{
    Consumer, ConsumerError,
    commit::{Offsets, PendingCommit, report},
    group::{Identity, Member, Notice, Wish},
    lookup::Event,
    settings::RebalanceProtocol,
    subscription::Subscription,
};

/// Where the consumer stands with its group.
#[derive(Debug, Default)]
pub(super) struct Belonging {
    pub(super) member: Option<Member>,
    stage: Stage,
    /// What the group's task has told and was not looked at yet.
    pub(super) notices: VecDeque<Notice>,
    /// What was joined with.
    topics: Vec<String>,
    pub(super) wants_rejoin: bool,
    failure: Option<ConsumerError>,
    /// All topics have been listed at least once, for patterns.
    pub(super) knows_all_topics: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Free to join.
    #[default]
    Out,
    /// The commit of what has been let go is under way.
    LettingGo(Then),
    Joining,
    Member,
}

/// What follows when everything is let go.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    Join,
    Take {
        partitions: Vec<TopicPartition>,
        /// Others wait for what has been let go.
        join_again: bool,
    },
}

impl Consumer {
    /// Everything about the group that can be done without waiting.
    pub(super) fn group_step(&mut self, now: Instant) -> Result<(), ConsumerError> {
        let Some(member) = &self.belonging.member else {
            return Ok(());
        };
        member.polled(now);
        while !matches!(self.belonging.stage, Stage::LettingGo(_)) {
            let Some(notice) = self.belonging.notices.pop_front() else {
                break;
            };
            self.take_notice(notice);
        }
        if let Some(failure) = &self.belonging.failure {
            return Err(failure.clone());
        }
        let may_prepare = matches!(self.belonging.stage, Stage::Member | Stage::Joining);
        if self.belonging.wants_rejoin && may_prepare {
            self.prepare_join();
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
                    self.prepare_join();
                }
            }
            Notice::Lost(error) => {
                tracing::warn!(%error, "the group has gone on without this member");
                self.lose_all();
                self.belonging.stage = Stage::Out;
            }
            Notice::Assigned {
                identity,
                partitions,
            } => {
                if self.awaits_assignment() {
                    self.take_assignment(identity, partitions);
                }
            }
            Notice::Trouble(error) => self.note(error),
            Notice::Failed(error) => {
                if matches!(error, ConsumerError::Fenced(_)) {
                    self.lose_all();
                }
                self.belonging.failure = Some(error);
            }
        }
    }

    fn awaits_assignment(&self) -> bool {
        match (self.protocol(), &self.belonging.stage) {
            (RebalanceProtocol::Coordinated, stage) => {
                matches!(stage, Stage::Joining | Stage::Member)
            }
            // Since the join the subscription may have changed; the next one's answer counts.
            (_, Stage::Joining) => !self.belonging.wants_rejoin,
            _ => false,
        }
    }

    pub(super) fn protocol(&self) -> RebalanceProtocol {
        let group = self.settings.group.as_ref();
        group.map_or(RebalanceProtocol::Eager, |group| {
            group.protocol.rebalance_protocol()
        })
    }

    /// First half of a rebalance: let go what another member may get. A coordinator that assigns says itself what
    /// that is, once it knows the new subscription.
    fn prepare_join(&mut self) {
        let revoked: Vec<TopicPartition> = match self.protocol() {
            RebalanceProtocol::Eager => self.partitions.keys().cloned().collect(),
            RebalanceProtocol::Cooperative => {
                let topics = self.subscribed_topics();
                let left = |at: &&TopicPartition| topics.binary_search(&at.topic).is_err();
                self.partitions.keys().filter(left).cloned().collect()
            }
            RebalanceProtocol::Coordinated => {
                self.tell_wish();
                return;
            }
        };
        let may_commit = self.belonging.stage == Stage::Member;
        let offsets = match may_commit {
            true => self.auto_committable(),
            false => Offsets::new(),
        };
        let commit = self.revoke(&revoked, offsets);
        self.go_on_after(commit, Then::Join);
    }

    /// Tells the listener, drops the partitions, and commits what it says besides these offsets.
    fn revoke(
        &mut self,
        revoked: &[TopicPartition],
        mut offsets: Offsets,
    ) -> Option<PendingCommit> {
        // An eager listener hears of every rebalance, another one only of what it loses by it.
        let is_told = match self.protocol() {
            RebalanceProtocol::Eager => self.belonging.stage == Stage::Member,
            RebalanceProtocol::Cooperative | RebalanceProtocol::Coordinated => !revoked.is_empty(),
        };
        if let Some(listener) = self.listener.as_mut().filter(|_| is_told) {
            for (at, offset) in listener.on_revoked(revoked) {
                offsets.retain(|(known, _)| *known != at);
                offsets.push((at, NewOffset::at(offset)));
            }
        }
        self.drop_partitions(revoked);
        let committer = self.committer.as_ref().filter(|_| !offsets.is_empty())?;
        let group = self.settings.group.as_ref();
        // Longer than this the others need not wait for it.
        let patience = group.map_or(Duration::ZERO, |group| group.poll_interval_max / 2);
        let patience = patience.min(self.cluster.settings().request_timeout);
        Some(committer.persistently(offsets, self.identity.clone(), patience))
    }

    fn go_on_after(&mut self, commit: Option<PendingCommit>, then: Then) {
        match commit {
            Some(commit) => {
                self.belonging.stage = Stage::LettingGo(then);
                report(commit, self.events.clone(), Event::LetGo);
            }
            None => self.go_on(then),
        }
    }

    /// The commit of what was let go is done, or was in vain.
    pub(super) fn has_let_go(&mut self, outcome: Result<(), ConsumerError>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, "the commit of what is let go failed");
        }
        match std::mem::take(&mut self.belonging.stage) {
            Stage::LettingGo(then) => self.go_on(then),
            other => self.belonging.stage = other,
        }
    }

    fn go_on(&mut self, then: Then) {
        match then {
            Then::Join => self.belonging.stage = Stage::Out,
            Then::Take {
                partitions,
                join_again,
            } => self.take(partitions, join_again),
        }
    }

    /// Second half: the group may have what was let go.
    fn join(&mut self) {
        if self.tell_wish() {
            self.belonging.stage = Stage::Joining;
            // What was told about the membership before is history.
            self.belonging.notices.clear();
        }
    }

    /// Tells the member what to be a member with, where that is known.
    fn tell_wish(&mut self) -> bool {
        let is_pattern = matches!(self.subscription, Subscription::Pattern(_));
        if is_pattern && !self.belonging.knows_all_topics {
            return false;
        }
        let topics = self.subscribed_topics();
        let Some(member) = &self.belonging.member else {
            return false;
        };
        member.join(Wish {
            topics: topics.clone(),
            pattern: self.subscription.regex().map(str::to_owned),
            owned: self.partitions.keys().cloned().collect(),
        });
        self.belonging.topics = topics;
        self.belonging.wants_rejoin = false;
        true
    }

    /// The group has decided: lets go what is not among the assigned partitions, then takes them.
    fn take_assignment(&mut self, identity: Identity, partitions: Vec<TopicPartition>) {
        tracing::info!(?identity, ?partitions, "partitions are assigned");
        self.identity = Some(identity);
        let is_coordinated = self.protocol() == RebalanceProtocol::Coordinated;
        if !is_coordinated && !self.fits_subscription(&partitions) {
            tracing::info!("the assignment is for another subscription: joining again");
            self.belonging.stage = Stage::Member;
            self.belonging.wants_rejoin = true;
            return;
        }
        let assigned: BTreeSet<&TopicPartition> = partitions.iter().collect();
        let owned = self.partitions.keys();
        let revoked: Vec<TopicPartition> =
            owned.filter(|at| !assigned.contains(at)).cloned().collect();
        let mut offsets = self.auto_committable();
        if !is_coordinated {
            // What stays was committed before the join.
            offsets.retain(|(at, _)| !assigned.contains(at));
        }
        let commit = self.revoke(&revoked, offsets);
        let join_again = !is_coordinated && !revoked.is_empty();
        self.go_on_after(
            commit,
            Then::Take {
                partitions,
                join_again,
            },
        );
    }

    /// A pattern is what fits it, whoever has found the topic first; fixed topics are these.
    fn fits_subscription(&self, partitions: &[TopicPartition]) -> bool {
        let topics = partitions.iter().map(|at| &at.topic);
        match &self.subscription {
            Subscription::Topics(subscribed) => {
                topics.into_iter().all(|topic| subscribed.contains(topic))
            }
            Subscription::Pattern(fits) => topics.into_iter().all(|topic| fits(topic)),
            Subscription::None | Subscription::Assigned | Subscription::Regex(_) => false,
        }
    }

    fn take(&mut self, partitions: Vec<TopicPartition>, join_again: bool) {
        self.belonging.stage = Stage::Member;
        self.belonging.wants_rejoin |= join_again;
        let is_new = |at: &&TopicPartition| self.partitions.get(at).is_none();
        let added: Vec<TopicPartition> = partitions.iter().filter(is_new).cloned().collect();
        if let Err(error) = self.take_over(partitions) {
            self.errors.push(error);
            return;
        }
        if let Some(auto) = &mut self.auto_commit {
            auto.start_over(Instant::now());
        }
        if let Some(listener) = &mut self.listener {
            for (at, offset) in listener.on_assigned(&added) {
                self.partitions.place(&at, offset.max(0), None);
            }
        }
        if let Some(member) = &self.belonging.member {
            member.reconciled();
        }
    }

    /// Everything belongs to others already.
    fn lose_all(&mut self) {
        self.identity = None;
        let lost: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        if let Some(listener) = self.listener.as_mut().filter(|_| !lost.is_empty()) {
            listener.on_lost(&lost);
        }
        self.drop_partitions(&lost);
    }

    /// The last thing before the group is left: like a revocation, but in the middle of a rebalance it is too late for
    /// that.
    pub(super) fn revoke_all(&mut self) -> Option<PendingCommit> {
        let all: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        if all.is_empty() {
            return None;
        }
        let is_too_late = match self.protocol() {
            // What is left is still the member's.
            RebalanceProtocol::Coordinated => self.identity.is_none(),
            _ => self.is_rebalancing(),
        };
        if is_too_late || self.belonging.failure.is_some() {
            self.lose_all();
            return None;
        }
        let offsets = self.auto_committable();
        match self.belonging.member {
            Some(_) => self.revoke(&all, offsets),
            None => {
                let committer = self.committer.as_ref().filter(|_| !offsets.is_empty())?;
                let patience = self.cluster.settings().request_timeout;
                Some(committer.persistently(offsets, None, patience))
            }
        }
    }

    /// A subscribed consumer that is between two generations.
    pub(super) fn is_rebalancing(&self) -> bool {
        self.belonging.member.is_some() && self.belonging.stage != Stage::Member
    }

    /// On whose behalf the application commits: nobody's where it has chosen the partitions itself.
    pub(super) fn identity_of_commits(&self) -> Result<Option<Identity>, ConsumerError> {
        if !self.subscription.is_of_group() {
            return Ok(None);
        }
        match (&self.identity, &self.belonging.stage) {
            (Some(_), Stage::Joining | Stage::Out) => Err(ConsumerError::RebalanceInProgress),
            (Some(identity), _) => Ok(Some(identity.clone())),
            (None, _) => Err(ConsumerError::CommitFailed(ApiError {
                code: ErrorCode::UnknownMemberId,
                message: Some("the consumer is no member of the group".to_owned()),
            })),
        }
    }

    /// As whom committed offsets are asked for: only where the coordinator assigns it minds.
    pub(super) fn identity_with_epoch(&self) -> Option<Identity> {
        let is_coordinated = self.protocol() == RebalanceProtocol::Coordinated;
        self.identity.clone().filter(|_| is_coordinated)
    }

    /// A commit has told what heartbeats will tell as well.
    pub(super) fn commit_refused(&mut self, identity: Identity, error: ErrorCode) {
        if let Some(member) = &self.belonging.member {
            member.commit_refused(identity, error);
        }
    }

    /// The metadata is new: topics may have come, gone or grown.
    pub(super) fn compare_topics(&mut self) {
        let Some(member) = &self.belonging.member else {
            return;
        };
        let metadata = self.cluster.metadata();
        let topics = self.subscribed_topics();
        let is_member = self.belonging.stage == Stage::Member;
        let differs = topics != self.belonging.topics || member.is_outdated(&metadata);
        self.belonging.wants_rejoin |= is_member && differs;
        if let Subscription::Topics(topics) = &self.subscription {
            let exists = |topic: &String| metadata.topic(topic).is_some_and(|t| t.error.is_none());
            self.refresh.is_wanted |= !topics.iter().all(exists);
        }
    }
}
