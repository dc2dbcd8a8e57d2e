//! The producer's one task: hands ready batches to their leaders and puts the answers back.
//!
//! Always: requests to one broker go out in the order batches were drained, and at most
//! `max.in.flight.requests.per.connection` of them are unanswered. Whatever takes time (connecting, waiting for an
//! answer, metadata) runs beside it and comes back as an event. Not here: any decision about a batch.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::sleep_until};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse},
    types::{BrokerId, ProducerEpoch, ProducerId},
    wire::{StrBytes, Uuid},
};

use crate::{
    cluster::{Call, Deadline, Lane, Metadata, Target, lock},
    conn::{Connection, RequestError},
    error::{ApiError, ClientError},
};

use super::{
    Acks, BatchPlace, BatchReport, ProduceError, Shared,
    accumulator::Slot,
    accumulator::{Drained, Work},
    answer::{self, Answers},
    batch::{Batch, Identity},
    scope::{Started, TransactionProtocol},
    transaction::{self, AddFailure},
};

/// What came of something that ran beside the sender.
enum Event {
    Connected(BrokerId, Result<Connection, ClientError>),
    Answered(Answered),
    Refreshed(Result<Arc<Metadata>, ClientError>),
    Identified(Result<Identity, ClientError>),
    Added(Vec<Slot>, Result<(), AddFailure>),
}

struct Answered {
    broker: BrokerId,
    sent: Vec<Drained>,
    names: HashMap<Uuid, StrBytes>,
    outcome: Result<Option<ProduceResponse>, RequestError>,
}

#[derive(Default)]
struct Node {
    connection: Option<Connection>,
    is_connecting: bool,
    in_flight: usize,
}

impl Node {
    fn working(&self) -> Option<&Connection> {
        self.connection
            .as_ref()
            .filter(|connection| connection.fault().is_none())
    }
}

/// Something that is asked for at most once at a time, and not again before a pause.
#[derive(Default)]
struct Asking {
    is_under_way: bool,
    not_before: Option<Instant>,
}

impl Asking {
    fn may_begin(&mut self, now: Instant) -> bool {
        if self.is_under_way || self.not_before.is_some_and(|at| at > now) {
            return false;
        }
        self.is_under_way = true;
        true
    }

    fn ended(&mut self, now: Instant, pause: Duration) {
        self.is_under_way = false;
        self.not_before = Some(now + pause);
    }

    /// When to try again something that is wanted now.
    fn next(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| !self.is_under_way && *at > now)
    }
}

pub(super) struct Sender {
    shared: Arc<Shared>,
    nodes: HashMap<BrokerId, Node>,
    events: mpsc::UnboundedReceiver<Event>,
    report: mpsc::UnboundedSender<Event>,
    refresh: Asking,
    identify: Asking,
    add: Asking,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        // Not bounded by itself: there are never more events than requests in flight, connections and two questions.
        let (report, events) = mpsc::unbounded_channel();
        Self {
            shared,
            nodes: HashMap::new(),
            events,
            report,
            refresh: Asking::default(),
            identify: Asking::default(),
            add: Asking::default(),
        }
    }

    /// Runs until the producer is closed and everything has its outcome.
    pub(super) async fn run(mut self) {
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.take_in(event);
            }
            if self.shared.is_stopped() {
                return self.give_up();
            }
            let now = Instant::now();
            let work = self.look_for_work(now);
            if !work.requests.is_empty() {
                for (broker, batches) in work.requests {
                    self.send(broker, batches);
                }
                // There may be more for the same partitions.
                continue;
            }
            {
                let accumulator = lock(&self.shared.accumulator);
                if accumulator.is_closed() && accumulator.is_idle() {
                    return;
                }
            }
            self.wait(now, &work).await;
        }
    }

    async fn wait(&mut self, now: Instant, work: &Work) {
        let asked_again = [
            self.refresh.next(now).filter(|_| work.leader_missing),
            self.identify.next(now).filter(|_| work.identity_missing),
            self.add.next(now).filter(|_| !work.to_add.is_empty()),
            work.next_event,
        ];
        // Metadata grows old even if nothing else happens.
        let soonest = asked_again.into_iter().flatten().min();
        let at = soonest.unwrap_or(
            now + self
                .shared
                .cluster
                .settings()
                .metadata_max_age
                .min(LONGEST_SLEEP),
        );
        tokio::select! {
            () = self.shared.work.notified() => {}
            Some(event) = self.events.recv() => self.take_in(event),
            () = sleep_until(at.into()) => {}
        }
    }

    fn look_for_work(&mut self, now: Instant) -> Work {
        let in_flight_max = self.shared.settings.in_flight_max;
        let nodes = &self.nodes;
        let has_room = |broker: BrokerId| {
            nodes
                .get(&broker)
                .is_some_and(|node| node.working().is_some() && node.in_flight < in_flight_max)
        };
        let (expired, work) = {
            let mut accumulator = lock(&self.shared.accumulator);
            (accumulator.expire(now), accumulator.work(now, has_room))
        };
        self.report_failures(&expired, now);
        for broker in &work.wants {
            self.connect(*broker);
        }
        if (work.leader_missing || self.shared.cluster.metadata_is_stale())
            && self.refresh.may_begin(now)
        {
            self.begin_refresh();
        }
        if work.identity_missing && self.identify.may_begin(now) {
            self.begin_identify();
        }
        if !work.to_add.is_empty() && self.add.may_begin(now) {
            self.begin_add(&work.to_add);
        }
        work
    }

    fn take_in(&mut self, event: Event) {
        let now = Instant::now();
        let pause = self.shared.cluster.settings().retry_backoff.after(1);
        match event {
            Event::Connected(broker, outcome) => {
                let node = self.nodes.entry(broker).or_default();
                node.is_connecting = false;
                match outcome {
                    Ok(connection) => node.connection = Some(connection),
                    // The broker may be gone, and its partitions may have another leader.
                    Err(error) => {
                        tracing::warn!(%broker, %error, "can't connect");
                        if self.refresh.may_begin(now) {
                            self.begin_refresh();
                        }
                    }
                }
            }
            Event::Answered(answered) => self.settle(answered, now),
            Event::Refreshed(outcome) => {
                self.refresh.ended(now, pause);
                match outcome {
                    Ok(metadata) => self.take_over(&metadata),
                    Err(error) => tracing::warn!(%error, "no metadata"),
                }
            }
            Event::Identified(outcome) => {
                self.identify.ended(now, pause);
                match outcome {
                    Ok(identity) => lock(&self.shared.accumulator).set_identity(identity),
                    Err(error)
                        if error.may_pass() || matches!(error, ClientError::TimedOut { .. }) =>
                    {
                        tracing::warn!(%error, "no producer id");
                    }
                    Err(error) => {
                        let error = ProduceError::Client(error);
                        let failed = lock(&self.shared.accumulator).abandon(&error);
                        self.report_failures(&failed, now);
                    }
                }
            }
            Event::Added(slots, outcome) => self.take_added(&slots, outcome, now),
        }
    }

    fn take_added(&mut self, slots: &[Slot], outcome: Result<(), AddFailure>, now: Instant) {
        let mut pause = Duration::ZERO;
        {
            let mut accumulator = lock(&self.shared.accumulator);
            accumulator.scope().set_adding(false);
            match outcome {
                Ok(()) => accumulator.added(slots),
                Err(AddFailure::Again(wait, error)) => {
                    tracing::debug!(%error, "partitions not added to the transaction yet");
                    pause = wait;
                }
                Err(AddFailure::Ends(error)) => accumulator.scope().fail(error),
            }
        }
        self.add.ended(now, pause);
        self.shared.added.notify_waiters();
    }

    /// Tells the coordinator that the transaction writes to these partitions.
    fn begin_add(&self, slots: &[Slot]) {
        let Some(coordinator) = self.shared.coordinator.clone() else {
            unreachable!("only transactions add partitions")
        };
        let (identity, partitions) = {
            let mut accumulator = lock(&self.shared.accumulator);
            accumulator.scope().set_adding(true);
            accumulator.scope().note_started(Started::Perhaps);
            let name = |slot: &Slot| {
                let (topic, index) = accumulator.partition(*slot);
                (topic.clone(), index)
            };
            let partitions: Vec<_> = slots.iter().map(name).collect();
            (accumulator.identity(), partitions)
        };
        let Some(identity) = identity else {
            unreachable!("a transaction has an identity")
        };
        let (report, slots) = (self.report.clone(), slots.to_vec());
        tokio::spawn(async move {
            let outcome = coordinator.add_partitions(identity, &partitions).await;
            let _ = report.send(Event::Added(slots, outcome));
        });
    }

    fn take_over(&self, metadata: &Metadata) {
        let names = lock(&self.shared.accumulator).topic_names();
        for topic in names.iter().filter_map(|name| metadata.topic(name)) {
            if topic.error.is_none() {
                self.shared.take_over(topic);
            }
        }
    }

    fn connect(&mut self, broker: BrokerId) {
        let node = self.nodes.entry(broker).or_default();
        if node.is_connecting || node.working().is_some() {
            return;
        }
        node.is_connecting = true;
        let (cluster, report) = (self.shared.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let deadline = Deadline::after(cluster.settings().request_timeout);
            let outcome = cluster.connection_to(broker, Lane::Data, deadline).await;
            let _ = report.send(Event::Connected(broker, outcome));
        });
    }

    fn begin_refresh(&self) {
        let (cluster, report) = (self.shared.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let deadline = Deadline::after(cluster.settings().request_timeout);
            let _ = report.send(Event::Refreshed(cluster.refresh(deadline).await));
        });
    }

    fn begin_identify(&self) {
        let (cluster, report) = (self.shared.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let request = InitProducerIdRequest {
                transactional_id: None,
                // Without transactions nothing times out; the reference sends the same.
                transaction_timeout_ms: i32::MAX,
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            };
            let call = Call::until(Deadline::after(cluster.settings().request_timeout));
            let outcome = cluster
                .call(&Target::Any, &request, call, |response| {
                    ErrorCode::from_code(response.error_code)
                })
                .await;
            let identity = outcome.and_then(|response| {
                ApiError::check(response.error_code, None)?;
                Ok(Identity {
                    id: ProducerId(response.producer_id),
                    epoch: ProducerEpoch(response.producer_epoch),
                })
            });
            let _ = report.send(Event::Identified(identity));
        });
    }

    /// Hands one request to a broker's connection.
    fn send(&mut self, broker: BrokerId, mut batches: Vec<Drained>) {
        let now = Instant::now();
        let settings = &self.shared.settings;
        let metadata = self.shared.cluster.metadata();
        let id_of = |name: &str| metadata.topic(name).map_or(Uuid::ZERO, |topic| topic.id);
        let within = self.request_timeout(&batches, now);
        let timeout_ms = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
        let transactional_id = self
            .shared
            .coordinator
            .as_ref()
            .map(transaction::Coordinator::id);
        let acks = settings.acks.on_wire();
        let request = answer::request(&mut batches, transactional_id, id_of, acks, timeout_ms);
        let names = request
            .topic_data
            .iter()
            .map(|topic| (topic.topic_id, topic.name.clone()))
            .collect();
        let all_have_ids = request
            .topic_data
            .iter()
            .all(|topic| !topic.topic_id.is_zero());
        let newest = match self.shared.transaction_protocol() {
            Some(TransactionProtocol::V1) => answer::FIRST_VERSION_ADDING - 1,
            _ if all_have_ids => i16::MAX,
            _ => answer::FIRST_VERSION_BY_ID - 1,
        };
        let oldest = match self.shared.transaction_protocol() {
            Some(TransactionProtocol::V2) => answer::FIRST_VERSION_ADDING,
            _ => 3,
        };

        let node = self.nodes.entry(broker).or_default();
        node.in_flight += 1;
        let report = self.report.clone();
        let done = move |outcome| Answered {
            broker,
            sent: batches,
            names,
            outcome,
        };
        let Some(connection) = node.connection.clone() else {
            unreachable!("only connected brokers have room")
        };
        let version = match connection.pick_version::<ProduceRequest>(&(oldest..=newest)) {
            Ok(version) => version,
            Err(error) => return drop(report.send(Event::Answered(done(Err(error))))),
        };
        // Started here and not in the task: tasks run in any order, requests must not.
        let is_answered = settings.acks != Acks::None;
        let started = if is_answered {
            connection.start(&request, version)
        } else {
            connection.start_unanswered(&request, version)
        };
        match started {
            Ok(pending) => {
                tokio::spawn(async move {
                    let outcome = if is_answered {
                        pending.reply(within).await.map(Some)
                    } else {
                        pending.written(within).await.map(|()| None)
                    };
                    let _ = report.send(Event::Answered(done(outcome)));
                });
            }
            Err(error) => drop(report.send(Event::Answered(done(Err(error))))),
        }
    }

    /// How long an answer is waited for: no longer than the first batch of it may take altogether.
    fn request_timeout(&self, batches: &[Drained], now: Instant) -> Duration {
        let oldest = batches
            .iter()
            .map(|drained| drained.batch.age(now))
            .max()
            .unwrap_or_default();
        let left = self.shared.settings.delivery_timeout.saturating_sub(oldest);
        left.min(self.shared.cluster.settings().request_timeout)
            .max(Duration::from_millis(1))
    }

    /// Puts a request's batches back: done, to be sent again, or failed.
    fn settle(&mut self, answered: Answered, now: Instant) {
        let Answered {
            broker,
            sent,
            names,
            outcome,
        } = answered;
        if let Some(node) = self.nodes.get_mut(&broker) {
            node.in_flight -= 1;
            if node.working().is_none() {
                node.connection = None;
            }
        }
        let backoff = self.shared.cluster.settings().retry_backoff;
        let mut moved = outcome.is_err();
        let mut failed = Vec::new();
        let mut delivered = Vec::new();
        {
            let answers = match &outcome {
                Ok(Some(response)) => Some(Answers::of(response, &names)),
                _ => None,
            };
            let mut accumulator = lock(&self.shared.accumulator);
            for drained in sent {
                let result = match (&outcome, &answers) {
                    (Err(error), _) => {
                        Err((ProduceError::Client(error.clone().into()), error.may_pass()))
                    }
                    (Ok(_), Some(answers)) => answers
                        .outcome(&drained.topic, drained.partition)
                        .map_err(|error| {
                            let may_pass = error.code().is_some_and(ErrorCode::is_retriable);
                            (error, may_pass)
                        }),
                    (Ok(_), None) => Ok(BatchPlace {
                        base_offset: None,
                        append_time: None,
                    }),
                };
                match result {
                    Ok(place) => {
                        accumulator.delivered(&drained, place);
                        delivered.push((drained, place));
                    }
                    Err((error, may_pass)) => {
                        moved |= answer::may_have_moved(error.code());
                        tracing::debug!(topic = %drained.topic, partition = drained.partition, %error, "not written");
                        failed.extend(
                            accumulator
                                .refused(drained, error, may_pass, now, |n| backoff.after(n)),
                        );
                    }
                }
            }
        }
        self.report_deliveries(&delivered, now);
        self.report_failures(&failed, now);
        if moved && self.refresh.may_begin(now) {
            self.begin_refresh();
        }
    }

    fn report_deliveries(&self, delivered: &[(Drained, BatchPlace)], now: Instant) {
        if delivered.is_empty() {
            return;
        }
        self.shared.memory.notify_waiters();
        if let Some(observer) = &self.shared.settings.observer {
            for (drained, place) in delivered {
                observer(&report_of(&drained.batch, now, Ok(*place)));
            }
        }
    }

    fn report_failures(&self, failed: &[(Batch, ProduceError)], now: Instant) {
        if failed.is_empty() {
            return;
        }
        self.shared.memory.notify_waiters();
        if let Some(observer) = &self.shared.settings.observer {
            for (batch, error) in failed {
                observer(&report_of(batch, now, Err(error)));
            }
        }
    }

    /// Ends with whatever is left: it fails, what is under way as well.
    fn give_up(self) {
        let (failed, under_way) = {
            let mut accumulator = lock(&self.shared.accumulator);
            (
                accumulator.abandon(&ProduceError::Closed),
                accumulator.flush(),
            )
        };
        self.report_failures(&failed, Instant::now());
        for completion in under_way {
            completion.complete(Err(ProduceError::Closed));
        }
    }
}

/// Nothing is due for longer than this without being looked at.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

fn report_of<'a>(
    batch: &'a Batch,
    now: Instant,
    outcome: Result<BatchPlace, &'a ProduceError>,
) -> BatchReport<'a> {
    BatchReport {
        topic: &batch.completion.topic,
        partition: batch.completion.partition,
        records: batch.record_count,
        age: batch.age(now),
        outcome,
    }
}
