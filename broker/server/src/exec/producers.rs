//! Bringing the state of idempotent producers back from a partition's log.

use ottla_coordination::txn::{ProducerBatch, ProducerStates};
use ottla_log::disk::{DiskError, read_full};
use ottla_log::{FileSlice, Log, MinimumRead, ReadError, ReadRequest};
use ottla_protocol::records::{BATCH_OVERHEAD, BatchHeader};
use ottla_protocol::types::Offset;

/// Read at a time: small batches come many at once, of large ones only the header.
const WINDOW_BYTES: usize = 16 * 1024;

/// A batch as the producer state sees it; none for batches of other producers.
pub(crate) fn producer_batch(header: &BatchHeader) -> Option<ProducerBatch> {
    header.has_producer_id().then(|| ProducerBatch {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        first_sequence: header.base_sequence,
        last_sequence: header.last_sequence(),
        offset_delta: header.last_offset_delta,
        max_timestamp: header.max_timestamp,
        is_transactional: header.is_transactional(),
    })
}

/// Replays the log's batches.
pub(super) fn load(log: &Log) -> Result<ProducerStates, ReadError> {
    let mut states = ProducerStates::default();
    replay(log, log.start(), &mut states)?;
    Ok(states)
}

fn replay(log: &Log, from: Offset, states: &mut ProducerStates) -> Result<(), ReadError> {
    let mut next = from;
    while next < log.end() {
        let request = ReadRequest {
            from: next,
            max_bytes: i32::MAX as usize,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        let Some(slice) = log.read(request)? else {
            break;
        };
        let end = replay_slice(&slice, states).map_err(|source| DiskError {
            what: "read",
            path: std::path::PathBuf::from("a segment"),
            source,
        })?;
        if end <= next {
            break;
        }
        next = end;
    }
    Ok(())
}

/// Walks the headers of a range; the offset after its last batch.
fn replay_slice(slice: &FileSlice, states: &mut ProducerStates) -> std::io::Result<Offset> {
    let mut window = vec![0; WINDOW_BYTES.min(slice.len)];
    let (mut window_start, mut window_len) = (0, 0);
    let mut position = 0;
    let mut next = slice.base_offset;
    while position + BATCH_OVERHEAD <= slice.len {
        if position < window_start || position + BATCH_OVERHEAD > window_start + window_len {
            let wanted = window.len().min(slice.len - position);
            window_len = read_full(
                &*slice.file,
                &mut window[..wanted],
                slice.position + position as u64,
            )?;
            window_start = position;
        }
        let at = position - window_start;
        let Some(Ok(header)) = window.get(at..window_len).map(BatchHeader::read) else {
            break;
        };
        if let Some(batch) = producer_batch(&header) {
            states.apply(&batch, header.base_offset);
        }
        next = header.next_offset();
        position += header.size_in_bytes();
    }
    Ok(next)
}
