//! Batches that are too large, damaged, or larger inside than outside.

use std::time::{Duration, Instant};

use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::MetadataRequest;
use ottla_protocol::records::batch::patch_append_time;
use ottla_protocol::records::builder::BatchBuilder;
use ottla_protocol::types::Millis;

use super::support::{MIB, assert_well, peak_bytes};
use crate::requests::{FETCH, PRODUCE, create_topic, fetch, produce};
use crate::server::Server;
use crate::wire::Wire;

const ATTRIBUTES: usize = 22;
const HEADER_BYTES: usize = 61;

pub(super) fn batch_of(values: &[&[u8]]) -> Vec<u8> {
    let now = Millis(1_700_000_000_000);
    let mut builder = BatchBuilder::default();
    for value in values {
        builder.append(now, None, Some(value), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A batch of one record around a payload, with a right checksum.
fn batch_around(codec: Compression, payload: &[u8]) -> Vec<u8> {
    let mut batch = batch_of(&[b""]);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(payload);
    let length = i32::try_from(batch.len()).unwrap() - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[ATTRIBUTES] = codec.id();
    patch_append_time(&mut batch, Millis(0));
    // The checksum is right now; the kind of timestamp does not matter here.
    batch
}

fn send(client: &mut Wire, batch: Vec<u8>) -> ErrorCode {
    let response = client.call(&produce("t", 0, 1, batch), PRODUCE).unwrap();
    let partition = &response.responses[0].partition_responses[0];
    ErrorCode::from_code(partition.error_code)
}

fn end_of_log(client: &mut Wire) -> i64 {
    let response = client.call(&fetch("t", 0, 0), FETCH).unwrap();
    response.responses[0].partitions[0].high_watermark
}

/// A record of zeros, much of it, compressed: one unit of the codec that stands for many.
fn bomb(codec: Compression, unit: usize, units: usize) -> Vec<u8> {
    let mut zeros = Vec::new();
    codec.compress(None, &vec![0; unit], &mut zeros).unwrap();
    zeros.repeat(units)
}

#[test]
fn p10_bombs_are_refused_in_bounded_memory_while_others_are_served() {
    let server = Server::start();
    create_topic(server.address(), "t", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    let before = peak_bytes(&server);
    for (codec, units) in [(Compression::Zstd, 10 << 10), (Compression::Gzip, 900)] {
        let mut payload = Vec::new();
        // The start of one record that claims all that follows as its value.
        let start = [
            0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 0xe0, 0xff, 0xff, 0xff, 0x0f,
        ];
        codec.compress(None, &start, &mut payload).unwrap();
        payload.extend_from_slice(&bomb(codec, MIB as usize, units));
        let address = server.address().to_owned();
        let other = std::thread::spawn(move || {
            let mut other = Wire::connect(&address).unwrap();
            let begun = Instant::now();
            other.call(&MetadataRequest::default(), 9).unwrap();
            begun.elapsed()
        });
        let found = send(&mut client, batch_around(codec, &payload));
        assert_eq!(found, ErrorCode::InvalidRecord, "{codec}");
        let waited = other.join().unwrap();
        assert!(waited < Duration::from_secs(10), "{waited:?}");
    }
    let grown = peak_bytes(&server).saturating_sub(before);
    assert!(grown < 96 * MIB, "{grown} bytes more");
    assert_eq!(end_of_log(&mut client), 0, "nothing reached the log");
    assert_well(&server);
}

/// What inflates to no more than the bound is taken in, but not into memory.
#[test]
fn p10_a_bomb_within_the_bound_is_compressed_anew_in_bounded_memory() {
    let server = Server::start();
    for (topic, codec) in [("plain", "uncompressed"), ("gzip", "gzip")] {
        server.tool(&format!(
            "topics --create --topic {topic} --partitions 1 --config compression.type={codec}"
        ));
    }
    let mut client = Wire::connect(server.address()).unwrap();
    let before = peak_bytes(&server);
    let batch = {
        let mut builder = BatchBuilder::new(Compression::Zstd);
        let value = vec![0; 200 * MIB as usize];
        builder
            .append(Millis(1_700_000_000_000), Some(b"k"), Some(&value), &[])
            .unwrap();
        builder.build().unwrap()
    };
    assert!(batch.len() < 16 << 10, "{} bytes", batch.len());
    let mut send_to = |topic| {
        let response = client
            .call(&produce(topic, 0, 1, batch.clone()), PRODUCE)
            .unwrap();
        ErrorCode::from_code(response.responses[0].partition_responses[0].error_code)
    };
    assert_eq!(send_to("plain"), ErrorCode::MessageTooLarge);
    assert_eq!(send_to("gzip"), ErrorCode::None);
    let grown = peak_bytes(&server).saturating_sub(before);
    assert!(grown < 48 * MIB, "{grown} bytes more");
    assert_well(&server);
}

#[test]
fn p11_codec_streams_that_lie_or_end_early_never_get_in() {
    let server = Server::start();
    create_topic(server.address(), "t", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    let snappy_java = |length: &[u8]| {
        let magic = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
        [&magic[..], &[0, 0, 0, 1, 0, 0, 0, 1], length, &[0; 20]].concat()
    };
    let mut cases = vec![
        (Compression::Snappy, snappy_java(&[0x7f, 0xff, 0xff, 0xff])),
        (Compression::Snappy, snappy_java(&[0xff, 0xff, 0xff, 0xff])),
        (Compression::Snappy, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        // A dictionary that nobody has; a window of 2 GiB.
        (
            Compression::Zstd,
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x23, 9, 9, 9, 9, 8, 1, 0, 0],
        ),
        (
            Compression::Zstd,
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 1, 0, 0],
        ),
    ];
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let mut whole = Vec::new();
        codec.compress(None, &[7; 5_000], &mut whole).unwrap();
        cases.extend([0, 1, 9, whole.len() / 2].map(|cut| (codec, whole[..cut].to_vec())));
        let mut damaged = whole;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        cases.push((codec, damaged));
    }
    for (codec, payload) in cases {
        let found = send(&mut client, batch_around(codec, &payload));
        assert_eq!(found, ErrorCode::InvalidRecord, "{codec}: {payload:02x?}");
    }
    assert_eq!(end_of_log(&mut client), 0, "nothing reached the log");
    assert_well(&server);
}

#[test]
fn records_over_the_limit_damaged_or_out_of_time_are_refused_and_the_next_one_is_not() {
    let server = Server::with(
        &[
            "--override",
            "message.max.bytes=10000",
            "log.message.timestamp.after.max.ms=1000",
            "ottla.durability=memory",
        ],
        &[],
    );
    create_topic(server.address(), "t", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    let large = batch_of(&[&vec![b'v'; 10_001][..]]);
    assert_eq!(send(&mut client, large), ErrorCode::MessageTooLarge);
    let mut damaged = batch_of(&[b"value"]);
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(send(&mut client, damaged), ErrorCode::CorruptMessage);
    let mut future = BatchBuilder::default();
    future
        .append(Millis(i64::MAX), None, Some(b"late"), &[])
        .unwrap();
    assert_eq!(
        send(&mut client, future.build().unwrap()),
        ErrorCode::InvalidTimestamp
    );
    assert_eq!(send(&mut client, batch_of(&[b"right"])), ErrorCode::None);
    assert_eq!(end_of_log(&mut client), 1);
    assert_well(&server);
}
