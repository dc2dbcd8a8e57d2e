//! The log cleaner at work in a server: what readers see, what stays on disk, what stops it.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, Offset};

use super::groups::{commit, committed, member};
use super::produce_fetch::{fetch, latest, produce};
use crate::clock;
use crate::testing::{Client, TestServer, eventually};

const HOUR: i64 = 3_600_000;

/// A server whose cleaner has something to do at once.
const EAGER: [(&str, &str); 1] = [("log.cleaner.backoff.ms", "10")];

/// A topic that rolls with each batch, and is cleaned for any dirt.
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "1"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("file.delete.delay.ms", "0"),
];

fn keyed(timestamp: i64, records: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset::ZERO);
    for (key, value) in records {
        let value = value.map(str::as_bytes);
        builder
            .append(Millis(timestamp), Some(key.as_bytes()), value, &[])
            .unwrap();
    }
    builder.build().unwrap().into()
}

type Read = Vec<(i64, String, Option<String>)>;

/// Every record from the start of the log to its end.
fn read_all(client: &mut Client, topic: &str, from: i64) -> Read {
    let end = latest(client, topic);
    let mut records = Vec::new();
    let mut next = from;
    while next < end {
        let data = fetch(client, topic, next);
        assert_eq!(data.error_code, 0);
        let bytes = data.records.map(|records| records.bytes()).unwrap();
        assert!(!bytes.is_empty(), "nothing at {next} before {end}");
        for batch in ottla_protocol::records::batches_of(&bytes) {
            let (header, batch) = batch.unwrap();
            let opened = ottla_protocol::records::Records::open(&batch, Default::default());
            for record in opened.unwrap().owned() {
                let record = record.unwrap();
                let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                if record.offset.0 >= next {
                    records.push((
                        record.offset.0,
                        record.key.map(text).unwrap(),
                        record.value.map(text),
                    ));
                }
            }
            next = next.max(header.next_offset().0);
        }
    }
    records
}

/// What the checkpoint in the log directory says of a partition.
fn checkpoint(server: &TestServer, topic: &str) -> Option<i64> {
    let file = server.dir.path().join("data/cleaner-offset-checkpoint");
    let text = std::fs::read_to_string(file).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{topic} 0 ")))?;
    line.parse().ok()
}

/// One key for each tenth record, the value being the offset; the last batch stays in the active segment.
fn overwrite(client: &mut Client, topic: &str, begin: i64, count: i64) {
    for i in 0..count {
        let (key, value) = (format!("k{}", i % 10), i.to_string());
        let batch = keyed(begin + 2 * i, &[(&key, Some(&value))]);
        assert_eq!(produce(client, topic, 1, batch).base_offset, i);
    }
}

#[test]
fn the_last_value_of_each_key_stays_at_its_offset() {
    let mut server = TestServer::start(&EAGER);
    server.add_topic_with("t", 1, &COMPACTED);
    let mut client = server.connect();
    overwrite(&mut client, "t", clock::now().0 - HOUR, 101);
    // All but the active segment's record.
    eventually("all is clean", || checkpoint(&server, "t") == Some(100));
    let expected: Read = (90..101)
        .map(|i| (i, format!("k{}", i % 10), Some(i.to_string())))
        .collect();
    eventually("only the last ones are left", || {
        read_all(&mut client, "t", 0) == expected
    });
    assert_eq!(latest(&mut client, "t"), 101);
    drop(client);
    server.stop();
    let server = server.restarted(&EAGER);
    let mut client = server.connect();
    assert_eq!(read_all(&mut client, "t", 0), expected);
    let next = produce(&mut client, "t", 1, keyed(clock::now().0, &[("x", None)]));
    assert_eq!(next.base_offset, 101);
}

#[test]
fn a_tombstone_goes_once_its_time_has_come() {
    let server = TestServer::start(&EAGER);
    for (topic, retention_ms) in [("later", HOUR), ("soon", 1)] {
        server.add_topic_with(topic, 1, &COMPACTED);
        server.set_config(topic, "delete.retention.ms", &retention_ms.to_string());
    }
    let mut client = server.connect();
    let begin = clock::now().0 - HOUR;
    let (mark, other) = (("k", None), ("o", Some("other")));
    for topic in ["later", "soon"] {
        for (i, record) in [("k", Some("v")), mark, other].into_iter().enumerate() {
            let batch = keyed(begin + 2 * i as i64, &[record]);
            produce(&mut client, topic, 1, batch);
        }
        eventually("the value is gone", || {
            checkpoint(&server, topic) >= Some(2)
        });
    }
    let marked = [
        (1, "k".to_owned(), None),
        (2, "o".to_owned(), Some("other".to_owned())),
    ];
    assert_eq!(read_all(&mut client, "later", 0), marked);
    // It takes something dirty for another pass.
    let mut i = 3;
    eventually("the mark is gone", || {
        for topic in ["later", "soon"] {
            produce(&mut client, topic, 1, keyed(begin + 2 * i, &[other]));
        }
        i += 1;
        read_all(&mut client, "soon", 0)
            .iter()
            .all(|(_, key, _)| key == "o")
    });
    let left = read_all(&mut client, "later", 0);
    assert_eq!(left[0], marked[0], "its time has not come");
}

#[test]
fn a_log_that_nobody_uses_is_cleaned_and_closed_again() {
    let mut server = TestServer::start(&[("log.cleaner.enable", "false")]);
    server.add_topic_with("t", 1, &COMPACTED);
    overwrite(&mut server.connect(), "t", clock::now().0 - HOUR, 30);
    assert_eq!(checkpoint(&server, "t"), None, "the cleaner is off");
    server.stop();
    let server = server.restarted(&EAGER);
    let partition = server.broker().storage.topics.partition("t", 0).unwrap();
    eventually("it is clean", || checkpoint(&server, "t") == Some(29));
    eventually("it is closed", || partition.is_closed());
    assert_eq!(read_all(&mut server.connect(), "t", 0).len(), 11);
}

#[test]
fn what_is_younger_than_the_lag_stays() {
    let server = TestServer::start(&EAGER);
    let lagging = [
        COMPACTED.as_slice(),
        &[("min.compaction.lag.ms", "3600000")],
    ]
    .concat();
    server.add_topic_with("young", 1, &lagging);
    server.add_topic_with("old", 1, &COMPACTED);
    let mut client = server.connect();
    let begin = clock::now().0 - 1000;
    overwrite(&mut client, "young", begin, 30);
    overwrite(&mut client, "old", begin, 30);
    eventually("the other one is clean", || {
        checkpoint(&server, "old") == Some(29)
    });
    assert_eq!(read_all(&mut client, "young", 0).len(), 30);
    server.set_config("young", "min.compaction.lag.ms", "0");
    eventually("and now this", || checkpoint(&server, "young") == Some(29));
    assert_eq!(read_all(&mut client, "young", 0).len(), 11);
}

#[test]
fn what_is_overdue_is_cleaned_however_clean_the_log_is() {
    let server = TestServer::start(&EAGER);
    server.add_topic_with("t", 1, &COMPACTED);
    server.set_config("t", "min.cleanable.dirty.ratio", "1");
    let mut client = server.connect();
    overwrite(&mut client, "t", clock::now().0 - HOUR, 30);
    assert_eq!(checkpoint(&server, "t"), None);
    server.set_config("t", "max.compaction.lag.ms", "1000");
    eventually("it is clean", || checkpoint(&server, "t") == Some(29));
}

#[test]
fn compacted_and_deleted_from_are_no_contradiction() {
    let server = TestServer::start(&EAGER);
    server.add_topic_with("t", 1, &COMPACTED);
    server.set_config("t", "cleanup.policy", "compact,delete");
    server.set_config("t", "retention.ms", &(2 * HOUR).to_string());
    let mut client = server.connect();
    let now = clock::now().0;
    overwrite(&mut client, "t", now - 3 * HOUR, 20);
    produce(&mut client, "t", 1, keyed(now, &[("young", Some("v"))]));
    // Without a word to the keeper, whose interval is five minutes.
    eventually("what is old is gone", || {
        read_all_or_nothing(&mut client).is_some_and(|records| records.len() == 1)
    });
}

/// None: the start has moved meanwhile.
fn read_all_or_nothing(client: &mut Client) -> Option<Read> {
    let data = fetch(client, "t", 20);
    (data.log_start_offset == 20).then(|| read_all(client, "t", 20))
}

#[test]
fn the_cleaner_stops_at_once_and_goes_on_with_other_settings() {
    let slow = [
        ("log.cleaner.backoff.ms", "10"),
        ("log.cleaner.io.max.bytes.per.second", "1"),
    ];
    let mut server = TestServer::start(&slow);
    for topic in ["t", "u"] {
        server.add_topic_with(topic, 1, &COMPACTED);
    }
    let mut client = server.connect();
    let begin = clock::now().0 - HOUR;
    overwrite(&mut client, "t", begin, 40);
    overwrite(&mut client, "u", begin, 40);
    eventually("a pass is under way", || {
        server.broker().storage.cleaner.is_at_work()
    });
    // A topic that is being cleaned can go, and one that is not is next.
    let begun = std::time::Instant::now();
    for topic in ["t", "u"] {
        server.delete_topic(topic);
    }
    server.add_topic_with("t", 1, &COMPACTED);
    overwrite(&mut client, "t", begin, 40);
    assert_eq!(read_all(&mut client, "t", 0).len(), 40);
    drop(client);
    server.stop();
    assert!(begun.elapsed().as_secs() < 10, "nobody waited for the pass");
    let server = server.restarted(&slow);
    let mut client = server.connect();
    assert_eq!(read_all(&mut client, "t", 0).len(), 40, "all is there");
    server.set_broker_config("log.cleaner.threads", "2");
    server.set_broker_config("log.cleaner.io.max.bytes.per.second", "1e9");
    eventually("it is clean", || checkpoint(&server, "t") == Some(39));
    assert_eq!(read_all(&mut client, "t", 0).len(), 11);
}

#[test]
fn producers_write_while_the_log_is_compacted() {
    let server = TestServer::start(&EAGER);
    server.add_topic_with("t", 1, &COMPACTED);
    let mut client = server.connect();
    let begin = clock::now().0 - HOUR;
    let mut last = BTreeMap::new();
    for i in 0..300_i64 {
        let key = format!("k{}", i % 7);
        let batch = keyed(begin + 2 * i, &[(&key, Some(&i.to_string()))]);
        assert_eq!(produce(&mut client, "t", 1, batch).base_offset, i);
        last.insert(key, i);
        if i % 20 == 19 {
            // Whatever is cleaned at the moment, a reader finds the last value of each key.
            let read = read_all(&mut client, "t", 0);
            let found: BTreeMap<_, _> = read.into_iter().map(|(at, key, _)| (key, at)).collect();
            assert_eq!(found, last);
        }
    }
    eventually("it is clean", || checkpoint(&server, "t") == Some(299));
}

#[test]
fn a_log_that_cannot_be_cleaned_is_left_alone_and_others_are_not() {
    let server = TestServer::start(&EAGER);
    for topic in ["rotten", "sound"] {
        server.add_topic_with(topic, 1, &COMPACTED);
        server.set_config(topic, "cleanup.policy", "delete");
    }
    let mut client = server.connect();
    let begin = clock::now().0 - HOUR;
    overwrite(&mut client, "rotten", begin, 30);
    overwrite(&mut client, "sound", begin, 30);
    let segment = server
        .dir
        .path()
        .join("data/rotten-0/00000000000000000012.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    server.set_config("rotten", "cleanup.policy", "compact");
    eventually("it is known to be uncleanable", || {
        server.broker().storage.cleaner.uncleanable() == 1
    });
    server.set_config("sound", "cleanup.policy", "compact");
    eventually("the other one is clean", || {
        checkpoint(&server, "sound") == Some(29)
    });
    assert_eq!(checkpoint(&server, "rotten"), None);
    // It takes records all the same, and what is sound is read.
    let batch = keyed(clock::now().0, &[("k", Some("v"))]);
    assert_eq!(produce(&mut client, "rotten", 1, batch).base_offset, 30);
    assert_eq!(read_all(&mut client, "rotten", 13).len(), 18);
    // What the cleaner has met is handed out to nobody.
    let rotten = fetch(&mut client, "rotten", 12);
    assert_eq!(rotten.error_code, ErrorCode::CorruptMessage.code());
    // A topic of that name made anew has nothing to do with it.
    server.delete_topic("rotten");
    server.add_topic_with("rotten", 1, &COMPACTED);
    overwrite(&mut client, "rotten", begin, 30);
    eventually("it is clean", || checkpoint(&server, "rotten") == Some(29));
}

#[test]
fn committed_offsets_are_compacted_and_found_again() {
    let settings = [
        ("log.cleaner.backoff.ms", "10"),
        ("offsets.topic.num.partitions", "1"),
        ("log.roll.ms", "1"),
        ("log.cleaner.min.cleanable.ratio", "0.01"),
        ("log.segment.delete.delay.ms", "0"),
    ];
    let mut server = TestServer::start(&settings);
    server.add_topic("t", 3);
    let mut client = member(&server);
    let bytes = |server: &TestServer| {
        let topic = server.broker().storage.topics.by_name("__consumer_offsets");
        let partition = topic.unwrap().get(0).unwrap();
        partition.size_bytes(clock::now()).unwrap()
    };
    for round in 0..60 {
        for partition in 0..3 {
            let offset = i64::from(round * 10 + partition);
            assert_eq!(commit(&mut client, "t", partition, offset), ErrorCode::None);
        }
    }
    // 180 commits of more than 100 bytes each.
    eventually("hardly more than the last ones are left", || {
        bytes(&server) < 2500
    });
    drop(client);
    server.stop();
    let server = server.restarted(&settings);
    let mut client = member(&server);
    for partition in 0..3 {
        let found = committed(&mut client, "t", partition);
        assert_eq!(found, i64::from(590 + partition));
    }
}
