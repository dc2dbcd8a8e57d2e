//! What is ready to be sent to whom, and what has to be known first.

use std::{collections::HashMap, sync::Arc, time::Instant};

use ottla_protocol::types::BrokerId;

use super::{Accumulator, Slot};
use crate::producer::{
    batch::Batch,
    scope::{Scope, Started},
};

/// A batch that is to be sent.
#[derive(Debug)]
pub(in crate::producer) struct Drained {
    pub(in crate::producer) slot: Slot,
    pub(in crate::producer) topic: Arc<str>,
    pub(in crate::producer) partition: i32,
    pub(in crate::producer) batch: Batch,
}

/// What there is to do.
#[derive(Debug, Default)]
pub(in crate::producer) struct Work {
    /// One request per broker.
    pub(in crate::producer) requests: Vec<(BrokerId, Vec<Drained>)>,
    /// Brokers that have something to get but no room for it.
    pub(in crate::producer) wants: Vec<BrokerId>,
    /// Some partition has something to send and no leader.
    pub(in crate::producer) leader_missing: bool,
    /// Something is to be sent and the producer has no (usable) identity.
    pub(in crate::producer) identity_missing: bool,
    /// Partitions that are to be added to the transaction before anything is sent to them.
    pub(in crate::producer) to_add: Vec<Slot>,
    /// When to look again at the latest.
    pub(in crate::producer) next_event: Option<Instant>,
}

impl Accumulator {
    /// What is to be done now. `has_room` says whether a broker can take another request.
    pub(in crate::producer) fn work(
        &mut self,
        now: Instant,
        has_room: impl Fn(BrokerId) -> bool,
    ) -> Work {
        let mut work = Work::default();
        if self
            .scope
            .as_ref()
            .is_some_and(|scope| scope.failure().is_some())
        {
            return work;
        }
        let adds_partitions = self.scope.as_ref().is_some_and(Scope::adds_partitions);
        let in_a_hurry = self.starved || self.closed;
        let mut sizes: HashMap<BrokerId, usize> = HashMap::new();
        for (index, entry) in self.partitions.iter_mut().enumerate() {
            if entry.queue.is_idle() {
                continue;
            }
            let lingered = |batch: &Batch| batch.age(now) >= self.settings.linger;
            if entry
                .queue
                .open
                .as_ref()
                .is_some_and(|batch| in_a_hurry || lingered(batch))
            {
                entry.queue.close_open();
            }
            let next = entry
                .queue
                .next_event(self.settings.linger, &self.settings.rules);
            // What is due and can't be done now is done when an answer comes, not by looking again at once.
            work.next_event = [work.next_event, next.filter(|at| *at > now)]
                .into_iter()
                .flatten()
                .min();
            if !entry.queue.may_send(now, &self.settings.rules) {
                continue;
            }
            let Some(leader) = entry.leader else {
                work.leader_missing = true;
                continue;
            };
            if adds_partitions && !entry.is_added {
                work.to_add.push(Slot(index));
                continue;
            }
            if self.settings.idempotent
                && self.scope.is_none()
                && (self.identity.is_none() || entry.queue.needs_other_id(self.identity))
            {
                work.identity_missing = true;
                continue;
            }
            if !has_room(leader) {
                work.wants.push(leader);
                continue;
            }
            let size = sizes.entry(leader).or_default();
            if *size > 0 && *size + entry.queue.next_size() > self.settings.request_bytes_max {
                work.wants.push(leader);
                continue;
            }
            *size += entry.queue.next_size();
            let identity = self.identity.filter(|_| self.settings.idempotent);
            if let Some(scope) = &mut self.scope {
                scope.note_started(Started::Yes);
            }
            let Some(batch) = entry.queue.take(identity) else {
                continue;
            };
            let drained = Drained {
                slot: Slot(index),
                topic: entry.topic.clone(),
                partition: entry.index,
                batch,
            };
            match work
                .requests
                .iter_mut()
                .find(|(broker, _)| *broker == leader)
            {
                Some((_, batches)) => batches.push(drained),
                None => work.requests.push((leader, vec![drained])),
            }
        }
        work
    }
}
