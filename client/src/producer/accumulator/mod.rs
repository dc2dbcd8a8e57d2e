//! Records on their way into batches: the producer's state, without IO, clock or task.
//!
//! Always: reserved memory stays within `buffer.memory` (but for a lone batch), a batch never exceeds `max.request.size`, and every batch
//! gets exactly one outcome. Owns: the partitions' queues, partition choice (`topic`), what is ready to be sent to whom (`work`), expiry,
//! when a batch is split. Not here: brokers and connections; the sender asks with the time and puts answers back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ottla_protocol::{compress::Compression, records::BATCH_OVERHEAD, types::BrokerId};

mod topic;
mod work;

pub(super) use work::{Drained, Work};

use super::{
    BatchPlace, Delivery, Partitioner, ProduceError, Record, TransactionError,
    batch::{Batch, BatchId, Identity, lone_batch_size_max},
    delivery::Completion,
    queue::{PartitionQueue, SendRules},
    scope::{Scope, Started, TransactionProtocol},
    split::asks_for_less,
};
use topic::Topics;

/// What the accumulator goes by.
#[derive(Clone, Debug)]
pub(super) struct AccumulatorSettings {
    pub(super) batch_bytes: usize,
    pub(super) linger: Duration,
    pub(super) memory_bytes: usize,
    pub(super) request_bytes_max: usize,
    pub(super) compression: (Compression, Option<i32>),
    pub(super) partitioner: Partitioner,
    pub(super) idempotent: bool,
    pub(super) rules: SendRules,
}

/// Names a partition's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot(usize);

#[derive(Debug)]
pub(super) struct Accumulator {
    settings: AccumulatorSettings,
    topics: Topics,
    partitions: Vec<PartitionEntry>,
    memory_used: usize,
    /// Somebody waits for memory: everything there is goes out without lingering.
    starved: bool,
    closed: bool,
    abandoned: bool,
    next_batch_id: u64,
    identity: Option<Identity>,
    /// For producers of transactions.
    scope: Option<Scope>,
}

#[derive(Debug)]
struct PartitionEntry {
    topic: Arc<str>,
    index: i32,
    leader: Option<BrokerId>,
    queue: PartitionQueue,
    /// The coordinator knows that the transaction writes here.
    is_added: bool,
}

/// Why a record was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AppendError {
    /// The topic must be looked up first.
    UnknownTopic,
    /// No memory now.
    Full,
    Refused(ProduceError),
}

/// A record that was taken.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) delivery: Delivery,
    /// Whether the sender has something to do or a time to watch that it does not know of.
    pub(super) news: News,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// A batch was begun and may linger.
    Begun,
    /// A batch is full.
    Full,
}

impl Accumulator {
    pub(super) fn new(settings: AccumulatorSettings) -> Self {
        let scope = settings.rules.transactional.then(Scope::closed);
        Self {
            settings,
            scope,
            topics: Topics::default(),
            partitions: Vec::new(),
            memory_used: 0,
            starved: false,
            closed: false,
            abandoned: false,
            next_batch_id: 0,
            identity: None,
        }
    }

    /// Takes over what metadata says of a topic: for each partition its leader. Partitions never become fewer.
    pub(super) fn set_topic(&mut self, name: &Arc<str>, leaders: &[Option<BrokerId>]) {
        let topic = self.topics.find_or_add(name);
        for index in topic.slots.len()..leaders.len() {
            topic.slots.push(Slot(self.partitions.len()));
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            let queue = PartitionQueue::default();
            self.partitions.push(PartitionEntry {
                topic: name.clone(),
                index,
                leader: None,
                queue,
                is_added: false,
            });
        }
        for (slot, leader) in topic.slots.iter().zip(leaders) {
            if let Some(entry) = self.partitions.get_mut(slot.0) {
                entry.leader = *leader;
            }
        }
        topic.set_leaders(leaders);
    }

    pub(super) fn topic_names(&self) -> Vec<Arc<str>> {
        self.topics.names()
    }

    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// Puts a record into its partition's batch. `now` is asked only where that begins one.
    pub(super) fn append(
        &mut self,
        record: &Record<'_>,
        timestamp: i64,
        now: impl FnOnce() -> Instant,
    ) -> Result<Appended, AppendError> {
        if self.closed {
            return Err(AppendError::Refused(ProduceError::Closed));
        }
        if let Some(scope) = &self.scope {
            scope.takes_records().map_err(AppendError::Refused)?;
        }
        let size_max = lone_batch_size_max(record.key, record.value, record.headers);
        self.check_size(size_max).map_err(AppendError::Refused)?;
        let topic = self
            .topics
            .find(record.topic)
            .ok_or(AppendError::UnknownTopic)?;
        let (index, is_sticky) = topic.choose(&self.settings.partitioner, record);
        let mut slot = topic.slot(index).map_err(AppendError::Refused)?;
        let record_size_max = size_max - BATCH_OVERHEAD;
        let batch_bytes = self.settings.batch_bytes.min(topic.batch_bytes_max);
        let mut news = News::None;
        if !self.partitions[slot.0]
            .queue
            .has_room(record_size_max, batch_bytes)
        {
            let mut filled = self.partitions[slot.0].queue.close_open();
            // A batch's worth went there: the next batch goes elsewhere.
            if is_sticky && (filled || topic.choice.sticky_bytes() >= batch_bytes) {
                let index = topic.choice.leave_sticky(rand::random());
                slot = topic.slot(index).map_err(AppendError::Refused)?;
            }
            if !self.partitions[slot.0]
                .queue
                .has_room(record_size_max, batch_bytes)
            {
                filled |= self.partitions[slot.0].queue.close_open();
                self.begin(slot, batch_bytes.max(size_max), now())?;
            }
            news = if filled { News::Full } else { News::Begun };
        }
        let Some(batch) = self.partitions[slot.0].queue.open.as_mut() else {
            unreachable!("there is room, so there is an open batch")
        };
        let index = batch
            .append(timestamp, record.key, record.value, record.headers)
            .map_err(|error| AppendError::Refused(ProduceError::Invalid(error.to_string())))?;
        if is_sticky && let Some(topic) = self.topics.find(record.topic) {
            topic.choice.count_sticky(record_size_max);
        }
        Ok(Appended {
            delivery: Delivery {
                batch: batch.completion.clone(),
                index,
                timestamp,
            },
            news,
        })
    }

    /// Opens a batch that may become as large as that.
    fn begin(&mut self, slot: Slot, reserved: usize, now: Instant) -> Result<(), AppendError> {
        // One batch is always allowed: `batch.size` may be larger than the whole of `buffer.memory`.
        if self.memory_used + reserved > self.settings.memory_bytes && self.memory_used > 0 {
            self.starved = true;
            return Err(AppendError::Full);
        }
        self.starved = false;
        self.memory_used += reserved;
        let entry = &mut self.partitions[slot.0];
        let completion = Arc::new(Completion::new(entry.topic.clone(), entry.index));
        let compression = self.settings.compression;
        entry.queue.open = Some(Batch::open(
            BatchId::new(self.next_batch_id),
            completion,
            now,
            reserved,
            compression,
            self.settings.rules.transactional,
        ));
        self.next_batch_id += 1;
        Ok(())
    }

    fn check_size(&self, bytes: usize) -> Result<(), ProduceError> {
        let limits = [
            (self.settings.request_bytes_max, "max.request.size"),
            (self.settings.memory_bytes, "buffer.memory"),
        ];
        for (max, key) in limits {
            if bytes > max {
                return Err(ProduceError::TooLarge { bytes, max, key });
            }
        }
        Ok(())
    }

    /// Fails what has waited for longer than `delivery.timeout.ms`, and what belongs to a failed transaction. Returns the
    /// failed batches.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(Batch, ProduceError)> {
        let mut expired = Vec::new();
        for entry in &mut self.partitions {
            expired.extend(entry.queue.expire(now, &self.settings.rules));
        }
        if let (Some(scope), Some((_, error))) = (&mut self.scope, expired.first()) {
            scope.fail(TransactionError::of_batch(error.clone()));
        }
        for (batch, error) in &expired {
            self.memory_used -= batch.reserved_bytes;
            batch.completion.complete(Err(error.clone()));
        }
        let failure = self.scope.as_ref().and_then(Scope::failure).cloned();
        if let Some(failure) = failure {
            expired.extend(self.fail_waiting(&failure.cause));
        }
        expired
    }

    /// The broker has the batch.
    pub(super) fn delivered(&mut self, drained: &Drained, place: BatchPlace) {
        let entry = &mut self.partitions[drained.slot.0];
        entry.queue.delivered(&drained.batch);
        self.memory_used -= drained.batch.reserved_bytes;
        drained.batch.completion.complete(Ok(place));
    }

    /// The broker does not have it, or we do not know. Returns the error where that is the end of it.
    pub(super) fn refused(
        &mut self,
        drained: Drained,
        error: ProduceError,
        may_pass: bool,
        now: Instant,
        backoff: impl Fn(u32) -> Duration,
    ) -> Option<(Batch, ProduceError)> {
        let has_failed = |scope: &Scope| scope.failure().is_some();
        let is_in_vain = self.abandoned || self.scope.as_ref().is_some_and(has_failed);
        if !is_in_vain && asks_for_less(&error) && self.split(&drained, now) {
            return None;
        }
        let may_pass = may_pass && !is_in_vain;
        let wait = backoff(drained.batch.failures + 1);
        let entry = &mut self.partitions[drained.slot.0];
        let rules = &self.settings.rules;
        let (batch, error) =
            entry
                .queue
                .refused(drained.batch, error, may_pass, now, wait, rules)?;
        if let Some(scope) = &mut self.scope {
            scope.fail(TransactionError::of_batch(error.clone()));
        }
        self.memory_used -= batch.reserved_bytes;
        batch.completion.complete(Err(error.clone()));
        Some((batch, error))
    }

    /// Puts smaller batches in the place of one that is too large, and makes no larger ones for its topic from now on: half of
    /// what it was. Kafka's producer halves only what it has split before, which a batch below `batch.size` needs at once.
    /// False where that is no way out.
    fn split(&mut self, drained: &Drained, now: Instant) -> bool {
        let whole = &drained.batch;
        let is_expired = whole.age(now) >= self.settings.rules.delivery_timeout;
        if whole.record_count < 2 || is_expired {
            return false;
        }
        let bytes_max = self.settings.batch_bytes.min(whole.plain_bytes / 2);
        let Some(parts) = whole.split(bytes_max, self.settings.compression) else {
            return false;
        };
        tracing::debug!(topic = %drained.topic, partition = drained.partition, parts = parts.len(), "batch split");
        if let Some(topic) = self.topics.find(&drained.topic) {
            topic.batch_bytes_max = topic.batch_bytes_max.min(bytes_max);
        }
        self.partitions[drained.slot.0].queue.split(whole, parts);
        true
    }

    /// Lets everything go out now and returns the outcomes to wait for.
    pub(super) fn flush(&mut self) -> Vec<Arc<Completion>> {
        for entry in &mut self.partitions {
            entry.queue.close_open();
        }
        self.partitions
            .iter()
            .flat_map(|entry| entry.queue.incomplete())
            .collect()
    }

    /// No further records.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Fails everything that is not under way, and lets nothing be sent again.
    pub(super) fn abandon(&mut self, error: &ProduceError) -> Vec<(Batch, ProduceError)> {
        self.abandoned = true;
        self.fail_waiting(error)
    }

    /// Ends what was not sent yet.
    fn fail_waiting(&mut self, error: &ProduceError) -> Vec<(Batch, ProduceError)> {
        self.fail_waiting_in(|_| true, error)
    }

    /// Ends what was not sent yet and would go to this broker, and the transaction that it belongs to.
    pub(super) fn fail_led_by(
        &mut self,
        broker: BrokerId,
        error: &ProduceError,
    ) -> Vec<(Batch, ProduceError)> {
        let failed = self.fail_waiting_in(|entry| entry.leader == Some(broker), error);
        if let (Some(scope), false) = (&mut self.scope, failed.is_empty()) {
            scope.fail(TransactionError::of_batch(error.clone()));
        }
        failed
    }

    fn fail_waiting_in(
        &mut self,
        is_meant: impl Fn(&PartitionEntry) -> bool,
        error: &ProduceError,
    ) -> Vec<(Batch, ProduceError)> {
        let mut failed = Vec::new();
        for entry in self.partitions.iter_mut().filter(|entry| is_meant(entry)) {
            for batch in entry.queue.abandon() {
                self.memory_used -= batch.reserved_bytes;
                batch.completion.complete(Err(error.clone()));
                failed.push((batch, error.clone()));
            }
        }
        failed
    }

    /// Records from now on belong to a new transaction. Nothing of the last one may be left.
    pub(super) fn begin_transaction(&mut self, identity: Identity, protocol: TransactionProtocol) {
        self.identity = Some(identity);
        self.scope = Some(Scope::begin(protocol));
        for entry in &mut self.partitions {
            entry.queue.begin_transaction(identity);
            entry.is_added = false;
        }
    }

    /// The transaction of a producer that has them.
    pub(super) fn scope(&mut self) -> &mut Scope {
        let Some(scope) = &mut self.scope else {
            unreachable!("asked for producers of transactions only")
        };
        scope
    }

    /// The coordinator knows that the transaction writes to these partitions.
    pub(super) fn added(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.partitions[slot.0].is_added = true;
        }
        self.scope().note_started(Started::Yes);
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(super) fn partition(&self, slot: Slot) -> (&Arc<str>, i32) {
        let entry = &self.partitions[slot.0];
        (&entry.topic, entry.index)
    }

    /// Whether some broker may miss a sequence, so that another epoch is needed.
    pub(super) fn has_gap(&self) -> bool {
        self.partitions.iter().any(|entry| entry.queue.is_broken())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.partitions.iter().all(|entry| entry.queue.is_idle())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    #[cfg(test)]
    pub(super) fn memory_used(&self) -> usize {
        self.memory_used
    }
}
