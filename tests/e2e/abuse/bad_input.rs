//! What people and other programs get wrong at the command line and on disk: a clear sentence, status 1, nothing changed.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use super::support::assert_well;
use crate::server::{Server, ottla};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn tool(server: &Server, words: &[&str]) -> Output {
    let mut command = ottla();
    command
        .args(words)
        .args(["--bootstrap-server", server.address()]);
    command.output().unwrap()
}

#[test]
fn topics_that_cannot_be_are_refused_in_words_and_do_not_come_into_being() {
    let server = Server::start();
    for (words, expected) in [
        (&["--partitions", "0"][..], "partitions"),
        (&["--partitions", "-3"], "partitions"),
        (&["--partitions", "many"], "many"),
        (&["--replication-factor", "2"], "replication factor"),
        (&["--replication-factor", "0"], "replication"),
        (&["--config", "no.such.key=1"], "no.such.key"),
        (&["--config", "retention.ms=soon"], "retention.ms"),
        (&["--no-such-option"], "no-such-option"),
    ] {
        let mut all = vec!["topics", "--create", "--topic", "t"];
        all.extend_from_slice(words);
        let output = tool(&server, &all);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.to_lowercase().contains(expected), "{words:?}: {said}");
        assert!(!said.contains("panicked"), "{words:?}: {said}");
    }
    let output = tool(&server, &["topics", "--create"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("topic"), "{}", said(&output));
    assert_eq!(server.tool("topics --list").trim(), "");
    assert_well(&server);
}

#[test]
fn a_record_over_the_limit_is_told_by_the_producer_and_the_others_are_there() {
    let server = Server::with(&["--override", "message.max.bytes=10000"], &[]);
    server.tool("topics --create --topic t");
    let input = format!("{}\n", "v".repeat(20_000));
    let output = server.try_tool("console-producer --topic t", &input);
    let text = said(&output);
    assert!(
        text.contains("MESSAGE_TOO_LARGE") && text.contains("10000"),
        "{text}"
    );
    server.tool_with_input("console-producer --topic t", "small\n");
    let ends = server.tool("get-offsets --topic t");
    assert_eq!(ends, "t:0:1\n", "the small one alone");
    assert_well(&server);
}

/// What `ottla server` says where it must not start.
fn refused(words: &[&str]) -> String {
    let output = ottla()
        .args(["server", "--listen", "127.0.0.1:0"])
        .args(words)
        .output()
        .unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
    assert!(!said.contains("panicked"), "{words:?}: {said}");
    said
}

#[test]
fn a_data_directory_that_is_a_file_or_under_one_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let path = path.to_str().unwrap();
        let said = refused(&["--data-dir", path]);
        assert!(said.contains(path), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

/// Who may do everything is refused nothing by permissions; there a file system that nobody can write to stands in.
#[test]
fn a_data_directory_that_cannot_be_written_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let (data, below) = if rustix::process::geteuid().is_root() {
        (Path::new("/proc").to_owned(), Path::new("/proc/data"))
    } else {
        use std::os::unix::fs::PermissionsExt as _;
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o500)).unwrap();
        (data.clone(), Path::new(""))
    };
    let path = if below.as_os_str().is_empty() {
        &data
    } else {
        below
    };
    let said = refused(&["--data-dir", path.to_str().unwrap()]);
    assert!(said.contains(path.to_str().unwrap()), "{said}");
}

#[test]
fn a_damaged_identity_of_a_data_directory_is_refused_and_left_as_it_is() {
    let mut server = Server::start();
    server.tool("topics --create --topic t");
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let data = server.data();
    let identity = data.join("meta.properties");
    let whole = fs::read_to_string(&identity).unwrap();
    for text in [
        "",
        "version=9\n",
        "\u{0}\u{1}\u{2}",
        &whole.replace("node.id=1", "node.id=77"),
    ] {
        fs::write(&identity, text).unwrap();
        let said = refused(&["--data-dir", data.to_str().unwrap()]);
        assert!(said.contains(data.to_str().unwrap()), "{text:?}: {said}");
        assert_eq!(fs::read_to_string(&identity).unwrap(), text);
    }
    fs::write(&identity, whole).unwrap();
    server.restart();
    assert_eq!(server.tool("topics --list"), "t\n");
}
