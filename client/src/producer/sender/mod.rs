//! The producer's one task: hands ready batches to their leaders and puts the answers back.
//!
//! Always: requests to one broker go out in the order batches were drained, and at most
//! `max.in.flight.requests.per.connection` of them are unanswered. Whatever takes time (connecting, waiting for an
//! answer, metadata) runs beside it (`questions`, `requests`) and comes back as an event. Not here: any decision about a batch.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::sleep_until};

use ottla_protocol::types::BrokerId;

mod questions;
mod requests;

use super::{
    BatchPlace, BatchReport, ProduceError, Shared,
    accumulator::{Drained, Slot, Work},
    batch::{Batch, Identity},
    transaction::AddFailure,
};
use crate::{
    cluster::{Metadata, lock},
    conn::Connection,
    error::ClientError,
};
use questions::Asking;
use requests::Answered;

/// What came of something that ran beside the sender.
enum Event {
    Connected(BrokerId, Result<Connection, ClientError>),
    Answered(Answered),
    Refreshed(Result<Arc<Metadata>, ClientError>),
    Identified(Result<Identity, ClientError>),
    Added(Vec<Slot>, Result<(), AddFailure>),
}

#[derive(Default)]
struct Node {
    connection: Option<Connection>,
    is_connecting: bool,
    /// Since when a connection is tried for.
    trying_since: Option<Instant>,
    in_flight: usize,
}

impl Node {
    fn working(&self) -> Option<&Connection> {
        self.connection
            .as_ref()
            .filter(|connection| connection.fault().is_none())
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
                    Ok(connection) => {
                        node.connection = Some(connection);
                        node.trying_since = None;
                    }
                    // The broker may be gone, and its partitions may have another leader.
                    Err(error) => {
                        tracing::warn!(%broker, %error, "can't connect");
                        let since = *node.trying_since.get_or_insert(now);
                        if let ClientError::Endpoint(fault) = &error
                            && self.shared.cluster.is_given_up(fault, now - since)
                        {
                            self.fail_led_by(broker, &ProduceError::Client(error), now);
                        }
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

    /// Ends what is waiting for a broker; what is sent later is tried again.
    fn fail_led_by(&self, broker: BrokerId, error: &ProduceError, now: Instant) {
        let failed = lock(&self.shared.accumulator).fail_led_by(broker, error);
        self.report_failures(&failed, now);
    }

    fn take_over(&self, metadata: &Metadata) {
        let names = lock(&self.shared.accumulator).topic_names();
        for topic in names.iter().filter_map(|name| metadata.topic(name)) {
            if topic.error.is_none() {
                self.shared.take_over(topic);
            }
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
        bytes: batch.size(),
        age: batch.age(now),
        outcome,
    }
}
