//! The bodies of the fuzz targets, on sound files with damage and on nothing but noise, for about a second.

use std::time::{Duration, Instant};

use ottla_log::testing::{Random, fuzz, fuzz_compaction};
use ottla_log::{names, producer_snapshot, txn_index};
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use crate::support::*;

fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            2 => bytes[at] = 0xff,
            _ => {
                let noise_len = random.below(20) as usize;
                let noise = random.bytes(noise_len);
                bytes.splice(at..at, noise);
            }
        }
    }
}

fn for_half_a_second(mut body: impl FnMut(&mut Random)) {
    let mut random = Random::new(0x000f_5eed);
    let end = Instant::now() + Duration::from_millis(500);
    while Instant::now() < end {
        for _ in 0..20 {
            body(&mut random);
        }
    }
}

#[test]
fn small_files_of_any_content() {
    let entry = producer_snapshot::ProducerEntry {
        producer_id: ProducerId(1),
        epoch: ProducerEpoch(0),
        last_sequence: 4,
        last_offset: Offset(9),
        offset_delta: 2,
        timestamp: Millis(5),
        coordinator_epoch: -1,
        current_txn_first_offset: Offset(-1),
    };
    let txn = txn_index::AbortedTxn {
        producer_id: ProducerId(1),
        first_offset: Offset(1),
        last_offset: Offset(2),
        last_stable_offset: Offset(3),
    };
    let seeds: [Vec<u8>; 7] = [
        b"0\n2\n0 0\n3 17\n".to_vec(),
        b"0\n2\ntopic 0 1\nother 3 99\n".to_vec(),
        b"{\"version\":0,\"brokerEpoch\":7}".to_vec(),
        b"#\nversion=1\ncluster.id=abc\nnode.id=1\n".to_vec(),
        b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ".to_vec(),
        producer_snapshot::render(&[entry; 3]),
        [txn_index::render(txn), txn_index::render(txn)].concat(),
    ];
    for_half_a_second(|random| {
        let mut bytes = seeds[random.below(7) as usize].clone();
        damage(random, &mut bytes);
        fuzz::small_files(&bytes);
    });
}

#[test]
fn partition_folders_of_any_content() {
    let (memory, _, _) = numbered(
        &ottla_log::LogConfig {
            index_interval_bytes: 150,
            ..Default::default()
        },
        20,
    );
    let file = |suffix| {
        let mut bytes = Vec::new();
        memory
            .with_bytes(&segment_path(0, suffix), |b| bytes.clone_from(b))
            .unwrap();
        bytes
    };
    let (index, times, log) = (
        file(names::OFFSET_INDEX),
        file(names::TIME_INDEX),
        file(names::LOG),
    );
    let total = (index.len() + times.len() + log.len()) as f64;
    let share = |len: usize, of: f64| (len as f64 / of * 512.0).ceil() as u8;
    for_half_a_second(|random| {
        let control = [
            random.number() as u8,
            share(index.len(), total),
            share(times.len(), total - index.len() as f64),
            random.below(25) as u8,
        ];
        let mut bytes = [&control[..], &index, &times, &log].concat();
        damage(random, &mut bytes);
        fuzz::partition_folder(&bytes);
    });
}

#[test]
fn batches_of_any_records_are_cleaned_or_refused() {
    let record = |key: &[u8], value: Option<&[u8]>| {
        let mut builder = ottla_protocol::records::BatchBuilder::default();
        builder.append(Millis(1), Some(key), value, &[]).unwrap();
        builder.build().unwrap()[ottla_protocol::records::BATCH_OVERHEAD..].to_vec()
    };
    let marker = |kind| record(&[0, 0, 0, kind], Some(&[0, 0, 0, 0, 0, 0]));
    let records = [
        record(b"a", Some(b"1")),
        record(b"a", None),
        record(b"bb", Some(b"")),
        marker(0),
        marker(1),
    ];
    for_half_a_second(|random| {
        let mut bytes = Vec::new();
        for _ in 0..random.below(12) {
            let n = random.below(5);
            let record = &records[n as usize];
            // No codec, and for markers the bits that say so.
            let transactional = random.below(2) as u8 * 0x10;
            let attributes = if n >= 3 { 0x30 } else { transactional };
            let producer = random.number() as u8;
            bytes.extend([attributes, 1, producer, record.len() as u8, 1]);
            bytes.extend(record);
        }
        damage(random, &mut bytes);
        fuzz_compaction::cleaned_batches(&bytes);
    });
}
