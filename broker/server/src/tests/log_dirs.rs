//! Several log directories: where partitions go, what is offline when one of them is, and which of them are refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_config::resolve::BrokerConfig;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api::metadata::response::MetadataResponsePartition;
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::types::{BrokerId, PartitionIndex};
use ottla_protocol::wire::Uuid;

use super::produce_fetch::{fetch, fetch_request, latest, produce_request};
use super::topics::{all_topics, create_one};
use crate::boot::Server;
use crate::data_dirs::{self, DataDirError};
use crate::loggers::Loggers;
use crate::settings::Settings;
use crate::testing::{Client, TestServer, batch, eventually};

/// `acks=all`
const ALL: i16 = -1;

/// The value of `log.dirs` with these names within a directory.
fn within(dir: &Path, names: &[&str]) -> String {
    let paths: Vec<String> = names
        .iter()
        .map(|name| dir.join(name).display().to_string())
        .collect();
    paths.join(",")
}

/// A directory for a test, and servers on some of the directories within it.
pub(super) struct Host {
    dir: Arc<tempfile::TempDir>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn start(&self, names: &[&str]) -> TestServer {
        self.start_with(names, &[])
    }

    fn start_with(&self, names: &[&str], more: &[(&str, &str)]) -> TestServer {
        let dirs = within(self.dir.path(), names);
        let mut overrides = vec![("log.dirs", dirs.as_str())];
        overrides.extend(more);
        TestServer::start_in(self.dir.clone(), &overrides)
    }

    /// Folders of a topic's partitions in a directory.
    pub(super) fn folders(&self, name: &str, topic: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut folders: Vec<String> = names
            .filter(|name| name.starts_with(&format!("{topic}-")))
            .collect();
        folders.sort();
        folders
    }
}

pub(super) fn produce_to(client: &mut Client, topic: &str, partition: i32) -> ErrorCode {
    let response = client.call(&produce_request(topic, partition, ALL, batch(&["x"])), 9);
    ErrorCode::from_code(response.responses[0].partition_responses[0].error_code)
}

fn partition(client: &mut Client, topic: &str, index: i32) -> MetadataResponsePartition {
    let mut topics = all_topics(client).into_iter();
    let topic = topics.find(|t| t.name.as_deref() == Some(topic)).unwrap();
    let mut partitions = topic.partitions.into_iter();
    partitions.find(|p| p.partition_index == index).unwrap()
}

/// The directory that the metadata names for a partition.
pub(super) fn assigned(server: &TestServer, topic: &str, index: i32) -> Uuid {
    let image = server.broker().image.load();
    let partition = image
        .topics()
        .partition(topic, PartitionIndex(index))
        .unwrap();
    partition.directory(BrokerId(1)).unwrap()
}

pub(super) fn describe(client: &mut Client) -> DescribeLogDirsResponse {
    let request = DescribeLogDirsRequest {
        topics: None,
        ..Default::default()
    };
    client.call(&request, 4)
}

#[test]
fn partitions_go_to_the_directory_with_the_fewest_and_the_metadata_knows() {
    let host = Host::new();
    let mut server = host.start(&["a", "b", "c"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 6);
    for index in 0..6 {
        assert_eq!(produce_to(&mut client, "t", index), ErrorCode::None);
    }
    let of = |name: &str| host.folders(name, "t").len();
    assert_eq!([of("a"), of("b"), of("c")], [2, 2, 2]);
    let place = |server: &TestServer, index| {
        let partition = server
            .broker()
            .storage
            .topics
            .partition("t", index)
            .unwrap();
        partition.dir().id
    };
    for index in 0..6 {
        eventually("the controller knows the directory", || {
            assigned(&server, "t", index) == place(&server, index)
        });
    }
    let before: Vec<Uuid> = (0..6).map(|index| place(&server, index)).collect();
    server.stop();
    let server = host.start(&["a", "b", "c"]);
    let after: Vec<Uuid> = (0..6).map(|index| place(&server, index)).collect();
    assert_eq!(before, after);
    assert_eq!(latest(&mut server.connect(), "t"), 1);
}

#[test]
fn the_metadata_log_s_own_directory_gets_no_partitions() {
    let host = Host::new();
    let metadata = host.path("m").display().to_string();
    let server = host.start_with(&["a"], &[("metadata.log.dir", &metadata)]);
    let mut client = server.connect();
    create_one(&mut client, "t", 4);
    for index in 0..4 {
        assert_eq!(produce_to(&mut client, "t", index), ErrorCode::None);
    }
    assert_eq!(host.folders("a", "t").len(), 4);
    assert!(host.path("m/__cluster_metadata-0").exists());
    assert!(!host.path("a/__cluster_metadata-0").exists());
    let dirs = describe(&mut client).results;
    assert_eq!(dirs.len(), 1, "{dirs:?}");
}

#[test]
fn an_empty_directory_joins_and_gets_the_next_partitions() {
    let host = Host::new();
    let mut server = host.start(&["a"]);
    create_one(&mut server.connect(), "old", 3);
    server.stop();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "new", 3);
    for index in 0..3 {
        assert_eq!(produce_to(&mut client, "old", index), ErrorCode::None);
        assert_eq!(produce_to(&mut client, "new", index), ErrorCode::None);
    }
    assert_eq!(host.folders("a", "old").len(), 3);
    assert_eq!(host.folders("b", "new").len(), 3);
}

#[test]
fn partitions_of_a_directory_that_is_not_there_are_offline_until_it_is_back() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 2);
    for index in 0..2 {
        assert_eq!(produce_to(&mut client, "t", index), ErrorCode::None);
    }
    let away = host.folders("b", "t")[0]
        .rsplit_once('-')
        .unwrap()
        .1
        .parse()
        .unwrap();
    server.stop();

    // Not configured any more; and not mounted, so that an empty directory is found in its place.
    let stored = host.path("b-elsewhere");
    fs::rename(host.path("b"), &stored).unwrap();
    for names in [&["a"][..], &["a", "b"]] {
        let mut server = host.start(names);
        let mut client = server.connect();
        let lost = partition(&mut client, "t", away);
        assert_eq!(lost.error_code, ErrorCode::LeaderNotAvailable.code());
        assert_eq!((lost.leader_id, &lost.offline_replicas[..]), (-1, &[1][..]));
        assert_eq!(
            produce_to(&mut client, "t", away),
            ErrorCode::KafkaStorageError
        );
        assert_eq!(produce_to(&mut client, "t", 1 - away), ErrorCode::None);
        assert_eq!(partition(&mut client, "t", 1 - away).leader_id, 1);
        server.stop();
    }
    fs::remove_dir_all(host.path("b")).unwrap();
    fs::rename(&stored, host.path("b")).unwrap();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    let back = partition(&mut client, "t", away);
    assert_eq!((back.leader_id, &back.offline_replicas[..]), (1, &[][..]));
    assert_eq!(produce_to(&mut client, "t", away), ErrorCode::None);
}

#[test]
fn a_directory_that_cannot_be_used_is_offline_and_the_others_serve() {
    let host = Host::new();
    fs::write(host.path("b"), "a file").unwrap();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 2);
    for index in 0..2 {
        assert_eq!(produce_to(&mut client, "t", index), ErrorCode::None);
    }
    let dirs = describe(&mut client).results;
    let errors: BTreeMap<String, ErrorCode> = dirs
        .iter()
        .map(|dir| {
            (
                dir.log_dir.to_string(),
                ErrorCode::from_code(dir.error_code),
            )
        })
        .collect();
    assert_eq!(
        errors[&host.path("a").display().to_string()],
        ErrorCode::None
    );
    assert_eq!(
        errors[&host.path("b").display().to_string()],
        ErrorCode::KafkaStorageError
    );
}

#[test]
fn a_directory_that_fails_takes_its_partitions_offline_and_no_others() {
    let host = Host::new();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 2);
    for index in 0..2 {
        assert_eq!(produce_to(&mut client, "t", index), ErrorCode::None);
    }
    let lost = server.broker().storage.topics.partition("t", 1).unwrap();
    let kept = server.broker().storage.topics.partition("t", 0).unwrap();
    let (lost, kept) = match lost.dir().path == host.path("b") {
        true => (lost, kept),
        false => (kept, lost),
    };
    let mut reader = server.connect();
    let mut waiting = fetch_request("t", 1, 60_000, 1);
    waiting.topics[0].partitions[0].partition = lost.index.0;
    let correlation = reader.send(&waiting, 12);

    server
        .broker()
        .storage
        .dirs
        .fail(&lost.dir(), &"a test says so");
    assert_eq!(
        produce_to(&mut client, "t", lost.index.0),
        ErrorCode::KafkaStorageError
    );
    assert_eq!(produce_to(&mut client, "t", kept.index.0), ErrorCode::None);
    let answer = reader.receive::<ottla_protocol::messages::FetchRequest>(12, correlation);
    assert_eq!(
        answer.responses[0].partitions[0].error_code,
        ErrorCode::KafkaStorageError.code()
    );
    eventually("the controller has taken the leadership away", || {
        partition(&mut client, "t", lost.index.0).leader_id == -1
    });
    assert_eq!(partition(&mut client, "t", kept.index.0).leader_id, 1);
    let dirs = describe(&mut client).results;
    let failed = dirs.iter().filter(|dir| dir.error_code != 0).count();
    assert_eq!(failed, 1, "{dirs:?}");
    // New partitions go where they can be had.
    create_one(&mut client, "after", 2);
    for index in 0..2 {
        assert_eq!(produce_to(&mut client, "after", index), ErrorCode::None);
    }
    assert_eq!(host.folders("a", "after").len(), 2);
}

#[test]
fn a_folder_that_an_operator_moved_is_found_and_told_of() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    assert_eq!(produce_to(&mut client, "t", 0), ErrorCode::None);
    let (from, to) = match host.folders("a", "t").len() {
        1 => ("a", "b"),
        _ => ("b", "a"),
    };
    server.stop();
    fs::rename(host.path(from).join("t-0"), host.path(to).join("t-0")).unwrap();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    assert_eq!(fetch(&mut client, "t", 0).error_code, 0);
    assert_eq!(latest(&mut client, "t"), 1);
    let dir = server
        .broker()
        .storage
        .topics
        .partition("t", 0)
        .unwrap()
        .dir();
    assert_eq!(dir.path, host.path(to));
    eventually("the controller knows the new directory", || {
        assigned(&server, "t", 0) == dir.id
    });
}

#[test]
fn a_partition_in_two_directories_is_refused() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 2);
    for index in 0..2 {
        assert_eq!(produce_to(&mut client, "t", index), ErrorCode::None);
    }
    server.stop();
    let folder = host.folders("a", "t").remove(0);
    let twin = host.path("b").join(&folder);
    fs::create_dir(&twin).unwrap();
    for file in fs::read_dir(host.path("a").join(&folder)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), twin.join(file.file_name())).unwrap();
    }
    let refused = start_refused(&host, &["a", "b"]);
    assert!(refused.contains(&folder), "{refused}");
    assert!(
        refused.contains(&host.path("b").display().to_string()),
        "{refused}"
    );
    fs::remove_dir_all(twin).unwrap();
    let server = host.start(&["a", "b"]);
    assert_eq!(latest(&mut server.connect(), "t"), 1);
}

/// Why a server does not start.
fn start_refused(host: &Host, names: &[&str]) -> String {
    let settings = |config: &BrokerConfig| Settings::from_config(config).unwrap();
    let config = config(host, names);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let data = data_dirs::open(&settings(&config)).unwrap();
    let listeners = crate::boot::bind(&settings(&config)).unwrap();
    let started = Server::start(
        config.clone(),
        settings(&config),
        Loggers::default(),
        data,
        listeners,
    );
    started.err().expect("a refusal").to_string()
}

fn config(host: &Host, names: &[&str]) -> BrokerConfig {
    let pairs = [
        ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("log.dirs", within(host.dir.path(), names)),
    ];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
    BrokerConfig::load(pairs).unwrap()
}

fn open(host: &Host, names: &[&str]) -> Result<data_dirs::DataDirs, DataDirError> {
    data_dirs::open(&Settings::from_config(&config(host, names)).unwrap())
}

/// Everything below a directory: paths and contents.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
            found.insert(path, None);
        } else {
            let content = fs::read(&path).unwrap();
            found.insert(path, Some(content));
        }
    }
    found
}

/// S-32: what is not ours, or not only ours, is refused with its reason, and nothing on disk is changed.
#[test]
fn s32_directories_of_others_are_refused_and_left_alone() {
    let host = Host::new();
    let used = |name: &str, text: &str| {
        fs::create_dir(host.path(name)).unwrap();
        fs::write(host.path(name).join("meta.properties"), text).unwrap();
    };
    host.start(&["ours"]).stop();
    used(
        "other-cluster",
        "version=1\ncluster.id=another\nnode.id=1\n",
    );
    used("other-node", "version=1\ncluster.id=c\nnode.id=2\n");
    used("newer", "version=2\ncluster.id=c\nnode.id=1\n");
    used("damaged", "version=1\ncluster.id=c\nnode.id=one\n");
    fs::create_dir(host.path("foreign")).unwrap();
    fs::write(host.path("foreign").join("thesis.txt"), "42").unwrap();
    fs::write(host.path("file"), "42").unwrap();
    fs::create_dir(host.path("copy")).unwrap();
    let meta = "meta.properties";
    fs::copy(host.path("ours").join(meta), host.path("copy").join(meta)).unwrap();
    std::os::unix::fs::symlink(host.path("ours"), host.path("alias")).unwrap();
    let long = "x".repeat(300);
    let cases: [(&[&str], &str); 11] = [
        (&["ours", "other-cluster"], "different clusters"),
        (&["fresh", "other-cluster", "ours"], "different clusters"),
        (&["other-node"], "belongs to node 2, this is node 1"),
        (&["ours", "fresh", "other-node"], "belongs to node 2"),
        (&["newer"], "version 2 is not known, only 1"),
        (&["ours", "damaged"], "node.id one is not a number"),
        (&["foreign"], "thesis.txt"),
        (&["file"], "it is a file, not a directory"),
        (&["file/below"], "file/below"),
        (&["ours", "copy"], "same directory.id"),
        (&["ours", "alias"], "are the same"),
    ];
    let before = tree(host.dir.path());
    for (names, reason) in cases {
        let refused = open(&host, names).err().expect("a refusal").to_string();
        assert!(refused.contains(reason), "{names:?}: {refused}");
        assert_eq!(tree(host.dir.path()), before, "{names:?}");
    }
    let refused = open(&host, &[&long]).err().expect("a refusal").to_string();
    assert!(refused.contains("too long"), "{refused}");
    assert_eq!(tree(host.dir.path()), before);
}

/// S-32: a second server on the same directory.
#[test]
fn s32_a_directory_in_use_is_refused_and_no_new_one_is_made() {
    let host = Host::new();
    let server = host.start(&["a"]);
    for names in [&["a"][..], &["new", "a"], &["a", "new"]] {
        let refused = open(&host, names).err().expect("a refusal").to_string();
        assert!(refused.contains("in use by another broker"), "{refused}");
        assert!(!host.path("new").exists(), "{names:?}");
    }
    create_one(&mut server.connect(), "t", 1);
}
