//! What a poll does: look at what happened, ask for what is missing, hand out what is there.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use ottla_protocol::errors::ErrorCode;

use crate::{
    admin::{CommittedOffset, ListedOffset, Outcomes, TopicPartition},
    cluster::Deadline,
    error::{ApiError, ClientError},
};

use super::{
    Consumer, ConsumerError, ConsumerRecords, OffsetReset, fatal_topic_error,
    fetches::{Trouble, wake},
    lookup::{self, Event, Scope},
    subscription::Subscription,
};

impl Consumer {
    /// The next records, at most `max.poll.records`; waits for some until the time is up. Giving up the returned
    /// future loses nothing.
    pub async fn poll(&mut self, within: Duration) -> Result<ConsumerRecords, ConsumerError> {
        let deadline = Deadline::after(within);
        loop {
            while let Ok(event) = self.happened.try_recv() {
                self.handle(event);
            }
            let records = self.step()?;
            if !records.is_empty() {
                return Ok(records);
            }
            if deadline.has_passed() {
                // Where one thread does everything, polls without patience would keep answers from coming in.
                tokio::task::yield_now().await;
                return Ok(records);
            }
            let until_wake = self
                .wake_at
                .map(|at| at.saturating_duration_since(Instant::now()));
            let wait = until_wake.map_or(deadline.left(), |wait| wait.min(deadline.left()));
            if let Ok(Some(event)) = timeout(wait, self.happened.recv()).await {
                self.handle(event);
            }
        }
    }

    /// Everything that can be done without waiting.
    fn step(&mut self) -> Result<ConsumerRecords, ConsumerError> {
        let now = Instant::now();
        let woken = self.wake_at.take_if(|at| *at <= now).is_some();
        self.group_step(now)?;
        self.commit_if_due(now);
        self.ask(now);
        let (records, error) = self
            .fetches
            .take(&mut self.partitions, self.settings.poll_records_max);
        self.errors.extend(error);
        self.is_dirty |= !records.is_empty() || woken;
        self.send_fetches(now);
        self.refresh_metadata(now);
        if records.is_empty() && !self.errors.is_empty() {
            return Err(self.errors.remove(0));
        }
        Ok(records)
    }

    /// Looks up where partitions begin.
    fn ask(&mut self, now: Instant) {
        let questions = self.partitions.questions(now);
        if let Some(at) = questions.wake_at {
            wake(&mut self.wake_at, at);
        }
        if !questions.resets.is_empty() {
            let (unruled, asked): (Vec<_>, Vec<_>) = questions
                .resets
                .into_iter()
                .partition(|(_, reset)| *reset == OffsetReset::None);
            let backoff = self.cluster.settings().retry_backoff;
            for (at, _) in unruled {
                self.partitions.retry(&at, &backoff, now);
                self.note(ConsumerError::NoOffset(at));
            }
            let isolation = self.settings.fetch.isolation;
            if !asked.is_empty() {
                lookup::list(self.cluster.clone(), self.events.clone(), asked, isolation);
            }
        }
        if let Some(group) = &self.settings.group
            && !questions.committed.is_empty()
        {
            lookup::committed(
                self.cluster.clone(),
                self.events.clone(),
                group.id.clone(),
                self.identity_with_epoch(),
                questions.committed,
            );
        }
    }

    /// Keeps an error for the next poll without records; the same one comes again and again while its cause lasts.
    pub(super) fn note(&mut self, error: ConsumerError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn send_fetches(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_dirty) {
            return;
        }
        let metadata = self.cluster.metadata();
        let plan = self.fetches.plan(&self.partitions, &metadata, now);
        self.refresh.is_wanted |= plan.lacks_leader;
        if let Some(at) = plan.wake_at {
            wake(&mut self.wake_at, at);
        }
        for planned in plan.requests {
            lookup::fetch(self.cluster.clone(), self.events.clone(), planned);
        }
    }

    fn refresh_metadata(&mut self, now: Instant) {
        let is_due = self.refresh.is_wanted || self.cluster.metadata_is_stale();
        if !is_due || self.refresh.is_asked {
            return;
        }
        if let Some(at) = self.refresh.not_before.filter(|at| *at > now) {
            wake(&mut self.wake_at, at);
            return;
        }
        self.refresh.is_wanted = false;
        self.refresh.is_asked = true;
        let scope = match self.subscription {
            Subscription::Pattern(_) => Scope::All,
            _ => Scope::Wanted,
        };
        lookup::refresh(self.cluster.clone(), self.events.clone(), scope);
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        self.is_dirty = true;
        match event {
            Event::Fetched {
                broker,
                outcome: Ok(response),
            } => {
                let partitions = &mut self.partitions;
                let troubles = self.fetches.answered(broker, response, partitions, now);
                for trouble in troubles {
                    self.look_into(trouble, now);
                }
            }
            Event::Fetched {
                broker,
                outcome: Err(error),
            } => {
                tracing::debug!(%broker, %error, "fetching failed");
                self.fetches.failed(broker, now);
                self.refresh.is_wanted = true;
                if !error.may_pass() && !matches!(error, ClientError::TimedOut { .. }) {
                    self.note(error.into());
                }
            }
            Event::Listed { asked, outcome } => self.listed(asked, outcome, now),
            Event::Committed { asked, outcome } => self.committed_found(asked, outcome, now),
            Event::Refreshed(outcome) => self.refreshed(outcome, now),
            Event::Group(notice) => self.belonging.notices.push_back(notice),
            Event::LetGo(outcome) => self.has_let_go(outcome),
            Event::CommitRefused(identity, error) => self.commit_refused(identity, error),
            Event::AutoCommitted(outcome) => self.auto_committed(outcome, now),
        }
    }

    fn look_into(&mut self, trouble: Trouble, now: Instant) {
        match trouble {
            Trouble::Moved => self.refresh.is_wanted = true,
            Trouble::Failed(error) => self.note(error),
            Trouble::OutOfRange(partition, offset) => match self.settings.reset {
                OffsetReset::None => {
                    let backoff = self.cluster.settings().retry_backoff;
                    self.partitions.retry(&partition, &backoff, now);
                    self.note(ConsumerError::OutOfRange { partition, offset });
                }
                reset => {
                    tracing::info!(%partition, offset, ?reset, "the offset is out of range");
                    self.fetches.drop_pieces(&partition);
                    self.partitions.reset(&partition, reset);
                }
            },
        }
    }

    fn listed(
        &mut self,
        asked: Vec<(TopicPartition, OffsetReset)>,
        outcome: Result<Outcomes<TopicPartition, ListedOffset>, ClientError>,
        now: Instant,
    ) {
        let outcomes = match outcome {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let partitions = asked.into_iter().map(|(at, _)| at);
                return self.lookup_failed(partitions.collect(), error, now);
            }
        };
        for ((at, reset), (_, outcome)) in asked.into_iter().zip(outcomes) {
            match outcome {
                Ok(ListedOffset {
                    offset: Some(offset),
                    ..
                }) => self.partitions.found(&at, reset, offset),
                // No record is as young as that: the next one will be.
                Ok(_) => {
                    self.partitions.reset(&at, OffsetReset::Latest);
                }
                Err(error) => self.question_failed(at, error, now),
            }
        }
    }

    fn committed_found(
        &mut self,
        asked: Vec<TopicPartition>,
        outcome: Result<Outcomes<TopicPartition, CommittedOffset>, ClientError>,
        now: Instant,
    ) {
        let outcomes = match outcome {
            Ok(outcomes) => outcomes,
            Err(error) => return self.lookup_failed(asked, error, now),
        };
        for at in asked {
            let found = outcomes.iter().find(|(answered, _)| *answered == at);
            let found = match found {
                Some((_, Ok(committed))) => Some((committed.offset, committed.leader_epoch)),
                Some((_, Err(error))) => {
                    self.question_failed(at, error.clone(), now);
                    continue;
                }
                None => None,
            };
            let reset = self.settings.reset;
            if self.partitions.committed(&at, found, reset).is_err() {
                let backoff = self.cluster.settings().retry_backoff;
                self.partitions.retry(&at, &backoff, now);
                self.note(ConsumerError::NoOffset(at));
            }
        }
    }

    /// One partition's question was answered with an error: topics may still be on their way.
    fn question_failed(&mut self, at: TopicPartition, error: ApiError, now: Instant) {
        let backoff = self.cluster.settings().retry_backoff;
        self.partitions.retry(&at, &backoff, now);
        if error.code.is_retriable() || error.code == ErrorCode::UnknownTopicOrPartition {
            tracing::warn!(partition = %at, %error, "the offset can't be found yet");
            return;
        }
        self.note(ConsumerError::Partition {
            partition: at,
            error,
        });
    }

    fn lookup_failed(&mut self, asked: Vec<TopicPartition>, error: ClientError, now: Instant) {
        let backoff = self.cluster.settings().retry_backoff;
        for at in &asked {
            self.partitions.retry(at, &backoff, now);
        }
        // What a member is not told any more it will be told with its next epoch, or has lost.
        let is_outdated = matches!(
            error.code(),
            Some(ErrorCode::StaleMemberEpoch | ErrorCode::UnknownMemberId)
        );
        if error.may_pass() || is_outdated || matches!(error, ClientError::TimedOut { .. }) {
            tracing::warn!(%error, "offsets can't be found yet");
            return;
        }
        self.note(error.into());
    }

    fn refreshed(&mut self, outcome: Result<(), ClientError>, now: Instant) {
        self.refresh.is_asked = false;
        let metadata = self.cluster.metadata();
        let mut topics: Vec<&str> = self.partitions.keys().map(|at| at.topic.as_str()).collect();
        topics.dedup();
        let fatal = topics
            .into_iter()
            .filter_map(|topic| fatal_topic_error(&metadata, topic));
        for error in fatal.collect::<Vec<_>>() {
            self.note(error);
        }
        match outcome {
            Ok(()) => {
                self.belonging.knows_all_topics = true;
                self.compare_topics();
            }
            Err(error) => {
                tracing::warn!(%error, "the metadata can't be refreshed");
                self.refresh.is_wanted = true;
            }
        }
        // Also after success: a partition without a leader must not make the consumer ask without pause.
        self.refresh.failures = self.refresh.failures.saturating_add(1);
        let lacking = self
            .partitions
            .keys()
            .any(|at| !super::is_known(&metadata, at));
        if !lacking && !self.refresh.is_wanted {
            self.refresh.failures = 0;
        }
        let backoff = self.cluster.settings().retry_backoff;
        self.refresh.not_before = Some(now + backoff.after(self.refresh.failures.max(1)));
    }
}
