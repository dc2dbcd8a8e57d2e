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
fn what_was_formatted_is_told_as_data() {
    let folder = configured(&["a", "b"]);
    let id = storage(folder.path(), "random-uuid --output json");
    let id: Value = serde_json::from_slice(&id.stdout).expect("JSON");
    let id = id["id"].as_str().expect("an id").to_owned();
    std::fs::create_dir(folder.path().join("b")).expect("a folder");
    let line = format!("format -t {id} -c s.properties -r 4.0 --output json");
    let told = storage(folder.path(), &line);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(
        (&told["version"], &told["clusterId"]),
        (&1.into(), &id.into())
    );
    assert_eq!(told["metadataVersion"], "4.0-IV3");
    assert_eq!(told["directories"][0]["role"], "metadata");
    assert_eq!(told["directories"][1]["formatted"], true);
    let again = storage(folder.path(), &format!("{line} --ignore-formatted"));
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(again["directories"][1]["formatted"], false);
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
    // The reference's order, which the folder's name decides.
    let mut lines: Vec<&str> = told.lines().skip(1).collect();
    lines.sort_by_key(|line| line.contains("Formatting data"));
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

#[test]
fn a_quorum_of_its_own_is_refused_where_the_configuration_names_the_voters() {
    let folder = configured(&["a"]);
    let file = folder.path().join("s.properties");
    let roles = "process.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
                 listeners=PLAINTEXT://localhost:0,CONTROLLER://localhost:0\n";
    let dynamic = std::fs::read_to_string(&file).expect("a file") + roles;
    let named = format!("{dynamic}controller.quorum.voters=1@localhost:9093\n");
    std::fs::write(&file, named).expect("a file");
    let line = format!("format -t {ID} -c s.properties --standalone");
    let refused = storage(folder.path(), &line);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.starts_with("You cannot specify controller.quorum.voters and format the node"),
        "{said}"
    );
    std::fs::write(&file, dynamic).expect("a file");
    let formatted = storage(folder.path(), &line);
    let told = String::from_utf8_lossy(&formatted.stdout).into_owned();
    assert!(
        told.contains("\nFormatting dynamic metadata voter directory "),
        "{told}"
    );
}
