//! From a decision to its end: markers are asked for until every partition has one.
//!
//! Always: markers are asked for only when the decision is committed; a transaction is complete when all partitions of
//! its prepared record are done; after a load all of them are asked for again.

use std::collections::BTreeSet;

use ottla_protocol::types::Millis;

use super::commands::{
    MarkerOutcome, MarkersWritten, TxnErrand, TxnProducer, TxnResponse, WriteMarkers,
};
use super::records::TxnRecord;
use super::state::{Step, TopicPartition, Transaction};
use super::{TxnMachine, TxnTimer};
use crate::effects::{Effects, ReplyToken};

impl TxnMachine {
    /// Appends a decision and asks for its markers; where there are no partitions it is complete at once.
    pub(super) fn append_prepared(
        &mut self,
        now: Millis,
        id: &str,
        prepared: Step,
        replies: Vec<(ReplyToken, TxnResponse)>,
        out: &mut Effects<Self>,
    ) {
        if prepared.after.partitions.is_empty() {
            let complete = prepared.after.complete(prepared.last_epoch, now);
            let records = vec![self.propose(id, prepared), self.propose(id, complete)];
            return out.append_then(records, replies);
        }
        let partitions = prepared.after.partitions.clone();
        let errand = self.write_markers(id, &prepared.after, partitions);
        let record = self.propose(id, prepared);
        out.append_then_send(vec![record], replies, vec![errand]);
    }

    pub(super) fn markers_written(
        &mut self,
        now: Millis,
        written: &MarkersWritten,
        out: &mut Effects<Self>,
    ) {
        let id = &written.producer.transactional_id;
        if !self.is_current(written) {
            return;
        }
        let Some(pending) = self.soft.pending.get_mut(id) else {
            return;
        };
        for (partition, outcome) in &written.outcomes {
            match outcome {
                MarkerOutcome::Done => {
                    pending.remaining.remove(partition);
                    pending.retry.remove(partition);
                }
                MarkerOutcome::Retry if pending.remaining.contains(partition) => {
                    pending.retry.insert(partition.clone());
                }
                MarkerOutcome::Retry => {}
                MarkerOutcome::Fenced => {
                    self.soft.pending.remove(id);
                    return;
                }
            }
        }
        if pending.remaining.is_empty() {
            self.complete(now, id, out);
        } else if !pending.retry.is_empty() {
            self.retry_later(now, id, out);
        }
    }

    /// Whether the shell speaks of what is prepared now, and not of an earlier transaction or coordinator.
    fn is_current(&self, written: &MarkersWritten) -> bool {
        let producer = &written.producer;
        written.coordinator_epoch == self.coordinator_epoch
            && self
                .hard
                .get(&producer.transactional_id)
                .is_some_and(|transaction| {
                    transaction.state.prepared().is_some()
                        && transaction.producer_id == producer.producer_id
                        && transaction.producer_epoch == producer.producer_epoch
                })
    }

    /// The time has come to ask for markers again, or to write down that all are there.
    pub(super) fn retry_markers(&mut self, now: Millis, id: &str, out: &mut Effects<Self>) {
        let Some(pending) = self.soft.pending.get_mut(id) else {
            return;
        };
        if pending.remaining.is_empty() {
            return self.complete(now, id, out);
        }
        let partitions = std::mem::take(&mut pending.retry);
        if let Some(transaction) = self.hard.get(id).filter(|_| !partitions.is_empty()) {
            out.send(self.write_markers(id, transaction, partitions));
        }
    }

    /// A new coordinator does not know which markers its predecessor has written.
    pub(super) fn resume_markers(&mut self, now: Millis, out: &mut Effects<Self>) {
        let ids: Vec<String> = self.soft.pending.keys().cloned().collect();
        for id in ids {
            if let Some(pending) = self.soft.pending.get_mut(&id) {
                pending.retry = pending.remaining.clone();
            }
            self.retry_markers(now, &id, out);
        }
    }

    /// The log refused these records: what was to be complete is so still.
    pub(super) fn take_back(
        &mut self,
        now: Millis,
        records: &[TxnRecord],
        out: &mut Effects<Self>,
    ) {
        for record in records {
            self.soft.withdraw(record);
            if self.soft.pending.contains_key(&record.transactional_id) {
                self.retry_later(now, &record.transactional_id, out);
            }
        }
    }

    fn complete(&mut self, now: Millis, id: &str, out: &mut Effects<Self>) {
        let transaction = self.hard.get(id).expect("a prepared transaction");
        let step = transaction.complete(self.soft.last_epoch(id), now);
        out.append(vec![self.propose(id, step)]);
    }

    fn retry_later(&self, now: Millis, id: &str, out: &mut Effects<Self>) {
        let at = now.plus(Millis(self.settings.marker_retry_ms.into()));
        let transactional_id = id.to_owned();
        out.arm(TxnTimer::Markers { transactional_id }, at);
    }

    fn write_markers(
        &self,
        id: &str,
        prepared: &Transaction,
        partitions: BTreeSet<TopicPartition>,
    ) -> TxnErrand {
        TxnErrand::WriteMarkers(WriteMarkers {
            producer: TxnProducer {
                transactional_id: id.to_owned(),
                producer_id: prepared.producer_id,
                producer_epoch: prepared.producer_epoch,
            },
            outcome: prepared.state.prepared().expect("a prepared transaction"),
            transaction_version: prepared.client_version,
            coordinator_epoch: self.coordinator_epoch,
            partitions,
        })
    }
}
