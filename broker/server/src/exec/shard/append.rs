//! A machine's records as bytes on its partition.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordination::Log;
use ottla_coordination::txn::{Origin, Verification};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchBuilder, BatchHeader};
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};
use tracing::error;

use super::coordinator::{Coordinator, RecordOf};
use crate::exec::partition::{Acks, Append, Partition};
use crate::exec::producers::producer_batch;

/// Where the machine of a partition writes.
pub(super) struct ShardLog<'a, C> {
    pub(super) partition: &'a Arc<Partition>,
    /// What is shown for the transaction of which the records are.
    pub(super) verification: Verification,
    pub(super) coordinator: PhantomData<C>,
}

impl<C: Coordinator> Log<RecordOf<C>> for ShardLog<'_, C> {
    fn append(&mut self, now: Millis, records: &[RecordOf<C>]) -> Result<Offset, ErrorCode> {
        C::append(self.partition, now, records, self.verification)
    }
}

/// Appends keys and values as one plain batch. It has no producer, and all the same the sequence that the reference gives it:
/// 0 in the log of groups, `NO_SEQUENCE` in that of transactions.
pub(crate) fn append_plain(
    partition: &Arc<Partition>,
    now: Millis,
    base_sequence: i32,
    records: impl Iterator<Item = (Bytes, Option<Bytes>)>,
) -> Result<Offset, ErrorCode> {
    let (id, epoch) = (ProducerId::NONE, ProducerEpoch(-1));
    let builder = BatchBuilder::new(Compression::None).producer(id, epoch, base_sequence);
    append(builder, partition, now, Verification::Waived, records)
}

/// Appends them as one batch of a producer's transaction, on the producer's behalf: with the sequence numbers of a first
/// batch, as the reference does it, and nobody looks at them.
pub(crate) fn append_transactional(
    partition: &Arc<Partition>,
    now: Millis,
    (producer_id, producer_epoch): (ProducerId, ProducerEpoch),
    verification: Verification,
    records: impl Iterator<Item = (Bytes, Option<Bytes>)>,
) -> Result<Offset, ErrorCode> {
    let builder = BatchBuilder::new(Compression::None)
        .producer(producer_id, producer_epoch, 0)
        .transactional(true);
    append(builder, partition, now, verification, records)
}

fn append(
    mut builder: BatchBuilder,
    partition: &Arc<Partition>,
    now: Millis,
    verification: Verification,
    records: impl Iterator<Item = (Bytes, Option<Bytes>)>,
) -> Result<Offset, ErrorCode> {
    for (key, value) in records {
        builder
            .append(now, Some(&key), value.as_deref(), &[])
            .map_err(|failure| refused(partition, &failure))?;
    }
    let built = builder.build();
    let mut batch = built.map_err(|failure| refused(partition, &failure))?;
    let settings = partition.settings();
    if batch.len() > settings.message_bytes_max {
        return Err(ErrorCode::MessageTooLarge);
    }
    if settings.insync_replicas_min > 1 {
        return Err(ErrorCode::NotEnoughReplicas);
    }
    let header = BatchHeader::read(&batch).map_err(|failure| refused(partition, &failure))?;
    let how = Append {
        acks: Acks::Leader,
        log_append_time: false,
        producer: producer_batch(&header),
        origin: Origin::Coordinator(verification),
    };
    let placed = partition.append(&mut batch, how, &mut None, now)?;
    Ok(placed.base_offset)
}

fn refused(partition: &Partition, failure: &dyn std::fmt::Display) -> ErrorCode {
    let topic = &partition.topic.name;
    error!(%topic, partition = %partition.index, "records cannot be written as one batch: {failure}");
    ErrorCode::MessageTooLarge
}
