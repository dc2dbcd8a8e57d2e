//! What retention takes away, when, and what readers see of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use ottla_coordination::txn::{Origin, ProducerBatch};
use ottla_log::testing::{FaultyDisk, MemoryDisk};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets::request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use super::produce_fetch::{fetch, latest, produce, values};
use super::storage::partition_on;
use super::topic_rules::delete_records;
use crate::clock;
use crate::exec::partition::{Acks, Append};
use crate::testing::{Client, TestServer, batch, eventually};

const HOUR: i64 = 3_600_000;

fn record_at(timestamp: i64, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset::ZERO);
    builder
        .append(Millis(timestamp), Some(b"key"), Some(value.as_bytes()), &[])
        .unwrap();
    builder.build().unwrap().into()
}

fn earliest(client: &mut Client, topic: &str) -> i64 {
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.into(),
            partitions: vec![ListOffsetsPartition {
                timestamp: -2,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    client.call(&request, 7).topics[0].partitions[0].offset
}

fn files(server: &TestServer, topic: &str) -> Vec<String> {
    let folder: PathBuf = server.dir.path().join("data").join(format!("{topic}-0"));
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".log"))
        .collect();
    names.sort();
    names
}

#[test]
fn old_segments_go_in_the_background_and_their_files_after_a_while() {
    let server = TestServer::start(&[("log.retention.check.interval.ms", "10")]);
    let segments = [("segment.ms", "1"), ("file.delete.delay.ms", "0")];
    server.add_topic_with("t", 1, &segments);
    let mut client = server.connect();
    let now = clock::now().0;
    for age in [5 * HOUR, 4 * HOUR, 2 * HOUR, 0] {
        produce(&mut client, "t", 1, record_at(now - age, "x"));
    }
    assert_eq!(earliest(&mut client, "t"), 0);
    server.set_config("t", "retention.ms", &(3 * HOUR).to_string());
    eventually("two segments are gone", || earliest(&mut client, "t") == 2);
    eventually("and so are their files", || files(&server, "t").len() == 2);
    server.set_config("t", "retention.bytes", "0");
    eventually("all are gone", || earliest(&mut client, "t") == 4);
    assert_eq!(latest(&mut client, "t"), 4);
    let placed = produce(&mut client, "t", 1, record_at(now, "y"));
    assert_eq!((placed.base_offset, placed.error_code), (4, 0));
}

#[test]
fn a_topic_without_a_policy_keeps_everything() {
    let server = TestServer::start(&[("log.retention.check.interval.ms", "10")]);
    let kept = [
        ("segment.ms", "1"),
        ("retention.ms", "1"),
        ("cleanup.policy", ""),
    ];
    server.add_topic_with("kept", 1, &kept);
    server.add_topic_with("deleted", 1, &kept[..2]);
    let mut client = server.connect();
    let now = clock::now().0;
    for topic in ["kept", "deleted"] {
        for age in [2 * HOUR, HOUR] {
            produce(&mut client, topic, 1, record_at(now - age, "x"));
        }
    }
    eventually("the other topic's records are gone", || {
        earliest(&mut client, "deleted") == 2
    });
    assert_eq!(earliest(&mut client, "kept"), 0);
    // Only what somebody deletes by name goes.
    assert_eq!(delete_records(&mut client, "kept", 1), (ErrorCode::None, 1));
    eventually("the segment before the start is gone", || {
        files(&server, "kept")
            .iter()
            .filter(|name| name.ends_with(".log"))
            .count()
            == 1
    });
}

#[test]
fn partitions_that_nobody_uses_get_one_look_and_stay_closed() {
    let mut server = TestServer::start(&[]);
    let policy = [
        ("segment.ms", "1"),
        ("cleanup.policy", "compact,delete"),
        ("min.cleanable.dirty.ratio", "1"),
    ];
    server.add_topic_with("t", 8, &policy);
    let mut client = server.connect();
    let now = clock::now().0;
    for age in [HOUR, 0] {
        for partition in 0..8 {
            let request =
                super::produce_fetch::produce_request("t", partition, 1, record_at(now - age, "x"));
            client.call(&request, 9);
        }
    }
    server.stop();
    let server = server.restarted(&[
        ("log.retention.check.interval.ms", "10"),
        ("log.cleaner.backoff.ms", "10"),
    ]);
    let entry = server.broker().storage.topics.by_name("t").unwrap();
    let week = 7 * 24 * HOUR;
    let due = Millis(now - HOUR + week + 1);
    eventually("every partition was looked at", || {
        entry
            .all()
            .iter()
            .all(|of| of.next_look() == due && of.is_closed())
    });
    // A change of the configuration is a reason to look again.
    server.set_config("t", "retention.ms", &(HOUR / 2).to_string());
    let due = Millis(now + HOUR / 2 + 1);
    eventually("every partition was looked at again", || {
        entry
            .all()
            .iter()
            .all(|of| of.next_look() == due && of.is_closed())
    });
    let mut client = server.connect();
    assert_eq!(earliest(&mut client, "t"), 1);
    assert_eq!(values(&fetch(&mut client, "t", 1)), [(1, "x".to_owned())]);
}

#[test]
fn deleted_records_stay_deleted_when_the_process_is_killed() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    for _ in 0..5 {
        produce(&mut client, "t", -1, record_at(clock::now().0, "x"));
    }
    assert_eq!(delete_records(&mut client, "t", 3), (ErrorCode::None, 3));
    drop(client);
    server.crash();
    let server = server.restarted(&[]);
    let mut client = server.connect();
    assert_eq!(earliest(&mut client, "t"), 3);
    assert_eq!(latest(&mut client, "t"), 5);
}

/// S-27: readers at every place while segments go under them, deleted or compacted.
#[test]
fn a_reader_gets_records_or_out_of_range_and_never_anything_else() {
    let server = TestServer::start(&[
        ("log.retention.check.interval.ms", "1"),
        ("log.cleaner.backoff.ms", "1"),
        ("ottla.durability", "memory"),
    ]);
    for policy in ["delete", "compact,delete"] {
        let small = [
            ("cleanup.policy", policy),
            ("segment.ms", "1"),
            ("retention.bytes", "200"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("file.delete.delay.ms", "0"),
        ];
        let topic = policy.replace(',', "-");
        server.add_topic_with(&topic, 1, &small);
        read_while_segments_go(&server, &topic, 50);
    }
}

fn read_while_segments_go(server: &TestServer, topic: &str, segments: i64) {
    let begin = clock::now().0 - 2 * segments - HOUR;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|back| {
                scope.spawn({
                    let done = &done;
                    move || read_from_the_start(server, topic, back, done)
                })
            })
            .collect();
        let mut client = server.connect();
        let mut write = |offset: i64| {
            let mut builder = BatchBuilder::new(Compression::None);
            let (key, value) = (format!("k{}", offset % 5), format!("value {offset}"));
            let time = Millis(begin + 2 * offset);
            builder
                .append(time, Some(key.as_bytes()), Some(value.as_bytes()), &[])
                .unwrap();
            let placed = produce(&mut client, topic, 1, builder.build().unwrap().into());
            assert_eq!((placed.error_code, placed.base_offset), (0, offset));
            offset + 1
        };
        let mut offset = 0;
        while offset < segments {
            offset = write(offset);
        }
        let mut looking = server.connect();
        eventually("nearly all of them are deleted", || {
            offset = write(offset);
            earliest(&mut looking, topic) > segments - 10
        });
        done.store(true, Ordering::Relaxed);
        let read: i64 = readers.into_iter().map(|of| of.join().unwrap()).sum();
        assert!(read > 0, "something was read meanwhile");
    });
}

/// Reads where segments are going, or `back` before that; how many records there were.
fn read_from_the_start(server: &TestServer, topic: &str, back: i64, done: &AtomicBool) -> i64 {
    let mut client = server.connect();
    let mut read = 0;
    while !done.load(Ordering::Relaxed) {
        let from = (earliest(&mut client, topic) - back).max(0);
        let data = fetch(&mut client, topic, from);
        let code = ErrorCode::from_code(data.error_code);
        assert!(
            matches!(code, ErrorCode::None | ErrorCode::OffsetOutOfRange),
            "{code:?}"
        );
        let mut next = from;
        for (offset, value) in values(&data) {
            assert!(offset >= next, "{offset} below {next}");
            assert!(offset == next || topic != "delete", "{offset}, not {next}");
            assert_eq!(value, format!("value {offset}"));
            next = offset + 1;
            read += 1;
        }
    }
    read
}

/// The guard went with the states that were closed, and the producer was told that its transaction is in no state for it.
#[tokio::test]
async fn a_partition_that_was_opened_for_a_look_stays_open_while_a_coordinator_is_asked_about_it() {
    let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()));
    let (_storage, partition, _fatal) = partition_on(&disk, &[], 1 << 20);
    let first = ProducerBatch {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(0),
        first_sequence: 0,
        last_sequence: 0,
        offset_delta: 0,
        max_timestamp: clock::now(),
        is_transactional: true,
    };
    let asked = partition.begin_verification(&first, true, clock::now());
    let verification = asked.expect("a guard");
    partition.close_if_unused();
    assert!(!partition.is_closed());
    let how = Append {
        acks: Acks::Leader,
        log_append_time: false,
        producer: Some(first),
        origin: Origin::Client(verification),
    };
    let mut bytes = BytesMut::from(&batch(&["x"])[..]);
    let placed = partition.append(&mut bytes, how, &mut None, clock::now());
    assert_eq!(placed.map(|placed| placed.base_offset), Ok(Offset(0)));
}
