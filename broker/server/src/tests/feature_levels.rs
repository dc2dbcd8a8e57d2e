//! Directories that another version has written: what this one does not know is refused before anything is changed,
//! and what it has no part in is kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_config::resolve::BrokerConfig;
use ottla_log::{Log, LogConfig, Offsets, OpenInput, RealDisk, Timestamps};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::metadata::{
    AccessControlEntryRecord, BeginTransactionRecord, ClientQuotaRecord, FeatureLevelRecord,
    MetadataRecord,
};
use ottla_protocol::messages::update_features::request::FeatureUpdateKey;
use ottla_protocol::messages::voters_record::Voter;
use ottla_protocol::messages::{
    ApiVersionsRequest, KRaftVersionRecord, Message, UpdateFeaturesRequest, UpdateFeaturesResponse,
    VotersRecord, decode_metadata_record, encode_metadata_record,
};
use ottla_protocol::records::control::{ControlType, Place, control_batch};
use ottla_protocol::records::{BatchBuilder, Records, batches_of};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, PartitionIndex};
use ottla_protocol::wire::{Reader, Uuid};

use crate::data_dirs;
use crate::settings::Settings;
use crate::testing::TestServer;

fn level(name: &str, level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: name.into(),
        feature_level: level,
        ..Default::default()
    })
}

fn batch_of(values: &[Bytes]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        builder.append(Millis(1), None, Some(value), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn batch(records: &[MetadataRecord]) -> Vec<u8> {
    let values: Vec<Bytes> = records
        .iter()
        .map(|record| encode_metadata_record(record, record.max_version()))
        .collect();
    batch_of(&values)
}

fn control(control_type: ControlType, value: &[u8]) -> Vec<u8> {
    let at = Place {
        base_offset: Offset(0),
        leader_epoch: LeaderEpoch(1),
        timestamp: Millis(1),
    };
    control_batch(at, control_type, value).unwrap()
}

fn voters(ids: &[i32]) -> Vec<u8> {
    let voter = |id: &i32| Voter {
        voter_id: *id,
        voter_directory_id: Uuid([5; 16]),
        ..Default::default()
    };
    let record = VotersRecord {
        voters: ids.iter().map(voter).collect(),
        ..Default::default()
    };
    control(ControlType::KRaftVoters, &record.to_bytes(0))
}

fn kraft_version(level: i16) -> Vec<u8> {
    let record = KRaftVersionRecord {
        k_raft_version: level,
        ..Default::default()
    };
    control(ControlType::KRaftVersion, &record.to_bytes(0))
}

fn data(server: &TestServer) -> PathBuf {
    server.dir.path().join("data")
}

fn metadata(server: &TestServer) -> PathBuf {
    data(server).join("__cluster_metadata-0")
}

/// Writes behind what a stopped server has left in its metadata log.
fn append(server: &TestServer, batches: Vec<Vec<u8>>) {
    let input = OpenInput {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        clean_shutdown: true,
    };
    let config = Arc::new(LogConfig::default());
    let disk = RealDisk::shared();
    let (mut log, _) = Log::open(disk, &metadata(server), config, input, Millis(0)).unwrap();
    for mut batch in batches {
        let offsets = Offsets::Assign {
            leader_epoch: LeaderEpoch(1),
        };
        log.append(&mut batch, offsets, Timestamps::Create, Millis(0))
            .unwrap();
    }
    log.close().unwrap();
}

fn stopped() -> TestServer {
    let mut server = TestServer::start(&[]);
    server.stop();
    server
}

/// Every file with its content.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(content(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// Why a server does not start on the directory, which is as it was afterwards.
fn refusal(server: &TestServer) -> String {
    let before = content(&data(server));
    let config = BrokerConfig::load([
        ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("log.dirs".to_owned(), data(server).display().to_string()),
    ]);
    let settings = Settings::from_config(&config.unwrap()).unwrap();
    let refused = data_dirs::open(&settings).err().expect("a refusal");
    assert_eq!(content(&data(server)), before);
    refused.to_string()
}

#[test]
fn levels_that_are_not_known_are_refused_before_anything_is_changed() {
    for (batches, words) in [
        (
            vec![batch(&[level("metadata.version", 31)])],
            "level 31 of metadata.version",
        ),
        (
            vec![batch(&[level("metadata.version", 6)])],
            "upgrade --feature metadata.version=7",
        ),
        (
            vec![batch(&[level("transaction.version", 3)])],
            "level 3 of transaction.version",
        ),
        (
            vec![batch(&[level("colour.version", 1)])],
            "a feature that this version does not know",
        ),
        (vec![kraft_version(2)], "level 2 of kraft.version"),
        (
            vec![kraft_version(1), voters(&[1, 2])],
            "node 2 is a voter of its metadata quorum",
        ),
        // Frame version 1, record type 63, version 0.
        (
            vec![batch_of(&[Bytes::from_static(&[1, 63, 0])])],
            "a record at offset",
        ),
    ] {
        let server = stopped();
        append(&server, batches);
        let refusal = refusal(&server);
        assert!(refusal.contains(words), "{refusal}");
        assert!(refusal.contains("Nothing was changed"), "{refusal}");
    }
    let server = stopped();
    let later = [level("metadata.version", 31), level("metadata.version", 30)];
    append(&server, vec![batch(&later)]);
    server.restarted(&[]);
}

/// Versions of the records of each type that the log and its snapshots have.
fn versions(server: &TestServer) -> BTreeMap<i16, Vec<i16>> {
    let mut versions: BTreeMap<i16, Vec<i16>> = BTreeMap::new();
    for (record, version) in records(server) {
        versions.entry(record.api_key()).or_default().push(version);
    }
    versions
}

fn records(server: &TestServer) -> Vec<(MetadataRecord, i16)> {
    let mut found = Vec::new();
    for value in values(server, |batch| !batch.0.is_control()) {
        found.push(decode_metadata_record(value.1).unwrap());
    }
    found
}

/// Keys and values of the newest snapshot if there is one, else of the log.
fn values(
    server: &TestServer,
    wanted: impl Fn(&(ottla_protocol::records::BatchHeader, Bytes)) -> bool,
) -> Vec<(Bytes, Bytes)> {
    let files = content(&metadata(server));
    let is = |path: &Path, suffix| path.extension().is_some_and(|found| found == suffix);
    let snapshot = files.iter().rfind(|(path, _)| is(path, "checkpoint"));
    let log = files.iter().rfind(|(path, _)| is(path, "log"));
    let bytes = Bytes::from(snapshot.or(log).unwrap().1.clone());
    let mut values = Vec::new();
    for batch in batches_of(&bytes).map(Result::unwrap).filter(wanted) {
        let records = Records::open(&batch.1, InflateLimits::STRICT).unwrap();
        for record in records.owned().map(Result::unwrap) {
            values.push((
                record.key.unwrap_or_default(),
                record.value.unwrap_or_default(),
            ));
        }
    }
    values
}

const REGISTER_BROKER: i16 = 0;
const PARTITION: i16 = 3;

/// Types of updates.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

#[test]
fn a_directory_that_was_formatted_at_an_older_level_stays_at_it() {
    let levels = [level("metadata.version", 15), level("group.version", 1)];
    let mut server = formatted_at(&levels);
    server.add_topic("t", 1);
    let image = server.broker().image.load();
    let features: Vec<_> = image.features().clone().into_iter().collect();
    let expected = [("group.version", 1), ("metadata.version", 15)];
    assert_eq!(
        features,
        expected.map(|(name, level)| (name.to_owned(), level))
    );
    server.stop();
    // At that level brokers and partitions have no directories yet.
    let versions = versions(&server);
    assert_eq!(versions[&REGISTER_BROKER], [2]);
    assert_eq!(versions[&PARTITION], [0]);
}

/// Clients would try what they find; the directory's levels stay, for whoever serves it next.
#[test]
fn features_that_are_not_served_are_kept_and_not_told() {
    let server = TestServer::start(&[]);
    let image = server.broker().image.load();
    let request = ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let answer = server.connect().call(&request, 4);
    for (name, level, is_told) in [
        ("group.version", 1, true),
        ("share.version", 1, false),
        ("streams.version", 1, false),
        ("transaction.version", 2, true),
    ] {
        assert_eq!(image.features()[name], level);
        let is_supported = answer
            .supported_features
            .iter()
            .any(|told| told.name == name);
        let is_finalized = answer
            .finalized_features
            .iter()
            .any(|told| told.name == name);
        assert_eq!((is_supported, is_finalized), (is_told, is_told), "{name}");
    }
}

fn formatted_at(records: &[MetadataRecord]) -> TestServer {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let data = dir.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("bootstrap.checkpoint"), batch(records)).unwrap();
    fs::write(
        data.join("meta.properties"),
        "version=1\ncluster.id=b3R0bGEtcmVmLWNsdXN0ZQ\nnode.id=1\n",
    )
    .unwrap();
    TestServer::start_in(dir, &[])
}

fn update(server: &TestServer, name: &str, level: i16, upgrade_type: i8) -> UpdateFeaturesResponse {
    let request = UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: name.into(),
            max_version_level: level,
            upgrade_type,
            ..Default::default()
        }],
        ..Default::default()
    };
    server.connect().call(&request, 2)
}

#[test]
fn the_metadata_log_follows_its_version_and_gets_what_it_had_no_place_for() {
    let mut server = formatted_at(&[level("metadata.version", 15)]);
    server.add_topic("before", 1);
    assert_eq!(
        update(&server, "metadata.version", 30, UPGRADE).error_code,
        0
    );
    server.add_topic("after", 1);
    server.stop();
    // The registration at the start, and the same again with its directories.
    let versions = versions(&server);
    assert_eq!(versions[&REGISTER_BROKER], [2, 4]);
    assert_eq!(versions[&PARTITION], [0, 2]);
    let lies_in = |record: &(MetadataRecord, i16)| match &record.0 {
        MetadataRecord::PartitionChange(change) => change.directories.clone(),
        _ => None,
    };
    let said: Vec<_> = records(&server).iter().filter_map(lies_in).collect();
    assert!(!said.is_empty());
    server = server.restarted(&[]);
    let image = server.broker().image.load();
    assert_eq!(image.features()["metadata.version"], 30);
    for topic in ["before", "after"] {
        let partition = image.topics().partition(topic, PartitionIndex(0)).unwrap();
        let own = server.broker().storage.dirs.online_ids();
        assert_eq!(partition.directories, own, "{topic}");
    }
}

#[test]
fn a_level_that_was_set_is_there_after_a_restart_and_told_at_once() {
    let mut server = TestServer::start(&[]);
    assert_eq!(
        update(&server, "transaction.version", 1, SAFE_DOWNGRADE).error_code,
        0
    );
    assert_eq!(
        server.broker().image.load().features()["transaction.version"],
        1
    );
    let refused = update(&server, "transaction.version", 3, UPGRADE);
    assert_eq!(refused.error_code, ErrorCode::InvalidUpdateVersion.code());
    assert_eq!(
        refused.error_message.as_deref(),
        Some(
            "The update failed for all features since the following feature had an error: Invalid update version 3 for \
             feature transaction.version. Local controller 1 only supports versions 0-2"
        )
    );
    assert_eq!(
        update(&server, "transaction.version", 0, SAFE_DOWNGRADE).error_code,
        0
    );
    server.stop();
    server = server.restarted(&[]);
    let image = server.broker().image.load();
    assert!(!image.features().contains_key("transaction.version"));
}

#[test]
fn a_directory_formatted_with_credentials_is_refused() {
    let server = stopped();
    fs::remove_dir_all(metadata(&server)).unwrap();
    let records = [
        level("metadata.version", 30),
        MetadataRecord::UserScramCredential(Default::default()),
    ];
    fs::write(data(&server).join("bootstrap.checkpoint"), batch(&records)).unwrap();
    assert!(refusal(&server).contains("1 records that are not levels"));
}

#[test]
fn a_snapshot_keeps_what_this_build_has_no_part_in() {
    let mut server = stopped();
    let acl = MetadataRecord::AccessControlEntry(AccessControlEntryRecord {
        id: Uuid([3; 16]),
        resource_name: "t".into(),
        ..Default::default()
    });
    let quota = |value, remove| {
        MetadataRecord::ClientQuota(ClientQuotaRecord {
            key: "producer_byte_rate".into(),
            value,
            remove,
            ..Default::default()
        })
    };
    // The last batch is of a transaction that a controller has not ended.
    let begin = MetadataRecord::BeginTransaction(BeginTransactionRecord::default());
    append(
        &server,
        vec![
            kraft_version(1),
            voters(&[1]),
            batch(&[acl.clone(), quota(1.0, false), quota(2.0, false)]),
            batch(&[begin, quota(3.0, false)]),
        ],
    );
    // Every start and stop is a snapshot.
    let snapshots = [("metadata.log.max.record.bytes.between.snapshots", "1")];
    server = server.restarted(&snapshots);
    server.add_topic("t", 1);
    server.stop();
    let kept: Vec<_> = records(&server)
        .into_iter()
        .map(|(record, _)| record)
        .collect();
    assert!(kept.contains(&acl));
    let quotas: Vec<_> = kept
        .iter()
        .filter(|record| matches!(record, MetadataRecord::ClientQuota(_)))
        .collect();
    assert_eq!(quotas, [&quota(2.0, false)]);
    let controls = values(&server, |batch| batch.0.is_control());
    let control = |wanted| {
        let mut found = controls
            .iter()
            .filter(|(key, _)| ControlType::from_key(key) == Ok(wanted));
        Reader::new(found.next().expect("kept").1.clone())
    };
    let version = KRaftVersionRecord::decode(&mut control(ControlType::KRaftVersion), 0).unwrap();
    assert_eq!(version.k_raft_version, 1);
    let voters = VotersRecord::decode(&mut control(ControlType::KRaftVoters), 0).unwrap();
    assert_eq!(voters.voters[0].voter_directory_id, Uuid([5; 16]));
    // And it all is there again.
    server = server.restarted(&[]);
    assert!(server.broker().image.load().topics().by_name("t").is_some());
}
