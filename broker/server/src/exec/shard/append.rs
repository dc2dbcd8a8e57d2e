//! A machine's records as bytes on its partition.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordination::Log;
use ottla_coordination::txn::Origin;
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, Offset};
use tracing::error;

use super::coordinator::{Coordinator, RecordOf};
use crate::exec::partition::{Acks, Append, Partition};

/// Where the machine of a partition writes.
pub(super) struct ShardLog<'a, C>(pub(super) &'a Arc<Partition>, pub(super) PhantomData<C>);

impl<C: Coordinator> Log<RecordOf<C>> for ShardLog<'_, C> {
    fn append(&mut self, now: Millis, records: &[RecordOf<C>]) -> Result<Offset, ErrorCode> {
        C::append(self.0, now, records)
    }
}

/// Appends keys and values as one plain batch.
pub(crate) fn append_plain(
    partition: &Arc<Partition>,
    now: Millis,
    records: impl Iterator<Item = (Bytes, Option<Bytes>)>,
) -> Result<Offset, ErrorCode> {
    let mut builder = BatchBuilder::new(Compression::None);
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
    let how = Append {
        acks: Acks::Leader,
        log_append_time: false,
        producer: None,
        origin: Origin::Coordinator,
    };
    let placed = partition.append(&mut batch, how, &mut None, now)?;
    Ok(placed.base_offset)
}

fn refused(partition: &Partition, failure: &dyn std::fmt::Display) -> ErrorCode {
    let topic = &partition.topic.name;
    error!(%topic, partition = %partition.index, "records cannot be written as one batch: {failure}");
    ErrorCode::MessageTooLarge
}
