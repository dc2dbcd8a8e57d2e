//! The task that carries out what `membership` decides: sends its requests on the group's own connection, makes the
//! leader's assignment, keeps heartbeats going while the application works on records.
//!
//! Always: a word from the consumer is heard while a join waits for the other members. The task ends with the
//! consumer's handle.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::sleep_until};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, Request, SyncGroupRequest},
};

use crate::{
    cluster::{Call, Cluster, CoordinatorKind, Deadline, Lane, Metadata, Target, lock},
    conn::{VersionRange, known_versions},
    consumer::{
        assignors::Topics,
        lookup::{Event, Events},
        settings::{ClassicSettings, GroupSettings},
    },
    error::{ApiError, ClientError},
};

use super::{
    handle::{Command, Member, Watched, partition_count},
    membership::{Coordinator, Membership, Step},
};

/// Starts the task.
pub(super) fn start(
    cluster: Cluster,
    settings: GroupSettings,
    classic: ClassicSettings,
    events: Events,
) -> Result<Member, ClientError> {
    let now = Instant::now();
    let (member, words) = Member::new(now);
    let task = Task {
        group: settings.id.clone(),
        has_instance: settings.instance_id.is_some(),
        // An answer that takes longer than the session is one that has been lost.
        heartbeat_timeout: classic
            .session_timeout
            .min(cluster.settings().request_timeout),
        machine: Membership::new(settings, classic, cluster.settings().retry_backoff, now)?,
        cluster,
        events,
        last_poll: words.last_poll,
        watched: words.watched,
    };
    tokio::spawn(task.run(words.commands));
    Ok(member)
}

struct Task {
    group: String,
    has_instance: bool,
    heartbeat_timeout: Duration,
    machine: Membership,
    cluster: Cluster,
    events: Events,
    last_poll: Arc<Mutex<Instant>>,
    watched: Watched,
}

/// What came first.
enum First<T> {
    Done(T),
    Word(Option<Command>),
}

impl Task {
    async fn run(mut self, mut words: mpsc::UnboundedReceiver<Command>) {
        loop {
            while let Some(notice) = self.machine.notice() {
                let _ = self.events.send(Event::Group(notice));
            }
            self.machine.polled(*lock(&self.last_poll));
            let word = match self.machine.next(Instant::now()) {
                Step::Wait(until) => match first(wait(until), &mut words).await {
                    First::Done(()) => continue,
                    First::Word(word) => word,
                },
                Step::Join(request) => {
                    *lock(&self.watched) = None;
                    let within = self.machine.join_timeout(self.request_timeout());
                    match first_in_rebalance(
                        self.send(&request, self.join_versions(), within),
                        &mut words,
                    )
                    .await
                    {
                        First::Done(outcome) => {
                            let coordinator = self.machine.joined(outcome, Instant::now());
                            self.mind(coordinator);
                            continue;
                        }
                        First::Word(word) => word,
                    }
                }
                Step::LookUp(topics) => {
                    match first_in_rebalance(self.look_up(&topics), &mut words).await {
                        First::Done(outcome) => {
                            self.machine.share_out(outcome, Instant::now());
                            continue;
                        }
                        First::Word(word) => word,
                    }
                }
                Step::Sync(request) => {
                    let within = self.machine.join_timeout(self.request_timeout());
                    match first_in_rebalance(
                        self.send(&request, self.sync_versions(), within),
                        &mut words,
                    )
                    .await
                    {
                        First::Done(outcome) => {
                            let coordinator = self.machine.synced(outcome, Instant::now());
                            self.mind(coordinator);
                            continue;
                        }
                        First::Word(word) => word,
                    }
                }
                Step::Heartbeat(request) => {
                    let within = self.heartbeat_timeout;
                    let versions = self.heartbeat_versions();
                    match first(self.send(&request, versions, within), &mut words).await {
                        First::Done(outcome) => {
                            let coordinator = self.machine.beaten(outcome, Instant::now());
                            self.mind(coordinator);
                            continue;
                        }
                        First::Word(word) => word,
                    }
                }
                Step::Leave(request) => {
                    self.say_farewell(&request, Deadline::after(self.request_timeout()))
                        .await;
                    continue;
                }
            };
            match word {
                Some(Command::Join(wish)) => self.machine.join(wish),
                // In a classic group the next join says what the member has.
                Some(Command::Reconciled) => {}
                Some(Command::CommitRefused(identity, error)) => {
                    self.machine
                        .commit_refused(&identity, error, Instant::now());
                }
                Some(Command::Leave(deadline, done)) => {
                    if let Some(request) =
                        self.machine.leave_request("the consumer is being closed")
                    {
                        self.say_farewell(&request, deadline).await;
                    }
                    let _ = done.send(());
                    return;
                }
                None => return,
            }
        }
    }

    fn request_timeout(&self) -> Duration {
        self.cluster.settings().request_timeout
    }

    /// Static members need versions that can say so.
    fn join_versions(&self) -> VersionRange {
        let known = known_versions::<JoinGroupRequest>();
        if self.has_instance {
            5..=*known.end()
        } else {
            known
        }
    }

    fn sync_versions(&self) -> VersionRange {
        let known = known_versions::<SyncGroupRequest>();
        if self.has_instance {
            3..=*known.end()
        } else {
            known
        }
    }

    fn heartbeat_versions(&self) -> VersionRange {
        let known = known_versions::<HeartbeatRequest>();
        if self.has_instance {
            3..=*known.end()
        } else {
            known
        }
    }

    fn mind(&self, coordinator: Coordinator) {
        if coordinator == Coordinator::Forget {
            self.cluster
                .forget_coordinator(CoordinatorKind::Group, &self.group);
        }
    }

    /// One attempt; the machine decides about further ones.
    async fn send<R: Request>(
        &self,
        request: &R,
        versions: VersionRange,
        within: Duration,
    ) -> Result<R::Response, ClientError> {
        let call = Call::until(Deadline::after(self.request_timeout())).lane(Lane::Group);
        let target = Target::Group(self.group.clone());
        let connection = self.cluster.connection_for(&target, &call).await?;
        Ok(connection.send(request, versions, within).await?)
    }

    /// Not on the group's connection: there a join may be waiting, and replies come in order.
    async fn say_farewell(&self, request: &LeaveGroupRequest, deadline: Deadline) {
        let call = Call::until(deadline);
        let target = Target::Group(self.group.clone());
        let outcome = self.cluster.call(&target, request, call, |response| {
            ErrorCode::from_code(response.error_code)
        });
        let error = match outcome.await {
            Ok(response) => ApiError::check(response.error_code, None)
                .err()
                .map(Into::into),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            tracing::debug!(group = %self.group, %error, "leaving the group failed");
        }
    }

    /// What there is of the topics; the consumer compares with it what comes later.
    async fn look_up(&self, topics: &BTreeSet<String>) -> Result<Topics, ClientError> {
        self.cluster
            .want_topics(topics.iter().map(String::as_str))?;
        let deadline = Deadline::after(self.request_timeout());
        let metadata = self.cluster.refresh(deadline).await?;
        let counts = topics
            .iter()
            .map(|topic| (topic.clone(), partition_count(&metadata, topic)));
        *lock(&self.watched) = Some(counts.collect());
        Ok(topics
            .iter()
            .map(|topic| (topic.clone(), racks(&metadata, topic)))
            .filter(|(_, partitions)| !partitions.is_empty())
            .collect())
    }
}

/// Per partition the racks of its replicas.
fn racks(metadata: &Metadata, topic: &str) -> Vec<BTreeSet<String>> {
    let known = metadata.topic(topic).filter(|topic| topic.error.is_none());
    let partitions = known.map(|topic| topic.partitions.as_slice());
    partitions
        .unwrap_or_default()
        .iter()
        .map(|partition| {
            let brokers = partition
                .replicas
                .iter()
                .filter_map(|id| metadata.broker(*id));
            brokers.filter_map(|broker| broker.rack.clone()).collect()
        })
        .collect()
}

async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits for the work, or for a word that makes it pointless.
async fn first<T>(
    work: impl Future<Output = T>,
    words: &mut mpsc::UnboundedReceiver<Command>,
) -> First<T> {
    tokio::select! {
        biased;
        word = words.recv() => First::Word(word),
        done = work => First::Done(done),
    }
}

/// The same for a step of a rebalance: commits of the generation before don't matter any more.
async fn first_in_rebalance<T>(
    work: impl Future<Output = T>,
    words: &mut mpsc::UnboundedReceiver<Command>,
) -> First<T> {
    let mut work = pin!(work);
    loop {
        match first(&mut work, words).await {
            First::Word(Some(Command::CommitRefused(..))) => {}
            other => return other,
        }
    }
}
