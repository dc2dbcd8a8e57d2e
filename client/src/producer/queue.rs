//! One partition's batches: the one that takes records, those that wait, those a broker has not answered yet.
//!
//! Pure. Always, with an identity: batches go out in the order they were made, their sequences follow each other
//! without gaps, and a batch that is sent again keeps its sequence, so that a broker can tell a repetition from news.
//! Where that became impossible (a batch was given up after it may have been sent, or the broker forgot us), the
//! queue waits until nothing is under way and starts again at sequence 0 with the next epoch (KIP-360).

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use ottla_protocol::{
    errors::ErrorCode,
    types::{ProducerEpoch, ProducerId},
};

use super::{
    ProduceError,
    batch::{Batch, BatchId, Identity, Stamp},
    delivery::Completion,
};

/// How a queue sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendRules {
    /// Batches under way at a time; brokers remember five for each identity.
    pub(super) in_flight_max: usize,
    pub(super) retries: u32,
    pub(super) delivery_timeout: Duration,
    /// A batch that can't be repeated as it was ends the transaction, instead of beginning another epoch.
    pub(super) transactional: bool,
}

#[derive(Debug, Default)]
pub(super) struct PartitionQueue {
    pub(super) open: Option<Batch>,
    waiting: VecDeque<Batch>,
    in_flight: VecDeque<InFlight>,
    identity: Option<Identity>,
    /// The producer id under which the broker has a batch.
    known_as: Option<ProducerId>,
    next_sequence: i32,
    /// Set where sequences can't go on as they are.
    broken: bool,
}

#[derive(Debug)]
struct InFlight {
    id: BatchId,
    completion: Arc<Completion>,
    is_repetition: bool,
}

impl PartitionQueue {
    /// Ends the open batch: no record is added, it goes out as soon as it can. Tells whether there was one.
    pub(super) fn close_open(&mut self) -> bool {
        let open = self.open.take();
        let was_open = open.is_some();
        self.waiting.extend(open);
        was_open
    }

    /// Whether the open batch can take a record of this size.
    pub(super) fn has_room(&self, record_size_max: usize, batch_bytes: usize) -> bool {
        self.open
            .as_ref()
            .is_some_and(|batch| batch.size() + record_size_max <= batch_bytes)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_none() && self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Size of the batch that is next.
    pub(super) fn next_size(&self) -> usize {
        self.waiting.front().map_or(0, Batch::size)
    }

    /// Whether the batch at the front may go out.
    pub(super) fn may_send(&self, now: Instant, rules: &SendRules) -> bool {
        let Some(front) = self.waiting.front() else {
            return false;
        };
        if front.retry_at.is_some_and(|at| at > now) || self.in_flight.len() >= rules.in_flight_max
        {
            return false;
        }
        // A repetition goes alone: brokers recognise a batch among the last five only, so nothing new may be written
        // before everything that may have to be repeated is settled.
        let repeating = self
            .in_flight
            .front()
            .is_some_and(|sent| sent.is_repetition);
        let must_be_alone = front.stamp.is_some() || self.broken || repeating || self.is_news();
        !must_be_alone || self.in_flight.is_empty()
    }

    /// Whether the broker has nothing of this producer id yet. It then takes any sequence as the first, also that of the
    /// second batch after it has refused the first.
    fn is_news(&self) -> bool {
        self.identity
            .is_some_and(|identity| self.known_as != Some(identity.id))
    }

    /// Takes the batch at the front and gives it its sequence. With `identity`, that is the producer's newest one.
    pub(super) fn take(&mut self, identity: Option<Identity>) -> Option<Batch> {
        if let Some(newest) = identity {
            self.begin_epoch(newest);
        }
        let mut batch = self.waiting.pop_front()?;
        let is_repetition = batch.stamp.is_some();
        if let (Some(identity), None) = (self.identity, batch.stamp) {
            batch.set_stamp(Stamp {
                identity,
                sequence: self.next_sequence,
            });
            self.next_sequence = batch.next_sequence().unwrap_or(0);
        }
        self.in_flight.push_back(InFlight {
            id: batch.id,
            completion: batch.completion.clone(),
            is_repetition,
        });
        Some(batch)
    }

    /// True where the epochs of the current producer id are used up and another id is needed.
    pub(super) fn needs_other_id(&self, newest: Option<Identity>) -> bool {
        let exhausted = self
            .identity
            .is_some_and(|identity| identity.epoch.0 == i16::MAX);
        self.broken
            && exhausted
            && newest.map(|newest| newest.id) == self.identity.map(|identity| identity.id)
    }

    /// First use, or a new start after sequences broke.
    fn begin_epoch(&mut self, newest: Identity) {
        let next = match self.identity {
            None => newest,
            Some(_) if !self.broken => return,
            Some(current) => match current.epoch.0.checked_add(1) {
                Some(epoch) => Identity {
                    id: current.id,
                    epoch: ProducerEpoch(epoch),
                },
                None => newest,
            },
        };
        self.identity = Some(next);
        self.broken = false;
        self.next_sequence = 0;
        for batch in self
            .waiting
            .iter_mut()
            .filter(|batch| batch.stamp.is_some())
        {
            batch.set_stamp(Stamp {
                identity: next,
                sequence: self.next_sequence,
            });
            self.next_sequence = batch.next_sequence().unwrap_or(0);
        }
    }

    /// A transaction begins, with nothing of the last one left: under another identity sequences begin anew.
    pub(super) fn begin_transaction(&mut self, identity: Identity) {
        assert!(self.is_idle(), "the last transaction has ended");
        if self.identity != Some(identity) {
            self.identity = Some(identity);
            self.next_sequence = 0;
            self.broken = false;
        }
        assert!(!self.broken, "sequences go on only after another epoch");
    }

    /// Whether the broker may miss a sequence, so that another epoch is needed.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The broker has the batch.
    pub(super) fn delivered(&mut self, batch: &Batch) {
        self.answered(batch.id);
        self.known_as = batch.stamp.map(|stamp| stamp.identity.id);
    }

    /// The broker finds the batch too large: its parts go in its place.
    pub(super) fn split(&mut self, whole: &Batch, parts: Vec<Batch>) {
        self.answered(whole.id);
        let behind = self.waiting.partition_point(|other| other.id < whole.id);
        let later = self.waiting.split_off(behind);
        self.waiting.extend(parts);
        self.waiting.extend(later);
    }

    /// The broker does not have the batch, or did not say so. Queues it again where that makes sense, else returns
    /// it with the error it ends with.
    pub(super) fn refused(
        &mut self,
        mut batch: Batch,
        error: ProduceError,
        may_pass: bool,
        now: Instant,
        backoff: Duration,
        rules: &SendRules,
    ) -> Option<(Batch, ProduceError)> {
        let is_first = self
            .in_flight
            .front()
            .is_some_and(|sent| sent.id == batch.id)
            && self
                .waiting
                .front()
                .is_none_or(|front| front.id > batch.id || front.stamp.is_none());
        self.answered(batch.id);
        let lost_track = matches!(
            error.code(),
            Some(
                ErrorCode::OutOfOrderSequenceNumber
                    | ErrorCode::UnknownProducerId
                    | ErrorCode::InvalidProducerEpoch
            )
        );
        // Behind a batch that is repeated, being out of order only means that it came too early.
        if lost_track && is_first && batch.stamp.is_some() {
            self.broken = true;
        }
        batch.failures = batch.failures.saturating_add(1);
        let out_of_turn = match rules.transactional {
            true => !is_first && error.code() == Some(ErrorCode::OutOfOrderSequenceNumber),
            false => lost_track,
        };
        let again = may_pass || (out_of_turn && batch.stamp.is_some());
        let expired = batch.age(now) >= rules.delivery_timeout;
        if again && !expired && batch.failures <= rules.retries {
            batch.retry_at = Some(now + backoff);
            batch.last_error = Some(error);
            let behind = self.waiting.partition_point(|other| other.id < batch.id);
            self.waiting.insert(behind, batch);
            return None;
        }
        self.given_up(&batch);
        let error = if again && expired {
            expiry(rules, Some(error))
        } else {
            error
        };
        Some((batch, error))
    }

    /// Takes out what has waited too long. Batches under way are not touched: their answer may still come.
    pub(super) fn expire(&mut self, now: Instant, rules: &SendRules) -> Vec<(Batch, ProduceError)> {
        if self
            .open
            .as_ref()
            .is_some_and(|batch| batch.age(now) >= rules.delivery_timeout)
        {
            self.close_open();
        }
        let mut expired = Vec::new();
        while self
            .waiting
            .front()
            .is_some_and(|batch| batch.age(now) >= rules.delivery_timeout)
        {
            let Some(mut batch) = self.waiting.pop_front() else {
                break;
            };
            self.given_up(&batch);
            let error = expiry(rules, batch.last_error.take());
            expired.push((batch, error));
        }
        expired
    }

    /// Takes out everything that is not under way.
    pub(super) fn abandon(&mut self) -> Vec<Batch> {
        self.close_open();
        let batches: Vec<Batch> = self.waiting.drain(..).collect();
        batches.iter().for_each(|batch| self.given_up(batch));
        batches
    }

    /// When something is to be looked at again: a linger ends, a retry is due, a batch expires.
    pub(super) fn next_event(&self, linger: Duration, rules: &SendRules) -> Option<Instant> {
        let open = self
            .open
            .as_ref()
            .map(|batch| batch.created + linger.min(rules.delivery_timeout));
        let front = self.waiting.front();
        let retry = front.and_then(|batch| batch.retry_at);
        let expiry = front.map(|batch| batch.created + rules.delivery_timeout);
        [open, retry, expiry].into_iter().flatten().min()
    }

    /// The outcomes of everything that has none yet.
    pub(super) fn incomplete(&self) -> impl Iterator<Item = Arc<Completion>> + '_ {
        let under_way = self.in_flight.iter().map(|sent| sent.completion.clone());
        under_way.chain(
            self.waiting
                .iter()
                .chain(&self.open)
                .map(|batch| batch.completion.clone()),
        )
    }

    fn answered(&mut self, id: BatchId) {
        if let Some(index) = self.in_flight.iter().position(|sent| sent.id == id) {
            self.in_flight.remove(index);
        }
    }

    /// A sequence that will never arrive leaves a gap that the broker would hold against those behind it.
    fn given_up(&mut self, batch: &Batch) {
        if batch.stamp.is_some() {
            self.broken = true;
        }
    }
}

fn expiry(rules: &SendRules, last: Option<ProduceError>) -> ProduceError {
    ProduceError::Expired {
        after: rules.delivery_timeout,
        last: last.map(Box::new),
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::{compress::Compression, types::ProducerId};

    use crate::error::ApiError;

    use super::*;

    const RULES: SendRules = SendRules {
        in_flight_max: 5,
        retries: 10,
        delivery_timeout: Duration::from_secs(120),
        transactional: false,
    };
    const ME: Identity = Identity {
        id: ProducerId(1),
        epoch: ProducerEpoch(0),
    };

    /// A queue of a producer that the broker knows, with so many batches.
    fn queue_of(batches: u64, now: Instant) -> PartitionQueue {
        let mut queue = unknown_queue_of(batches, now);
        queue.known_as = Some(ME.id);
        queue
    }

    fn unknown_queue_of(batches: u64, now: Instant) -> PartitionQueue {
        let mut queue = PartitionQueue::default();
        for id in 0..batches {
            let completion = Arc::new(Completion::new("t".into(), 0));
            let codec = (Compression::None, None);
            let mut batch = Batch::open(BatchId::new(id), completion, now, 100, codec, false);
            batch.append(0, None, Some(b"v"), &[]).unwrap();
            queue.open = Some(batch);
            queue.close_open();
        }
        queue
    }

    /// Takes whatever may go.
    fn send_all(queue: &mut PartitionQueue, now: Instant) -> Vec<Batch> {
        let mut sent = Vec::new();
        while queue.may_send(now, &RULES) {
            sent.extend(queue.take(Some(ME)));
        }
        sent
    }

    fn stamps(batches: &[Batch]) -> Vec<(u64, i16, i32)> {
        let stamp = |batch: &Batch| {
            batch
                .stamp
                .map(|stamp| (batch.id.opened, stamp.identity.epoch.0, stamp.sequence))
        };
        batches.iter().filter_map(stamp).collect()
    }

    fn refuse(
        queue: &mut PartitionQueue,
        batch: Batch,
        code: ErrorCode,
        now: Instant,
    ) -> Option<(Batch, ProduceError)> {
        let error = ProduceError::Api(ApiError::of_code(code));
        queue.refused(
            batch,
            error,
            code.is_retriable(),
            now,
            Duration::ZERO,
            &RULES,
        )
    }

    #[test]
    fn at_most_so_many_batches_are_under_way_and_their_sequences_follow_each_other() {
        let now = Instant::now();
        let mut queue = queue_of(7, now);
        let sent = send_all(&mut queue, now);
        assert_eq!(
            stamps(&sent),
            [(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 0, 4)]
        );
        queue.delivered(&sent[0]);
        assert_eq!(stamps(&send_all(&mut queue, now)), [(5, 0, 5)]);
    }

    #[test]
    fn the_first_batch_goes_alone_until_the_broker_knows_the_producer() {
        let now = Instant::now();
        let mut queue = unknown_queue_of(3, now);
        let first = send_all(&mut queue, now);
        assert_eq!(stamps(&first), [(0, 0, 0)]);
        queue.delivered(&first[0]);
        assert_eq!(stamps(&send_all(&mut queue, now)), [(1, 0, 1), (2, 0, 2)]);
    }

    #[test]
    fn after_a_refusal_batches_go_again_one_at_a_time_in_their_old_order() {
        let now = Instant::now();
        let mut queue = queue_of(4, now);
        let mut sent = send_all(&mut queue, now).into_iter();
        let (first, second) = (sent.next().unwrap(), sent.next().unwrap());
        assert!(refuse(&mut queue, first, ErrorCode::NotLeaderOrFollower, now).is_none());
        assert!(!queue.may_send(now, &RULES), "others are still under way");
        assert!(refuse(&mut queue, second, ErrorCode::OutOfOrderSequenceNumber, now).is_none());
        for batch in sent {
            refuse(&mut queue, batch, ErrorCode::OutOfOrderSequenceNumber, now);
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            let again = send_all(&mut queue, now);
            order.extend(stamps(&again));
            again.iter().for_each(|batch| queue.delivered(batch));
        }
        assert_eq!(
            order,
            [(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3)],
            "same epoch, same sequences"
        );
    }

    #[test]
    fn a_batch_that_is_refused_for_good_starts_a_new_epoch_for_those_behind_it() {
        let now = Instant::now();
        let mut queue = queue_of(3, now);
        let mut sent = send_all(&mut queue, now).into_iter();
        let fate = refuse(
            &mut queue,
            sent.next().unwrap(),
            ErrorCode::MessageTooLarge,
            now,
        );
        assert!(matches!(fate, Some((_, ProduceError::Api(_)))));
        for batch in sent {
            assert!(refuse(&mut queue, batch, ErrorCode::OutOfOrderSequenceNumber, now).is_none());
        }
        let first = send_all(&mut queue, now);
        assert_eq!(stamps(&first), [(1, 1, 0)]);
        queue.delivered(&first[0]);
        assert_eq!(stamps(&send_all(&mut queue, now)), [(2, 1, 1)]);
    }

    #[test]
    fn a_broker_that_forgot_us_gets_the_batch_again_under_a_new_epoch() {
        let now = Instant::now();
        for code in [
            ErrorCode::UnknownProducerId,
            ErrorCode::OutOfOrderSequenceNumber,
        ] {
            let mut queue = queue_of(1, now);
            let batch = send_all(&mut queue, now).remove(0);
            assert!(refuse(&mut queue, batch, code, now).is_none());
            assert_eq!(stamps(&send_all(&mut queue, now)), [(0, 1, 0)]);
        }
    }

    #[test]
    fn retries_end_and_wait_for_their_backoff() {
        let now = Instant::now();
        let rules = SendRules {
            retries: 1,
            ..RULES
        };
        let mut queue = queue_of(1, now);
        let error = || ProduceError::Api(ApiError::of_code(ErrorCode::NotEnoughReplicas));
        let batch = queue.take(Some(ME)).unwrap();
        let wait = Duration::from_millis(100);
        assert!(
            queue
                .refused(batch, error(), true, now, wait, &rules)
                .is_none()
        );
        assert!(!queue.may_send(now, &rules));
        assert_eq!(queue.next_event(Duration::ZERO, &rules), Some(now + wait));
        let batch = queue.take(Some(ME)).unwrap();
        assert!(
            queue
                .refused(batch, error(), true, now + wait, wait, &rules)
                .is_some()
        );
    }

    #[test]
    fn what_waits_too_long_expires_with_the_reason_it_waited() {
        let now = Instant::now();
        let mut queue = queue_of(2, now);
        let batch = queue.take(Some(ME)).unwrap();
        refuse(&mut queue, batch, ErrorCode::NotEnoughReplicas, now);
        assert!(
            queue
                .expire(now + Duration::from_secs(119), &RULES)
                .is_empty()
        );
        let expired = queue.expire(now + RULES.delivery_timeout, &RULES);
        assert_eq!(expired.len(), 2);
        assert_eq!(expired[0].1.code(), Some(ErrorCode::NotEnoughReplicas));
        assert!(queue.is_idle());
    }

    #[test]
    fn when_epochs_are_used_up_another_producer_id_is_needed() {
        let now = Instant::now();
        let last = Identity {
            epoch: ProducerEpoch(i16::MAX),
            ..ME
        };
        let mut queue = queue_of(2, now);
        let batch = queue.take(Some(last)).unwrap();
        refuse(&mut queue, batch, ErrorCode::UnknownProducerId, now);
        assert!(queue.needs_other_id(Some(last)));
        let other = Identity {
            id: ProducerId(2),
            epoch: ProducerEpoch(0),
        };
        assert!(!queue.needs_other_id(Some(other)));
        assert_eq!(
            queue.take(Some(other)).unwrap().stamp.unwrap().identity,
            other
        );
    }
}
