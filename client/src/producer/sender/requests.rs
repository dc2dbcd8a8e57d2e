//! Requests with batches, and what becomes of them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{ProduceRequest, ProduceResponse},
    types::BrokerId,
    wire::{StrBytes, Uuid},
};

use super::{Event, Sender};
use crate::{
    cluster::lock,
    conn::RequestError,
    producer::{
        Acks, BatchPlace, ProduceError,
        accumulator::Drained,
        answer::{self, Answers},
        scope::TransactionProtocol,
        transaction,
    },
};

/// A request and its outcome.
pub(super) struct Answered {
    broker: BrokerId,
    sent: Vec<Drained>,
    names: HashMap<Uuid, StrBytes>,
    outcome: Result<Option<ProduceResponse>, RequestError>,
}

impl Sender {
    /// Hands one request to a broker's connection.
    pub(super) fn send(&mut self, broker: BrokerId, mut batches: Vec<Drained>) {
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
    pub(super) fn settle(&mut self, answered: Answered, now: Instant) {
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
}
