//! Commits that the consumer makes by itself, so often and before it gives partitions up.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::admin::TopicPartition;

use super::{
    Consumer, ConsumerError,
    commit::{Offsets, report},
    fetches::wake,
    lookup::Event,
};

#[derive(Debug)]
pub(super) struct AutoCommit {
    interval: Duration,
    due_at: Instant,
    is_asked: bool,
    /// What the last ones have committed.
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

    /// Partitions have come or gone.
    pub(super) fn start_over(&mut self, now: Instant) {
        self.due_at = now + self.interval;
    }

    pub(super) fn keep(&mut self, is_assigned: impl Fn(&TopicPartition) -> bool) {
        self.committed.retain(|at, _| is_assigned(at));
    }
}

impl Consumer {
    /// All positions, where they are to be committed without being asked for.
    pub(super) fn auto_committable(&self) -> Offsets {
        match &self.auto_commit {
            Some(_) => self.consumed(),
            None => Offsets::new(),
        }
    }

    /// Commits what polls have handed out, when it is time.
    pub(super) fn commit_if_due(&mut self, now: Instant) {
        if self.is_rebalancing() || self.partitions.is_empty() {
            return;
        }
        let Some(auto) = self.auto_commit.as_mut().filter(|auto| !auto.is_asked) else {
            return;
        };
        if auto.due_at > now {
            wake(&mut self.wake_at, auto.due_at);
            return;
        }
        auto.due_at = now + auto.interval;
        wake(&mut self.wake_at, auto.due_at);
        let mut offsets = self.consumed();
        let (Some(auto), Some(committer)) = (&mut self.auto_commit, &self.committer) else {
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
        let commit = committer.once(offsets, self.identity.clone());
        report(commit, self.events.clone(), |outcome| {
            Event::AutoCommitted(outcome.map(|()| done))
        });
    }

    pub(super) fn auto_committed(
        &mut self,
        outcome: Result<BTreeMap<TopicPartition, i64>, ConsumerError>,
        now: Instant,
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
            Err(error) => {
                tracing::warn!(%error, "the automatic commit failed");
                if error.may_pass() {
                    auto.due_at = now + self.cluster.settings().retry_backoff.initial;
                }
            }
        }
    }
}
