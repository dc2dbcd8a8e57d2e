//! Record batches: checking what a producer sent, iterating and building, by size of the batch.

use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::records::{BatchBuilder, Records, Rules, check_batch, validate_produce};
use ottla_protocol::types::Millis;

const SIZES: [usize; 3] = [1 << 10, 16 << 10, 1 << 20];
const VALUE_BYTES: usize = 100;

fn main() {
    divan::main();
}

fn values() -> impl Iterator<Item = Vec<u8>> {
    // Text-like: half of it the same in all records.
    (0_u32..).map(|index| {
        let mut value = format!(
            "{{\"id\":{index},\"status\":\"shipped\",\"customer\":{}",
            index.wrapping_mul(2_654_435_761)
        )
        .into_bytes();
        value.resize(VALUE_BYTES, b'x');
        value
    })
}

fn fill(size: usize, codec: Compression) -> BatchBuilder {
    let mut builder = BatchBuilder::new(codec);
    for (index, value) in values().enumerate() {
        if builder.size_in_bytes() + VALUE_BYTES + 10 > size {
            break;
        }
        builder
            .append(Millis(1000 + index as i64), None, Some(&value), &[])
            .expect("room");
    }
    builder
}

fn batch(size: usize, codec: Compression) -> Bytes {
    Bytes::from(fill(size, codec).build().expect("records"))
}

fn rules() -> Rules {
    Rules {
        now: Millis(1000),
        batch_bytes_max: 2 << 20,
        ..Rules::default()
    }
}

#[divan::bench(args = SIZES)]
fn check_crc(bencher: Bencher, size: usize) {
    let batch = batch(size, Compression::None);
    bencher
        .counter(BytesCount::new(batch.len()))
        .bench(|| check_batch(black_box(&batch)).expect("valid"));
}

#[divan::bench(args = SIZES)]
fn validate(bencher: Bencher, size: usize) {
    let batch = batch(size, Compression::None);
    let rules = rules();
    bencher
        .counter(BytesCount::new(batch.len()))
        .bench(|| validate_produce(black_box(&batch), &rules).expect("valid"));
}

#[divan::bench(args = SIZES)]
fn validate_one_large_record(bencher: Bencher, size: usize) {
    let mut builder = BatchBuilder::default();
    builder
        .append(Millis(1000), None, Some(&vec![b'x'; size - 80]), &[])
        .expect("room");
    let batch = builder.build().expect("a record");
    let rules = rules();
    bencher
        .counter(BytesCount::new(batch.len()))
        .bench(|| validate_produce(black_box(&batch), &rules).expect("valid"));
}

/// Bytes are those that the batch inflates to.
#[divan::bench(args = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd])]
fn validate_compressed_1_mib(bencher: Bencher, codec: Compression) {
    let inflated = fill(1 << 20, codec).size_in_bytes();
    let batch = batch(1 << 20, codec);
    let rules = rules();
    bencher
        .counter(BytesCount::new(inflated))
        .bench(|| validate_produce(black_box(&batch), &rules).expect("valid"));
}

/// A record of 300 MiB of zeros, given up at the bound of 256 MiB. It may take half a second.
#[divan::bench(sample_count = 5, sample_size = 1, args = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd])]
fn refuse_bomb(bencher: Bencher, codec: Compression) {
    let mut builder = BatchBuilder::new(codec);
    builder
        .append(Millis(1000), None, Some(&vec![0; 300 << 20]), &[])
        .expect("room");
    let bomb = builder.build().expect("a record");
    let rules = Rules {
        batch_bytes_max: usize::MAX,
        ..rules()
    };
    bencher.bench_local(|| validate_produce(black_box(&bomb), &rules).expect_err("a bomb"));
}

#[divan::bench(args = SIZES)]
fn iterate(bencher: Bencher, size: usize) {
    let batch = batch(size, Compression::None);
    let count = Records::open(&batch, InflateLimits::STRICT)
        .expect("valid")
        .iter()
        .count();
    bencher.counter(ItemsCount::new(count)).bench(|| {
        let records = Records::open(black_box(&batch), InflateLimits::STRICT).expect("valid");
        let bytes: usize = records
            .iter()
            .map(|record| record.expect("valid").value.map_or(0, <[u8]>::len))
            .sum();
        bytes
    });
}

#[divan::bench(args = SIZES)]
fn build(bencher: Bencher, size: usize) {
    let count = fill(size, Compression::None).record_count() as usize;
    let values: Vec<_> = values().take(count).collect();
    bencher.counter(ItemsCount::new(count)).bench(|| {
        let mut builder = BatchBuilder::new(Compression::None);
        for value in &values {
            builder
                .append(Millis(1000), None, Some(black_box(value)), &[])
                .expect("room");
        }
        builder.build().expect("records")
    });
}
