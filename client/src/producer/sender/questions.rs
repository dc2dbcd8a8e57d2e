//! What the sender has to learn from the cluster, each beside it: connections, metadata, a producer id, partitions added to the
//! transaction.

use std::time::{Duration, Instant};

use ottla_protocol::{
    errors::ErrorCode,
    messages::InitProducerIdRequest,
    types::{BrokerId, ProducerEpoch, ProducerId},
};

use super::{Event, Sender};
use crate::{
    cluster::{Call, Deadline, Lane, Target, lock},
    error::ApiError,
    producer::{accumulator::Slot, batch::Identity, scope::Started, transaction::AddFailure},
};

/// Something that is asked for at most once at a time, and not again before a pause.
#[derive(Default)]
pub(super) struct Asking {
    is_under_way: bool,
    not_before: Option<Instant>,
}

impl Asking {
    pub(super) fn may_begin(&mut self, now: Instant) -> bool {
        if self.is_under_way || self.not_before.is_some_and(|at| at > now) {
            return false;
        }
        self.is_under_way = true;
        true
    }

    pub(super) fn ended(&mut self, now: Instant, pause: Duration) {
        self.is_under_way = false;
        self.not_before = Some(now + pause);
    }

    /// When to try again something that is wanted now.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| !self.is_under_way && *at > now)
    }
}

impl Sender {
    pub(super) fn connect(&mut self, broker: BrokerId) {
        let node = self.nodes.entry(broker).or_default();
        if node.is_connecting || node.working().is_some() {
            return;
        }
        node.is_connecting = true;
        node.trying_since.get_or_insert_with(Instant::now);
        let (cluster, report) = (self.shared.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            // What an attempt ends with by itself says more than that time was up.
            let settings = cluster.settings();
            let patience = settings
                .request_timeout
                .saturating_add(settings.conn.setup_timeout);
            let deadline = Deadline::after(patience);
            let outcome = cluster.connection_to(broker, Lane::Data, deadline).await;
            let _ = report.send(Event::Connected(broker, outcome));
        });
    }

    pub(super) fn begin_refresh(&self) {
        let (cluster, report) = (self.shared.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let deadline = Deadline::after(cluster.settings().request_timeout);
            let _ = report.send(Event::Refreshed(cluster.refresh(deadline).await));
        });
    }

    pub(super) fn begin_identify(&self) {
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

    pub(super) fn take_added(
        &mut self,
        slots: &[Slot],
        outcome: Result<(), AddFailure>,
        now: Instant,
    ) {
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
    pub(super) fn begin_add(&self, slots: &[Slot]) {
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
}
