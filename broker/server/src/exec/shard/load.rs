//! Loading machines by replay, in the background.

use std::sync::Arc;

use bytes::Bytes;
use ottla_coordination::Loading;
use ottla_log::{MinimumRead, ReadError, ReadRequest};
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchHeader, RecordError, Records, batches_of, check_batch};
use ottla_protocol::types::{Offset, PartitionIndex};
use tracing::{error, info, warn};

use super::{Coordinator, Shard};
use crate::clock;
use crate::exec::partition::Partition;
use crate::exec::replay::{READ_BYTES, ReplayError, bytes_of};

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("the log cannot be read: {}", .0.text())]
    Log(ErrorCode),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("there is no batch at offset {0}")]
    Stuck(Offset),
}

/// Puts all of them in service: at once those that were never written, the others when they are loaded.
pub(super) fn load_all<C: Coordinator>(shards: Vec<Arc<Shard<C>>>) {
    let (untouched, written): (Vec<_>, Vec<_>) = shards
        .into_iter()
        .partition(|shard| shard.partition().was_never_used());
    for shard in untouched {
        let loading = Loading::new(shard.machine());
        let host = loading.finish(clock::now(), Offset::ZERO, Offset::ZERO, &mut shard.log());
        shard.serve(host);
    }
    if written.is_empty() {
        return;
    }
    tokio::task::spawn_blocking(move || {
        let count = written.len();
        for shard in written {
            load(&shard);
        }
        info!(topic = C::TOPIC, partitions = count, "coordinators loaded");
    });
}

fn load<C: Coordinator>(shard: &Arc<Shard<C>>) {
    let mut loading = Loading::new(shard.machine());
    match replay::<C>(shard.partition(), &mut loading) {
        Ok((end, committed_end)) => {
            let host = loading.finish(clock::now(), end, committed_end, &mut shard.log());
            shard.serve(host);
        }
        Err(failure) => {
            let partition = shard.partition().index;
            error!(topic = C::TOPIC, %partition, "the coordinator cannot be loaded: {failure}");
            shard.give_up(ErrorCode::NotCoordinator);
        }
    }
}

/// Hands every record that counts to the machine; where the log ends, and up to where it is committed. What is damaged is
/// passed over: the machines take a log with holes, as they do in the simulation, and one lost batch is no reason to keep
/// all others of the partition from their coordinator.
fn replay<C: Coordinator>(
    partition: &Arc<Partition>,
    loading: &mut Loading<C::Machine>,
) -> Result<(Offset, Offset), LoadError> {
    let bounds = partition.bounds(clock::now()).map_err(LoadError::Log)?;
    let mut next = bounds.log_start;
    while next < bounds.log_end {
        let request = ReadRequest {
            from: next,
            max_bytes: READ_BYTES,
            upper_end: bounds.log_end,
            minimum: MinimumRead::OneBatch,
        };
        let read = partition.with_log(clock::now(), |log, _| match log.read(request) {
            Err(ReadError::Corrupt(damage)) => Ok(Err(damage)),
            other => other.map(Ok),
        });
        match read.map_err(LoadError::Log)? {
            Ok(Some(slice)) => {
                let bytes = bytes_of(&slice).map_err(LoadError::Replay)?;
                let then = load_batches::<C>(loading, partition.index, &bytes, next)?;
                if then == next {
                    return Err(LoadError::Stuck(next));
                }
                next = then;
            }
            Ok(None) => break,
            Err(damage) => {
                passed_over::<C>(partition.index, &damage);
                next = damage.next_offset;
            }
        }
    }
    Ok((bounds.log_end, bounds.high_watermark))
}

/// Hands on the batches that are whole; the offset to go on at.
fn load_batches<C: Coordinator>(
    loading: &mut Loading<C::Machine>,
    partition: PartitionIndex,
    bytes: &Bytes,
    from: Offset,
) -> Result<Offset, LoadError> {
    let mut next = from;
    for batch in batches_of(bytes) {
        // What is no batch at all the log meets when it is read from there.
        let Ok((header, batch)) = batch else { break };
        let from = next;
        next = next.max(header.next_offset());
        // The log looks at checksums only where a crash may have struck.
        match check_batch(&batch) {
            Ok(_) => load_batch::<C>(loading, &header, &batch, from).map_err(ReplayError::from)?,
            Err(fault) => passed_over::<C>(
                partition,
                &format!(
                    "offsets {from} to {} cannot be read: {fault}",
                    next.0.saturating_sub(1)
                ),
            ),
        }
    }
    Ok(next)
}

fn passed_over<C: Coordinator>(partition: PartitionIndex, damage: &dyn std::fmt::Display) {
    error!(
        topic = C::TOPIC, %partition,
        "{damage}. What they said of the coordinator's state is lost and the rest is served"
    );
}

/// Hands a batch's records from offset `from` on to the machine.
pub(crate) fn load_batch<C: Coordinator>(
    loading: &mut Loading<C::Machine>,
    header: &BatchHeader,
    batch: &Bytes,
    from: Offset,
) -> Result<(), RecordError> {
    if header.is_control() {
        C::load_control(loading, header, batch);
        return Ok(());
    }
    for record in Records::open(batch, InflateLimits::LENIENT)?.owned() {
        let record = record?;
        let offset = record.offset;
        if offset < from {
            continue;
        }
        if let Err(reason) = C::load_record(loading, header, record) {
            // Some client wrote it: no reason to lose all others.
            warn!(topic = C::TOPIC, %offset, "record passed over: {reason}");
        }
    }
    Ok(())
}
