//! Record sets, compressed payloads, control records.

use bytes::Bytes;

use crate::compress::{Compression, InflateLimits};
use crate::records::batch::{BATCH_OVERHEAD, NO_TIMESTAMP, computed_crc, patch_max_timestamp};
use crate::records::control::{ControlType, EndTxnMarker};
use crate::records::{
    BatchHeader, RecordError, Records, Rules, TimestampType, batches_of, check_batch,
    validate_produce,
};
use crate::types::{Millis, Offset};

/// Small, so that a fuzzer gets many runs out of a second.
const LIMITS: InflateLimits = InflateLimits {
    bytes_max: 1 << 20,
    zstd_window_log_max: 20,
};

/// Bytes as a broker or consumer finds them: walks batches and records, whether the CRC fits or not.
pub fn fuzz_record_set(data: &[u8]) {
    let set = Bytes::copy_from_slice(data);
    let mut walked = 0;
    for batch in batches_of(&set) {
        let Ok((header, batch)) = batch else { break };
        assert_eq!(batch.len(), header.size_in_bytes());
        walked += batch.len();
        if let Ok(checked) = check_batch(&batch) {
            assert_eq!(checked, header);
        }
        walk(&batch);
    }
    assert!(walked <= data.len());
    let _ = validate_produce(
        data,
        &Rules {
            transactional: true,
            ..Rules::default()
        },
    );
}

fn walk(batch: &Bytes) {
    let Ok(records) = Records::open(batch, LIMITS) else {
        return;
    };
    let mut size = 0;
    for record in &records {
        let Ok(record) = record else { return };
        size += record.size_in_bytes;
        let owned = record.to_owned_in(records.payload());
        assert_eq!(owned.key.as_deref(), record.key);
        assert_eq!(owned.headers.len(), record.headers.len());
    }
    assert!(size <= records.payload().len());
}

/// Bytes as the attributes and records of a producer's batch, with everything in the header made right that would stop
/// them early: what a broker accepts, every consumer can read.
pub fn fuzz_produce(data: &[u8]) {
    let Some(mut batch) = plausible(data) else {
        return;
    };
    let log_append_time = data.first().is_some_and(|byte| byte & 0x80 != 0);
    let rules = Rules {
        timestamp_type: if log_append_time {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        },
        timestamp_after_max: Millis(i64::MAX),
        compacted: data.get(1).is_some_and(|byte| byte & 1 != 0),
        transactional: true,
        inflate: LIMITS,
        ..Rules::default()
    };
    let Ok(validated) = validate_produce(&batch, &rules) else {
        return;
    };
    assert_eq!(validated.size_in_bytes, batch.len());

    patch_max_timestamp(&mut batch, rules.timestamp_type, validated.max_timestamp);
    let batch = Bytes::from(batch);
    let header = check_batch(&batch).expect("the CRC was computed anew");
    let records = match Records::open(&batch, LIMITS) {
        Ok(records) => records,
        // See `fuzz_inflate` on zstd.
        Err(RecordError::Compress(_))
            if header
                .compression()
                .is_ok_and(|codec| codec == Compression::Zstd) =>
        {
            return;
        }
        Err(error) => panic!("it was inflated before: {error}"),
    };
    let mut latest = NO_TIMESTAMP;
    let mut count = 0;
    for record in &records {
        let record = record.expect("it was read before");
        latest = latest.max(record.timestamp);
        assert!(record.key.is_some() || !rules.compacted);
        count += 1;
    }
    assert_eq!(count, header.record_count);
    assert_eq!(latest, header.max_timestamp);
}

/// A batch around the bytes after the first two, which choose codec and flags; its count is the first record's guess.
fn plausible(data: &[u8]) -> Option<Vec<u8>> {
    let [flags, count, payload @ ..] = data else {
        return None;
    };
    let mut batch = vec![0; BATCH_OVERHEAD];
    batch.extend_from_slice(payload);
    let count = i32::from(count >> 1).max(1);
    let mut header = BatchHeader {
        base_offset: Offset::ZERO,
        batch_length: i32::try_from(batch.len()).ok()? - 12,
        magic: 2,
        last_offset_delta: count - 1,
        record_count: count,
        ..crate::records::BatchBuilder::default().header()
    };
    header.attributes.0 = i16::from(flags & 0x1f);
    batch[..BATCH_OVERHEAD].copy_from_slice(&header.encode());
    header.crc = computed_crc(&batch);
    batch[..BATCH_OVERHEAD].copy_from_slice(&header.encode());
    Some(batch)
}

/// A codec and a payload: never more comes out than the bound, and it does not depend on the size of the reader's
/// buffer.
pub fn fuzz_inflate(data: &[u8]) {
    let Some((first, payload)) = data.split_first() else {
        return;
    };
    let Some(codec) = Compression::from_id(first % 5) else {
        return;
    };
    let whole = codec.inflate(payload, LIMITS);
    if let Ok(whole) = &whole {
        assert!(whole.len() as u64 <= LIMITS.bytes_max);
        let mut packed = Vec::new();
        codec
            .compress(None, whole, &mut packed)
            .expect("a short input");
        assert_eq!(
            codec.inflate(&packed, LIMITS).expect("it was just packed"),
            *whole
        );
    }
    let pieces = inflate_in_pieces(codec, payload, usize::from(*first) + 1);
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (Err(_), Err(_)) => {}
        // Zstd compares a frame's size with its header only where the buffer takes the whole frame.
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => assert_eq!(codec, Compression::Zstd),
    }
}

fn inflate_in_pieces(
    codec: Compression,
    payload: &[u8],
    piece: usize,
) -> Result<Vec<u8>, RecordError> {
    let mut inflater = codec.inflater(payload, LIMITS)?;
    let mut out = Vec::new();
    let mut buffer = vec![0; piece];
    loop {
        let n = inflater.read(&mut buffer)?;
        if n == 0 {
            assert_eq!(inflater.produced(), out.len() as u64);
            return Ok(out);
        }
        out.extend_from_slice(&buffer[..n]);
    }
}

/// Keys and values of control records.
pub fn fuzz_control(data: &[u8]) {
    if let Ok(control_type) = ControlType::from_key(data) {
        assert_eq!(control_type.key()[2..], data[2..4]);
    }
    let (key, value) = data.split_at(data.len().min(4));
    let batch = {
        let mut builder = crate::records::BatchBuilder::default().control(true);
        builder
            .append(Millis(0), Some(key), Some(value), &[])
            .expect("a short record");
        Bytes::from(builder.build().expect("one record"))
    };
    let records = Records::open(&batch, LIMITS).expect("it was just built");
    for record in &records {
        let record = record.expect("it was just built");
        if let Ok(Some(marker)) = EndTxnMarker::from_record(&record) {
            assert_eq!(marker.value()[2..], value[2..6]);
        }
    }
}
