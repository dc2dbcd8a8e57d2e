//! S-06: a sync fails once and works again. The batches that it covered are not acknowledged, then or later, because
//! the kernel has dropped their pages; with the only log directory gone the broker ends and says why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::Millis;

use crate::requests::{PRODUCE, create_topic, produce};
use crate::server::Server;
use crate::wait;
use crate::wire::Wire;

const TOPIC: &str = "unsynced";

#[test]
fn a_failed_sync_acknowledges_nothing_and_ends_a_broker_with_one_log_directory() {
    let directory = tempfile::tempdir().unwrap();
    let trigger = directory.path().join("fail-once");
    let library = build_library(directory.path());
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAULT_SYNC_ONCE", trigger.to_str().unwrap()),
    ];
    let mut server = Server::with(&[], &environment);
    create_topic(server.address(), TOPIC, 1);
    let mut wire = Wire::connect(server.address()).unwrap();
    assert_eq!(produce_one(&mut wire, "synced").unwrap(), ErrorCode::None);

    fs::write(&trigger, "").unwrap();
    let answer = produce_one(&mut wire, "not synced");
    assert!(!matches!(answer, Ok(ErrorCode::None)), "acknowledged");
    assert!(!trigger.exists(), "no sync was tried");

    assert_eq!(server.wait().code(), Some(1));
    let log = server.log();
    assert!(
        log.contains(server.data().to_str().unwrap()),
        "the log does not name the directory:\n{log}"
    );

    server.restart();
    let read = server.tool(&format!(
        "console-consumer --topic {TOPIC} --from-beginning --max-messages 1"
    ));
    assert_eq!(read, "synced\n");
}

#[test]
fn a_failed_sync_in_one_of_several_log_directories_takes_only_that_one_offline() {
    let directory = tempfile::tempdir().unwrap();
    let trigger = directory.path().join("fail-once");
    let library = build_library(directory.path());
    let path = |name: &str| directory.path().join(name).display().to_string();
    let log_dirs = format!("log.dirs={},{}", path("healthy"), path("failing"));
    let metadata = format!("metadata.log.dir={}", path("healthy"));
    let failing = format!("{}/{TOPIC}-", path("failing"));
    let mut server = Server::with(
        &["--override", &log_dirs, "--override", &metadata],
        &[
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAULT_SYNC_ONCE", trigger.to_str().unwrap()),
            ("FAULT_SYNC_PATH", &failing),
        ],
    );
    create_topic(server.address(), TOPIC, 2);
    let mut wire = Wire::connect(server.address()).unwrap();
    for partition in 0..2 {
        assert_eq!(
            produce_to(&mut wire, partition, "before").unwrap(),
            ErrorCode::None
        );
    }
    let lost = (0..2).find(|i| Path::new(&format!("{failing}{i}")).exists());
    let lost = lost.expect("each directory has one of the two");

    fs::write(&trigger, "").unwrap();
    for _ in 0..2 {
        assert_eq!(
            produce_to(&mut wire, lost, "never").unwrap(),
            ErrorCode::KafkaStorageError
        );
    }
    assert!(!trigger.exists(), "no sync was tried");
    assert_eq!(
        produce_to(&mut wire, 1 - lost, "after").unwrap(),
        ErrorCode::None
    );
    wait::some("the partition to be without a leader", || {
        let described = server.tool(&format!("topics --describe --topic {TOPIC}"));
        described.contains("Leader: none").then_some(())
    });
    assert!(server.log().contains(&path("failing")));

    server.kill();
    server.restart();
    let mut wire = Wire::connect(server.address()).unwrap();
    assert_eq!(
        produce_to(&mut wire, lost, "again").unwrap(),
        ErrorCode::None
    );
}

/// The library that makes a sync fail.
fn build_library(directory: &Path) -> PathBuf {
    let library = directory.join("sync.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/sync.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
    library
}

fn produce_one(wire: &mut Wire, value: &str) -> io::Result<ErrorCode> {
    produce_to(wire, 0, value)
}

fn produce_to(wire: &mut Wire, partition: i32, value: &str) -> io::Result<ErrorCode> {
    let mut batch = BatchBuilder::new(Compression::None);
    batch
        .append(Millis(1_700_000_000_000), None, Some(value.as_bytes()), &[])
        .unwrap();
    let response = wire.call(
        &produce(TOPIC, partition, -1, batch.build().unwrap()),
        PRODUCE,
    )?;
    Ok(ErrorCode::from_code(
        response.responses[0].partition_responses[0].error_code,
    ))
}
