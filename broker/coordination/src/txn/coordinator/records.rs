//! The records of `__transaction_state`, and their bytes.
//!
//! A key starts with its type, a value with its version, two bytes each; a null value is a tombstone. Version 1 of the
//! value is the first that can keep previous and next producer ids and the client's version: at `transaction.version`
//! 0 they are not on the log, and so the machine does not have them either.

use bytes::Bytes;
use ottla_protocol::messages::Message;
use ottla_protocol::messages::internal::transaction_log_value::PartitionsSchema;
use ottla_protocol::messages::internal::{TransactionLogKey, TransactionLogValue};
use ottla_protocol::types::{Millis, PartitionIndex, ProducerEpoch, ProducerId};
use ottla_protocol::wire::{DecodeError, Reader};
use thiserror::Error;

use super::state::{TopicPartition, Transaction, TransactionState, TransactionVersion};
use crate::group::{versioned, with_number};

/// A record of `__transaction_state`; no transaction is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub struct TxnRecord {
    pub transactional_id: String,
    pub transaction: Option<Transaction>,
    /// Of `TransactionLogValue`.
    pub value_version: i16,
}

/// A record of `__transaction_state` that can't be read.
#[derive(Debug, Error)]
pub enum TxnRecordError {
    #[error("a record of the transaction topic has no key")]
    NoKey,
    #[error("a record of the transaction topic has the unknown state {0}")]
    State(i8),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl TxnRecord {
    /// The record of a step; what its version has no place for is left out.
    pub(super) fn new(
        transactional_id: &str,
        transaction: Option<Transaction>,
        version: TransactionVersion,
    ) -> Self {
        let value_version = version.log_value_version();
        let mut transaction = transaction;
        if let Some(transaction) = transaction.as_mut().filter(|_| value_version == 0) {
            transaction.previous_producer_id = ProducerId::NONE;
            transaction.next_producer_id = ProducerId::NONE;
            transaction.client_version = TransactionVersion(0);
        }
        Self {
            transactional_id: transactional_id.to_owned(),
            transaction,
            value_version,
        }
    }

    /// Key and value as they go into the log.
    #[must_use]
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        let key = TransactionLogKey {
            transactional_id: self.transactional_id.as_str().into(),
            ..Default::default()
        };
        let value = self.transaction.as_ref().map(to_value);
        (
            with_number(TransactionLogKey::API_KEY, &key.to_bytes(0)),
            value.map(|value| versioned(&value, self.value_version)),
        )
    }

    /// Reads a record; `None` where its key or value is of a kind that only later versions know.
    pub fn decode(
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<Option<Self>, TxnRecordError> {
        let mut key = Reader::new(key.ok_or(TxnRecordError::NoKey)?);
        if key.i16("type")? != TransactionLogKey::API_KEY {
            return Ok(None);
        }
        let transactional_id = TransactionLogKey::decode(&mut key, 0)?
            .transactional_id
            .to_string();
        let Some(value) = value else {
            return Ok(Some(Self {
                transactional_id,
                transaction: None,
                value_version: TransactionLogValue::MAX_VERSION,
            }));
        };
        let mut value = Reader::new(value);
        let value_version = value.i16("version")?;
        if !(TransactionLogValue::MIN_VERSION..=TransactionLogValue::MAX_VERSION)
            .contains(&value_version)
        {
            return Ok(None);
        }
        let value = TransactionLogValue::decode(&mut value, value_version)?;
        Ok(Some(Self {
            transactional_id,
            transaction: Some(from_value(value)?),
            value_version,
        }))
    }
}

fn to_value(transaction: &Transaction) -> TransactionLogValue {
    let mut topics: Vec<PartitionsSchema> = Vec::new();
    for TopicPartition { topic, partition } in &transaction.partitions {
        match topics
            .last_mut()
            .filter(|last| last.topic == topic.as_str())
        {
            Some(last) => last.partition_ids.push(partition.0),
            None => topics.push(PartitionsSchema {
                topic: topic.into(),
                partition_ids: vec![partition.0],
                ..Default::default()
            }),
        }
    }
    let is_empty = transaction.state == TransactionState::Empty;
    TransactionLogValue {
        producer_id: transaction.producer_id.0,
        previous_producer_id: transaction.previous_producer_id.0,
        next_producer_id: transaction.next_producer_id.0,
        producer_epoch: transaction.producer_epoch.0,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: transaction.state.id(),
        transaction_partitions: (!is_empty).then_some(topics),
        transaction_last_update_timestamp_ms: transaction.updated_at.0,
        transaction_start_timestamp_ms: transaction.started_at.map_or(-1, |start| start.0),
        client_transaction_version: transaction.client_version.0,
        ..Default::default()
    }
}

fn from_value(value: TransactionLogValue) -> Result<Transaction, TxnRecordError> {
    let id = value.transaction_status;
    let state = TransactionState::from_id(id).ok_or(TxnRecordError::State(id))?;
    let topics = value.transaction_partitions.unwrap_or_default();
    let partitions = topics.into_iter().flat_map(|topic| {
        let name = topic.topic.to_string();
        let partitions = topic.partition_ids.into_iter();
        partitions.map(move |partition| TopicPartition {
            topic: name.clone(),
            partition: PartitionIndex(partition),
        })
    });
    let start = value.transaction_start_timestamp_ms;
    Ok(Transaction {
        producer_id: ProducerId(value.producer_id),
        previous_producer_id: ProducerId(value.previous_producer_id),
        next_producer_id: ProducerId(value.next_producer_id),
        producer_epoch: ProducerEpoch(value.producer_epoch),
        timeout_ms: value.transaction_timeout_ms,
        state,
        partitions: partitions.collect(),
        started_at: (start >= 0).then_some(Millis(start)),
        updated_at: Millis(value.transaction_last_update_timestamp_ms),
        client_version: TransactionVersion(value.client_transaction_version),
    })
}
