//! The task that carries out what `membership` decides: sends its requests on the group's own connection, makes the
//! leader's assignment, keeps heartbeats going while the application works on records.
//!
//! Always: a word from the consumer is heard while a join waits for the other members. The task ends with the
//! consumer's handle.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, Request, SyncGroupRequest},
};

use crate::{
    cluster::{Call, Cluster, CoordinatorKind, Deadline, Lane, Metadata, Target, lock},
    conn::{VersionRange, known_versions},
    consumer::{
        assignors::{self, Assignment, Assignor, Topics},
        lookup::{Event, Events},
        settings::GroupSettings,
    },
    error::{ApiError, ClientError},
};

use super::membership::{Coordinator, Membership, Step};

/// The consumer's handle.
#[derive(Debug)]
pub(in crate::consumer) struct Member {
    commands: mpsc::UnboundedSender<Command>,
    last_poll: Arc<Mutex<Instant>>,
    watched: Watched,
}

/// Topics whose number of partitions the leader went by; none for who does not lead.
type Watched = Arc<Mutex<Option<BTreeMap<String, usize>>>>;

/// A word from the consumer. Few: one per rebalance.
#[derive(Debug)]
enum Command {
    Join(Vec<String>),
    Leave(Deadline, oneshot::Sender<()>),
}

/// Starts the task; notices come as events.
pub(in crate::consumer) fn start(
    cluster: Cluster,
    settings: GroupSettings,
    events: Events,
) -> Result<Member, ClientError> {
    let now = Instant::now();
    let (commands, words) = mpsc::unbounded_channel();
    let last_poll = Arc::new(Mutex::new(now));
    let watched = Watched::default();
    let task = Task {
        group: settings.id.clone(),
        has_instance: settings.instance_id.is_some(),
        machine: Membership::new(settings, cluster.settings().retry_backoff, now)?,
        cluster,
        events,
        last_poll: last_poll.clone(),
        watched: watched.clone(),
    };
    tokio::spawn(task.run(words));
    Ok(Member {
        commands,
        last_poll,
        watched,
    })
}

impl Member {
    /// The partitions have been let go; join with these topics.
    pub(in crate::consumer) fn join(&self, topics: Vec<String>) {
        let _ = self.commands.send(Command::Join(topics));
    }

    pub(in crate::consumer) fn polled(&self, now: Instant) {
        *lock(&self.last_poll) = now;
    }

    /// Whether this member leads and topics have changed since it made the assignment.
    pub(in crate::consumer) fn is_outdated(&self, metadata: &Metadata) -> bool {
        let watched = lock(&self.watched);
        let mut watched = watched.iter().flatten();
        watched.any(|(topic, count)| partition_count(metadata, topic) != *count)
    }

    /// Says farewell, as far as the time allows.
    pub(in crate::consumer) async fn leave(self, deadline: Deadline) {
        let (done, left) = oneshot::channel();
        let _ = self.commands.send(Command::Leave(deadline, done));
        let _ = tokio::time::timeout(deadline.left(), left).await;
    }
}

fn partition_count(metadata: &Metadata, topic: &str) -> usize {
    let known = metadata.topic(topic).filter(|topic| topic.error.is_none());
    known.map_or(0, |topic| topic.partitions.len())
}

struct Task {
    group: String,
    has_instance: bool,
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
                    match first(
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
                Step::Assign { assignor, members } => {
                    let outcome = self.share_out(assignor, &members).await;
                    self.machine.assigned(outcome, Instant::now());
                    continue;
                }
                Step::Sync(request) => {
                    let within = self.machine.join_timeout(self.request_timeout());
                    match first(
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
                    let within = self.request_timeout();
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
                Some(Command::Join(topics)) => self.machine.join(topics),
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

    /// The leader's work: looks all members' topics up and shares them out.
    async fn share_out(
        &self,
        assignor: Assignor,
        members: &[assignors::Member],
    ) -> Result<Assignment, ClientError> {
        let topics: BTreeSet<&str> = members
            .iter()
            .flat_map(|member| &member.topics)
            .map(String::as_str)
            .collect();
        self.cluster.want_topics(topics.iter().copied())?;
        let deadline = Deadline::after(self.request_timeout());
        let metadata = self.cluster.refresh(deadline).await?;
        let counts = topics.iter().map(|topic| {
            let count = partition_count(&metadata, topic);
            ((*topic).to_owned(), count)
        });
        *lock(&self.watched) = Some(counts.collect());
        let described: Topics = topics
            .iter()
            .map(|topic| ((*topic).to_owned(), racks(&metadata, topic)))
            .filter(|(_, partitions)| !partitions.is_empty())
            .collect();
        Ok(assignor.assign(&described, members))
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
