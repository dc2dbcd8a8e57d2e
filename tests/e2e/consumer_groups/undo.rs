//! Every reset leaves a file that takes it back.

use std::fs;
use std::path::Path;

use super::{Member, broker, groups, offset, produce, read, stderr, stdout};
use crate::server::{Server, ottla};

/// The only file in a folder.
fn only_file(folder: &Path) -> String {
    let mut files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let path = files.next().expect("a file");
    assert_eq!(files.next(), None);
    path.to_str().unwrap().to_owned()
}

fn reset(server: &Server, folder: &Path, line: &str) -> String {
    let folder = folder.display();
    let output = groups(
        server,
        &format!("--reset-offsets {line} --execute --undo-dir {folder}"),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_reset_is_taken_back_and_the_taking_back_too() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 7);
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

    // Only a plan: nothing to take back.
    let plan = "--reset-offsets --group g --topic orders --to-earliest --dry-run";
    groups(&server, plan);
    assert_eq!(first.path().read_dir().unwrap().count(), 0);

    reset(
        &server,
        first.path(),
        "--group g --topic orders --to-earliest",
    );
    assert_eq!(offset(&server, "g"), 0);

    let undo = format!("--undo {}", only_file(first.path()));
    let table = reset(&server, second.path(), &undo);
    assert!(
        table.contains("g               orders          0          7\n"),
        "{table}"
    );
    assert_eq!(offset(&server, "g"), 7);

    let third = tempfile::tempdir().unwrap();
    let redo = format!("--undo {}", only_file(second.path()));
    reset(&server, third.path(), &redo);
    assert_eq!(offset(&server, "g"), 0);
}

#[test]
fn undoing_the_first_offset_of_a_group_deletes_it() {
    let server = broker();
    produce(&server, 10);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--group new --topic orders --to-offset 4",
    );
    assert_eq!(offset(&server, "new"), 4);

    let undo = format!("--undo {}", only_file(folder.path()));
    let table = reset(&server, tempfile::tempdir().unwrap().path(), &undo);
    assert!(
        table.contains("new             orders          0          -\n"),
        "{table}"
    );
    let described = groups(&server, "--describe --group new");
    assert!(!stdout(&described).contains("orders"));
}

#[test]
fn one_file_holds_all_groups_of_a_run_and_some_of_them_can_be_taken_back() {
    let server = broker();
    produce(&server, 10);
    read(&server, "a", 3);
    read(&server, "b", 5);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--all-groups --topic orders --to-latest",
    );

    let file = only_file(folder.path());
    let output = groups(&server, &format!("--undo {file} --group b --execute"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        (offset(&server, "a"), offset(&server, "b")),
        (10.into(), 5.into())
    );

    let output = groups(&server, &format!("--undo {file} --group c --execute"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not about group c"));
}

#[test]
fn a_file_that_was_left_serves_as_a_file_of_new_offsets() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 7);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--group g --topic orders --to-earliest",
    );
    let file = only_file(folder.path());
    reset(
        &server,
        tempfile::tempdir().unwrap().path(),
        &format!("--group g --from-file {file}"),
    );
    assert_eq!(offset(&server, "g"), 7);
}

#[test]
fn whoever_read_on_since_is_told_and_what_retention_took_stays_gone() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 2);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--group g --topic orders --to-offset 5",
    );
    read(&server, "g", 3);

    let file = only_file(folder.path());
    let output = groups(&server, &format!("--undo {file} --dry-run"));
    let said = stderr(&output);
    assert!(
        said.contains(
            "Group g has moved on since: its offset of orders-0 was set to 5 and is 8 now."
        ),
        "{said}"
    );
}

#[test]
fn a_group_with_members_is_left_alone() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 7);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--group g --topic orders --to-latest",
    );
    let file = only_file(folder.path());

    let member = Member::join(&server, "g", &[]);
    let output = groups(&server, &format!("--undo {file} --execute"));
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(
        said.contains("'g' is inactive, but the current state is Stable"),
        "{said}"
    );
    assert_eq!(offset(&server, "g"), 10);
    member.leave();
}

#[test]
fn a_file_of_another_cluster_or_of_something_else_changes_nothing() {
    let (server, other) = (broker(), broker());
    produce(&server, 10);
    read(&server, "g", 7);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--group g --topic orders --to-latest",
    );
    let file = only_file(folder.path());

    let output = groups(&other, &format!("--undo {file} --execute"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("is of another cluster"),
        "{}",
        stderr(&output)
    );
    assert!(groups(&other, "--list").stdout.is_empty());

    for (text, part) in [
        ("orders,0,4\n", "It is no file that a reset has left"),
        ("{}", "\"kind\" is not"),
        (
            r#"{"kind": "offsets before a reset", "version": 2}"#,
            "version 2 is not known",
        ),
        (
            r#"{"kind": "offsets before a reset", "version": 1, "groups": [{"group": "g", "partitions": [{"partition": 0}]}]}"#,
            "\"topic\" is no text",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let output = groups(&server, &format!("--undo {file} --execute"));
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    assert_eq!(offset(&server, "g"), 10);
}

#[test]
fn without_a_place_for_the_file_that_was_named_nothing_is_changed() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 7);
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").unwrap();
    let line = format!(
        "--reset-offsets --group g --topic orders --to-earliest --execute --undo-dir {}",
        occupied.display()
    );
    let output = groups(&server, &line);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("Nothing was changed"),
        "{}",
        stderr(&output)
    );
    assert_eq!(offset(&server, "g"), 7);
}

#[test]
fn where_nobody_names_a_place_the_newest_files_are_kept_and_those_of_others() {
    const KEPT: usize = 1000;
    let server = broker();
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("ottla/undo");
    fs::create_dir_all(&folder).unwrap();
    let name = |number: usize| format!("20200101T000000.{number:03}Z-g.json");
    let others = ["notes.json", "20190101T000000.000Z-g.txt"].map(str::to_owned);
    for name in (0..KEPT).map(name).chain(others.clone()) {
        fs::write(folder.join(name), "").unwrap();
    }
    let output = ottla()
        .args(
            "consumer-groups --reset-offsets --group g --topic orders --to-earliest --execute"
                .split(' '),
        )
        .args(["--bootstrap-server", server.address()])
        .env("XDG_STATE_HOME", state.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!folder.join(name(0)).exists());
    for kept in [name(1), name(KEPT - 1)].iter().chain(&others) {
        assert!(folder.join(kept).exists(), "{kept}");
    }
    // With the one that was left just now.
    assert_eq!(folder.read_dir().unwrap().count(), KEPT + others.len());
}

#[test]
fn a_topic_that_is_gone_keeps_no_other_from_going_back() {
    let server = broker();
    server.tool("topics --create --topic passing --partitions 1");
    produce(&server, 10);
    read(&server, "g", 7);
    let folder = tempfile::tempdir().unwrap();
    reset(
        &server,
        folder.path(),
        "--group g --topic orders --topic passing --to-earliest",
    );
    server.tool("topics --delete --topic passing");

    let undo = format!(
        "--reset-offsets --undo {} --execute",
        only_file(folder.path())
    );
    let output = groups(&server, &undo);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("passing-0 is left out: it does not exist any more."),
        "{said}"
    );
    assert_eq!(offset(&server, "g"), 7);
}
