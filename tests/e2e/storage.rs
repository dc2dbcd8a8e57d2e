//! `storage`: directories that it formats are those that the broker serves.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Server, ottla};

const ID: &str = "b3R0bGEtcmVmLWNsdXN0ZQ";

fn storage(folder: &Path, line: &str) -> Output {
    let line = format!("storage {line}");
    let mut command = ottla();
    command.current_dir(folder).args(line.split_whitespace());
    command.output().expect("the binary")
}

fn configured(dirs: &[&str]) -> TempDir {
    let folder = TempDir::new().expect("a directory");
    let dirs: Vec<String> = dirs
        .iter()
        .map(|name| folder.path().join(name).display().to_string())
        .collect();
    let text = format!("node.id=1\nlog.dirs={}\n", dirs.join(","));
    std::fs::write(folder.path().join("s.properties"), text).expect("a file");
    folder
}

#[test]
fn a_broker_serves_what_was_formatted_with_its_id_and_levels() {
    let folder = configured(&["a", "b"]);
    let line = format!("format -t {ID} -c s.properties -r 4.0 -f transaction.version=1");
    let output = storage(folder.path(), &line);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let lines: Vec<&str> = told.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            format!(
                "Formatting metadata directory {} with metadata.version 4.0-IV3.",
                a.display()
            ),
            format!(
                "Formatting data directory {} with metadata.version 4.0-IV3.",
                b.display()
            ),
        ]
    );
    let info = storage(folder.path(), "info -c s.properties --output json");
    let info: Value = serde_json::from_slice(&info.stdout).expect("JSON");
    assert_eq!(
        (&info["clusterId"], &info["nodeId"]),
        (&ID.into(), &1.into())
    );
    assert_eq!(info["problems"], Value::Array(Vec::new()));

    let dirs = format!("log.dirs={},{}", a.display(), b.display());
    let server = Server::with(&["--override", &dirs], &[]);
    let described = ottla()
        .args([
            "features",
            "--bootstrap-server",
            server.address(),
            "describe",
        ])
        .output()
        .expect("the binary");
    let described = String::from_utf8_lossy(&described.stdout).into_owned();
    let level = |name: &str| {
        let mut lines = described.lines();
        let line = lines
            .find(|line| line.contains(&format!("{name}\t")) || line.contains(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name}: {described}"))
            .to_owned()
    };
    assert!(
        level("metadata.version").contains("FinalizedVersionLevel: 4.0-IV3"),
        "{described}"
    );
    assert!(
        level("transaction.version").contains("FinalizedVersionLevel: 1"),
        "{described}"
    );
    let id = std::fs::read_to_string(a.join("meta.properties")).expect("a file");
    assert!(id.contains(ID), "{id}");
    drop(server);

    let verified = ottla()
        .args(["log", "verify"])
        .arg(&a)
        .output()
        .expect("the binary");
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

#[test]
fn what_belongs_to_another_cluster_or_is_broken_is_told() {
    let folder = configured(&["a", "b"]);
    let format = |id: &str| storage(folder.path(), &format!("format -t {id} -c s.properties"));
    assert!(format(ID).status.success());
    let other = format("another");
    assert_eq!(other.status.code(), Some(1));
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(
        said.contains("Expected another, but read b3R0bGEtcmVmLWNsdXN0ZQ"),
        "{said}"
    );
    std::fs::write(
        folder.path().join("b/meta.properties"),
        "version=1\ncluster.id=another\nnode.id=1\n",
    )
    .expect("a file");
    let info = storage(folder.path(), "info -c s.properties");
    assert_eq!(info.status.code(), Some(1));
    let told = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(
        told.contains("Mismatched cluster IDs between storage directories."),
        "{told}"
    );
}
