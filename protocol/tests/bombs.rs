//! Payloads that announce or inflate to far more than they are. Alone in its binary, since it looks at the memory of the
//! whole process.

use std::fs;

use ottla_protocol::compress::{CompressError, Compression, InflateLimits};
use ottla_protocol::records::batch::patch_append_time;
use ottla_protocol::records::{BatchBuilder, RecordError, Rules, validate_produce};
use ottla_protocol::types::Millis;

const MIB: usize = 1 << 20;
/// What the catalogue of bad input allows a bomb to cost.
const MEMORY_MAX: usize = 64 * MIB;

/// The most memory the process has had so far; 0 where the system does not tell.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0) * 1024
}

/// The start of a record whose value of 2,000,000,000 bytes is still to come.
fn start_of_record() -> Vec<u8> {
    let varint = |value: u32| {
        let mut bytes = Vec::new();
        let mut rest = u64::from(value) << 1;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    };
    [
        varint(2_000_000_020),
        vec![0, 0, 0, 1],
        varint(2_000_000_000),
    ]
    .concat()
}

fn pack(codec: Compression, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    codec.compress(None, input, &mut out).expect("packs");
    out
}

/// A payload of that record's start and zeros, one unit of the codec repeated.
fn bomb(codec: Compression, unit: usize, units: usize) -> Vec<u8> {
    let (start, zeros) = (pack(codec, &start_of_record()), pack(codec, &vec![0; unit]));
    // What stands in front of the first block, and behind the last one.
    let (head, tail) = match codec {
        Compression::None | Compression::Gzip | Compression::Zstd => (0, 0),
        Compression::Snappy => (16, 0),
        Compression::Lz4 => (7, 4),
    };
    let mut payload = start[..start.len() - tail].to_vec();
    for _ in 0..units {
        payload.extend_from_slice(&zeros[head..zeros.len() - tail]);
    }
    payload.extend_from_slice(&start[start.len() - tail..]);
    payload
}

fn batch_around(codec: Compression, payload: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::default();
    builder.append(Millis(0), None, None, &[]).expect("room");
    let mut batch = builder.build().expect("a record");
    batch.truncate(61);
    batch.extend_from_slice(payload);
    let length = i32::try_from(batch.len()).expect("short") - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[22] = codec.id();
    patch_append_time(&mut batch, Millis(0));
    batch
}

#[test]
fn bombs_cost_neither_memory_nor_more_than_the_bound() {
    let bombs = [
        (Compression::Zstd, MIB, 10 << 10), // 10 GiB
        (Compression::Gzip, MIB, 300),
        (Compression::Lz4, 64 << 10, 5000),
        (Compression::Snappy, 32 << 10, 9000),
    ];
    for (codec, unit, units) in bombs {
        let batch = batch_around(codec, &bomb(codec, unit, units));
        let before = peak_memory();
        let rules = Rules {
            batch_bytes_max: usize::MAX,
            ..Rules::default()
        };
        let error = validate_produce(&batch, &rules).expect_err("a bomb");
        let bytes_max = InflateLimits::STRICT.bytes_max;
        assert!(
            matches!(error, RecordError::Compress(CompressError::TooLarge { bytes_max: bound, .. }) if bound == bytes_max),
            "{codec}: {error}"
        );
        let grown = peak_memory() - before;
        assert!(grown <= MEMORY_MAX, "{codec}: {grown} bytes more");
    }

    // Counts and lengths that only announce.
    let mut batch = batch_around(Compression::None, &start_of_record());
    batch[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    patch_append_time(&mut batch, Millis(1));
    let before = peak_memory();
    assert!(validate_produce(&batch, &Rules::default()).is_err());
    assert!(peak_memory() - before <= MIB);
}
