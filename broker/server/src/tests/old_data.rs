//! S-33: directories that released versions have written are opened, and all of their content is there. The directories
//! are in `tests/data/data-dirs`, whose README tells how one is added.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_log::names;
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use super::groups::{commit, committed, member};
use super::produce_fetch::{fetch, latest, produce, values};
use super::topic_rules::delete_records;
use crate::testing::{Client, TestServer};

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];
const SETTINGS: [(&str, &str); 1] = [("offsets.topic.num.partitions", "1")];

fn old_dirs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/data-dirs")
}

/// A batch of three records of an idempotent producer.
fn batch(codec: Compression, number: i32) -> Bytes {
    let mut builder =
        BatchBuilder::new(codec).producer(ProducerId(4711), ProducerEpoch(0), number * 3);
    for i in 0..3 {
        let value = format!("record {}", number * 3 + i);
        builder
            .append(
                Millis(1_700_000_000_000),
                Some(b"k"),
                Some(value.as_bytes()),
                &[],
            )
            .unwrap();
    }
    builder.build().unwrap().into()
}

/// Every codec, sequences of a producer, a log that begins late, a topic with a configuration, committed offsets.
fn write(server: &TestServer) {
    let mut client = member(server);
    server.add_topic("plain", 1);
    server.add_topic_with(
        "kept",
        2,
        &[("cleanup.policy", "compact"), ("flush.messages", "9")],
    );
    server.add_topic("begins-late", 1);
    for topic in ["plain", "kept", "begins-late"] {
        for (number, codec) in (0..).zip(CODECS) {
            assert_eq!(
                produce(&mut client, topic, -1, batch(codec, number)).error_code,
                0
            );
        }
    }
    assert_eq!(
        delete_records(&mut client, "begins-late", 6),
        (ErrorCode::None, 6)
    );
    assert_eq!(commit(&mut client, "plain", 0, 12), ErrorCode::None);
}

fn check(server: &TestServer) {
    let mut client = member(server);
    for (topic, start) in [("plain", 0), ("kept", 0), ("begins-late", 6)] {
        assert_eq!(latest(&mut client, topic), 15, "{topic}");
        let expected: Vec<_> = (start..15).map(|i| (i, format!("record {i}"))).collect();
        assert_eq!(everything(&mut client, topic, start), expected, "{topic}");
    }
    let early = fetch(&mut client, "begins-late", 5).error_code;
    assert_eq!(early, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(committed(&mut client, "plain", 0), 12);
    // The producer goes on where it was: the last batch again is none, the next one is the next.
    let again = produce(&mut client, "plain", -1, batch(CODECS[4], 4));
    assert_eq!((again.error_code, again.base_offset), (0, 12));
    let next = produce(&mut client, "plain", -1, batch(CODECS[0], 5));
    assert_eq!((next.error_code, next.base_offset), (0, 15));
    let topics = &server.broker().storage.topics;
    let kept = topics.by_name("kept").expect("the topic");
    assert_eq!(kept.all().len(), 2);
    let settings = kept.topic.settings.load();
    assert!(settings.is_compacted && settings.log.flush_messages == 9);
}

fn everything(client: &mut Client, topic: &str, start: i64) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut next = start;
    while next < 15 {
        found.extend(values(&fetch(client, topic, next)));
        next = found.last().map_or(15, |(offset, _)| offset + 1);
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Also writes what becomes the directory of a release, where `OTTLA_WRITE_DATA_DIR` names one.
#[test]
fn a_directory_that_this_version_has_written_is_opened_with_all_of_its_content() {
    let mut server = TestServer::start(&SETTINGS);
    write(&server);
    server.stop();
    if let Ok(target) = std::env::var("OTTLA_WRITE_DATA_DIR") {
        copy(&server.dir.path().join("data"), Path::new(&target));
        for own in [names::LOCK, ".ottla-reserve"] {
            fs::remove_file(Path::new(&target).join(own)).unwrap();
        }
    }
    check(&server.restarted(&SETTINGS));
}

#[test]
fn s33_directories_of_released_versions_are_opened_with_all_of_their_content() {
    let mut seen = 0;
    for entry in fs::read_dir(old_dirs()).unwrap() {
        let version = entry.unwrap().path();
        if !version.is_dir() {
            continue;
        }
        for is_clean in [true, false] {
            let dir = Arc::new(tempfile::tempdir().unwrap());
            let data = dir.path().join("data");
            copy(&version, &data);
            if !is_clean {
                fs::remove_file(data.join(".kafka_cleanshutdown")).unwrap();
            }
            check(&TestServer::start_in(dir, &SETTINGS));
        }
        seen += 1;
    }
    assert!(seen > 0);
}

/// S-14 through the whole server: what can be made anew from the log is, sequences of producers and all.
#[test]
fn s14_derived_files_that_are_gone_or_wrong_change_no_answer() {
    let version = fs::read_dir(old_dirs())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let version = version.filter(|path| path.is_dir()).max().unwrap();
    let derived = [
        "plain-0/00000000000000000000.index",
        "plain-0/00000000000000000000.timeindex",
        "plain-0/00000000000000000015.snapshot",
        "plain-0/leader-epoch-checkpoint",
        "recovery-point-offset-checkpoint",
    ];
    for (i, name) in derived.iter().enumerate() {
        for wrong in 0..4 {
            let dir = Arc::new(tempfile::tempdir().unwrap());
            let data = dir.path().join("data");
            copy(&version, &data);
            let path = data.join(name);
            let bytes = fs::read(&path).unwrap();
            match wrong {
                0 => fs::remove_file(&path).unwrap(),
                1 => fs::write(&path, b"").unwrap(),
                2 => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => fs::write(&path, vec![0xb5; bytes.len() + 24]).unwrap(),
            }
            if (i + wrong) % 2 == 0 {
                fs::remove_file(data.join(".kafka_cleanshutdown")).unwrap();
            }
            check(&TestServer::start_in(dir, &SETTINGS));
        }
    }
}

/// S-32, S-33: what a later version may have written is refused, and left as it is.
#[test]
fn s33_a_newer_format_is_refused_and_nothing_is_changed() {
    use crate::{data_dirs, settings::Settings};
    use ottla_config::resolve::BrokerConfig;

    let dir = tempfile::tempdir().unwrap();
    let newest = fs::read_dir(old_dirs())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    copy(
        &newest.filter(|path| path.is_dir()).max().unwrap(),
        dir.path(),
    );
    let path = dir.path().join("meta.properties");
    let newer = fs::read_to_string(&path)
        .unwrap()
        .replace("version=1", "version=2");
    fs::write(&path, &newer).unwrap();
    let listing = |path: &Path| {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        let mut names: Vec<_> = entries
            .filter(|entry| entry.file_name() != ".lock")
            .map(|entry| {
                (
                    entry.file_name(),
                    entry.metadata().unwrap().modified().unwrap(),
                )
            })
            .collect();
        names.sort();
        names
    };
    let before = listing(dir.path());
    let config = BrokerConfig::load([("log.dirs".to_owned(), dir.path().display().to_string())]);
    let settings = Settings::from_config(&config.unwrap()).unwrap();
    let refused = data_dirs::open(&settings)
        .err()
        .expect("refused")
        .to_string();
    assert!(refused.contains("version 2 is not known"), "{refused}");
    assert_eq!(listing(dir.path()), before);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}
