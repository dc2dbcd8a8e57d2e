//! The task that carries out what `membership` decides: sends its heartbeats on the group's own connection while the
//! application works on records, and finds names for topic ids.
//!
//! Always: an answer is waited for whatever else happens, since an assignment comes only once. The task ends with the
//! consumer's handle.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{sync::mpsc, time::sleep_until};

use ottla_protocol::{
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    wire::Uuid,
};

use crate::{
    cluster::{Call, Cluster, CoordinatorKind, Deadline, Lane, Target, lock},
    conn::{VersionRange, known_versions},
    consumer::{
        lookup::{Event, Events},
        settings::GroupSettings,
    },
    error::{ApiError, ClientError},
};

use super::{
    super::{
        handle::{Command, Member},
        membership::Coordinator,
    },
    membership::{Membership, Step},
};

/// Starts the task; notices come as events.
pub(in crate::consumer) fn start(
    cluster: Cluster,
    settings: GroupSettings,
    remote_assignor: Option<&str>,
    events: Events,
) -> Result<Member, ClientError> {
    let now = Instant::now();
    let member_id = Uuid::from(rand::random::<u128>());
    let backoff = cluster.settings().retry_backoff;
    let (member, words) = Member::new(now);
    let task = Task {
        group: settings.id.clone(),
        machine: Membership::new(settings, remote_assignor, member_id, backoff, now)?,
        cluster,
        events,
        last_poll: words.last_poll,
        heartbeat: None,
        lookup: None,
    };
    tokio::spawn(task.run(words.commands));
    Ok(member)
}

type Answer = Result<ConsumerGroupHeartbeatResponse, ClientError>;

/// What goes on beside the task's own waiting.
type UnderWay<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

struct Task {
    group: String,
    machine: Membership,
    cluster: Cluster,
    events: Events,
    last_poll: Arc<Mutex<Instant>>,
    heartbeat: UnderWay<Answer>,
    lookup: UnderWay<()>,
}

/// What came first.
enum First {
    Word(Option<Command>),
    Answer(Answer),
    LookedUp,
    Time,
}

impl Task {
    async fn run(mut self, mut words: mpsc::UnboundedReceiver<Command>) {
        loop {
            let until = self.step().await;
            match self.first(until, &mut words).await {
                First::Time => {}
                First::Answer(outcome) => {
                    self.heartbeat = None;
                    let coordinator = self.machine.answered(outcome, Instant::now());
                    if coordinator == Coordinator::Forget {
                        self.cluster
                            .forget_coordinator(CoordinatorKind::Group, &self.group);
                    }
                }
                First::LookedUp => {
                    self.lookup = None;
                    self.machine.looked_up(Instant::now());
                }
                First::Word(Some(Command::Join(wish))) => self.machine.join(wish),
                First::Word(Some(Command::Reconciled)) => self.machine.reconciled(),
                First::Word(Some(Command::CommitRefused(identity, _))) => {
                    self.machine.commit_refused(&identity, Instant::now());
                }
                First::Word(Some(Command::Leave(deadline, done))) => {
                    if let Some(request) = self.machine.leave_request() {
                        self.farewell(request, deadline).await;
                    }
                    let _ = done.send(());
                    return;
                }
                First::Word(None) => return,
            }
        }
    }

    /// Does what can be done now; returns until when there is nothing more to do.
    async fn step(&mut self) -> Option<Instant> {
        loop {
            let metadata = self.cluster.metadata();
            let name_of = |id| metadata.topic_by_id(id).map(|topic| topic.name.to_string());
            self.machine.reconcile(name_of);
            self.machine.polled(*lock(&self.last_poll));
            let step = self.machine.next(Instant::now());
            while let Some(notice) = self.machine.notice() {
                let _ = self.events.send(Event::Group(notice));
            }
            match step {
                Step::Wait(until) => return until,
                Step::Heartbeat(request) => {
                    let deadline = Deadline::after(self.cluster.settings().request_timeout);
                    self.heartbeat = Some(Box::pin(self.send(request, deadline)));
                }
                Step::LookUp(ids) => {
                    self.lookup = Some(Box::pin(look_up(self.cluster.clone(), ids)));
                }
                Step::Leave(request) => {
                    self.heartbeat = None;
                    let deadline = Deadline::after(self.cluster.settings().request_timeout);
                    self.farewell(request, deadline).await;
                }
            }
        }
    }

    async fn first(
        &mut self,
        until: Option<Instant>,
        words: &mut mpsc::UnboundedReceiver<Command>,
    ) -> First {
        tokio::select! {
            biased;
            word = words.recv() => First::Word(word),
            answer = of(&mut self.heartbeat) => First::Answer(answer),
            () = of(&mut self.lookup) => First::LookedUp,
            () = wait(until) => First::Time,
        }
    }

    fn versions(&self) -> VersionRange {
        let known = known_versions::<ConsumerGroupHeartbeatRequest>();
        if self.machine.needs_patterns() {
            1..=*known.end()
        } else {
            known
        }
    }

    /// As long as the caller's time allows.
    fn farewell(
        &self,
        request: ConsumerGroupHeartbeatRequest,
        deadline: Deadline,
    ) -> impl Future<Output = ()> + Send + use<> {
        let group = self.group.clone();
        let sending = self.send(request, deadline);
        async move {
            let error = match sending.await {
                Ok(response) => {
                    let message = response.error_message.as_deref();
                    let checked = ApiError::check(response.error_code, message);
                    checked.err().map(Into::into)
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                tracing::debug!(group, %error, "leaving the group failed");
            }
        }
    }

    /// One attempt, on the group's connection, so that a farewell comes behind a heartbeat under way. The machine
    /// decides about further ones.
    fn send(
        &self,
        request: ConsumerGroupHeartbeatRequest,
        deadline: Deadline,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let cluster = self.cluster.clone();
        let target = Target::Group(self.group.clone());
        let versions = self.versions();
        async move {
            let call = Call::until(deadline).lane(Lane::Group);
            let connection = cluster.connection_for(&target, &call).await?;
            Ok(connection.send(&request, versions, deadline.left()).await?)
        }
    }
}

/// Asks for the topics by their ids; what is found stands in the metadata afterwards.
async fn look_up(cluster: Cluster, ids: Vec<Uuid>) {
    let deadline = Deadline::after(cluster.settings().request_timeout);
    if let Err(error) = cluster.topics_by_id(&ids, deadline).await {
        tracing::debug!(%error, "names of assigned topics can't be looked up yet");
    }
}

async fn of<T>(under_way: &mut UnderWay<T>) -> T {
    match under_way {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => pending().await,
    }
}
