//! The open transaction: what is sent within it, and its end by choice.
//!
//! Always: what a call fails with is noted, so that committing fails with it, too. Not here: how a transaction ends, which its
//! producer sees to also where nobody has this any more.

use ottla_protocol::errors::ErrorCode;

use super::{State, TransactionError, TransactionProtocol, TransactionalProducer};
use crate::{
    admin::{NewOffset, TopicPartition},
    cluster::lock,
    consumer::GroupMetadata,
    producer::{Delivery, ProduceError, Record, scope::Started},
};

/// An open transaction. Dropped, it sends nothing more; it is aborted when the next one is begun, or the producer closed, or
/// by the coordinator after `transaction.timeout.ms`.
///
/// An error of any call means that it can't be committed; [`commit`](Self::commit) then aborts it.
#[derive(Debug)]
#[must_use = "what is neither committed nor aborted is aborted, later"]
pub struct Transaction<'a> {
    producer: &'a mut TransactionalProducer,
}

impl<'a> Transaction<'a> {
    /// Of a producer that has just begun it.
    pub(super) fn of(producer: &'a mut TransactionalProducer) -> Self {
        Self { producer }
    }

    /// Puts a record into its batch; waits for metadata and for memory up to `max.block.ms`. The delivery need not be looked
    /// at: committing does so for all of them.
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        let outcome = self.producer.producer.send(record).await;
        if let Err(error) = &outcome {
            self.note(TransactionError::of_batch(error.clone()));
        }
        outcome
    }

    /// The offsets at which the group is to read on if this transaction is committed. `group` is the membership under
    /// which the records were read, so that a member that has lost its partitions commits nothing; waits up to
    /// `max.block.ms`.
    pub async fn send_offsets(
        &self,
        group: &GroupMetadata,
        offsets: &[(TopicPartition, NewOffset)],
    ) -> Result<(), TransactionError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let outcome = self.try_send_offsets(group, offsets).await;
        outcome.map_err(|error| {
            let over = [ErrorCode::InvalidTxnState, ErrorCode::ProducerFenced];
            let error = match self.producer.may_be_over(&error, &over) {
                true => error.into_abortable(),
                false => error.or_abortable(),
            };
            self.note(error.clone());
            error
        })
    }

    async fn try_send_offsets(
        &self,
        group: &GroupMetadata,
        offsets: &[(TopicPartition, NewOffset)],
    ) -> Result<(), TransactionError> {
        let TransactionalProducer {
            coordinator,
            identity,
            protocol,
            ..
        } = &*self.producer;
        if *protocol == TransactionProtocol::V1 {
            self.note_started(Started::Perhaps);
            coordinator.add_offsets(*identity, &group.group_id).await?;
        }
        self.note_started(Started::Yes);
        coordinator
            .commit_offsets(*identity, *protocol, group, offsets)
            .await
    }

    /// Lets everything go out without lingering and waits until all that was sent before has its outcome.
    pub async fn flush(&self) {
        self.producer.producer.flush().await;
    }

    /// Commits: waits until everything is written (`delivery.timeout.ms` bounds that), then for the coordinator
    /// (`max.block.ms`). After an abortable error the transaction has been aborted; after a retriable one, or where the returned
    /// future is given up, [`TransactionalProducer::settle`] carries the commit through.
    pub async fn commit(self) -> Result<(), TransactionError> {
        self.producer.commit().await
    }

    /// Aborts: what was not sent yet never is.
    pub async fn abort(self) -> Result<(), TransactionError> {
        self.producer.abort().await
    }

    fn note(&self, error: TransactionError) {
        lock(&self.producer.producer.shared.accumulator)
            .scope()
            .fail(error);
    }

    fn note_started(&self, started: Started) {
        lock(&self.producer.producer.shared.accumulator)
            .scope()
            .note_started(started);
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.producer.state == State::Open {
            self.producer.producer.give_transaction_up();
        }
    }
}
