//! Every reset leaves a file that takes it back.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use super::{Member, broker, groups, offset, produce, read, stderr, stdout};
use crate::server::{Server, ottla};

/// A broker with ten records, of which group `g` has read some.
fn broker_with_reader(count: usize) -> Server {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", count);
    server
}

/// A reset that was done.
struct Reset {
    table: String,
    /// What takes it back.
    file: String,
    _folder: TempDir,
}

fn reset(server: &Server, line: &str) -> Reset {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let line = format!("--reset-offsets {line} --execute --undo-dir {place}");
    let output = groups(server, &line);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut files = fs::read_dir(&folder).unwrap();
    let file = files.next().expect("a file").unwrap().path();
    assert!(files.next().is_none());
    Reset {
        table: stdout(&output),
        file: file.to_str().unwrap().to_owned(),
        _folder: folder,
    }
}

/// Takes a reset back, which is one as well.
fn undo(server: &Server, done: &Reset) -> Reset {
    reset(server, &format!("--undo {}", done.file))
}

fn try_undo(server: &Server, done: &Reset, more: &str) -> Output {
    groups(server, &format!("--undo {} {more}", done.file))
}

/// Where nobody names a place for the file.
fn keeping_state_in(server: &Server, state: &Path, line: &str) -> Output {
    ottla()
        .arg("consumer-groups")
        .args(line.split(' '))
        .args(["--bootstrap-server", server.address()])
        .env("XDG_STATE_HOME", state)
        .output()
        .unwrap()
}

#[track_caller]
fn is_refused(output: &Output, reason: &str) {
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(output).contains(reason), "{}", stderr(output));
}

#[test]
fn a_reset_is_taken_back_and_the_taking_back_too() {
    let server = broker_with_reader(7);
    let first = reset(&server, "--group g --topic orders --to-earliest");
    assert_eq!(offset(&server, "g"), 0);

    let second = undo(&server, &first);
    let row = "g               orders          0          7\n";
    assert!(second.table.contains(row), "{}", second.table);
    assert_eq!(offset(&server, "g"), 7);

    undo(&server, &second);
    assert_eq!(offset(&server, "g"), 0);
}

#[test]
fn a_plan_leaves_no_file() {
    let server = broker_with_reader(7);
    let state = tempfile::tempdir().unwrap();
    let line = "--reset-offsets --group g --topic orders --to-earliest --dry-run";
    let output = keeping_state_in(&server, state.path(), line);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(state.path().read_dir().unwrap().count(), 0);
}

#[test]
fn undoing_the_first_offset_of_a_group_deletes_it() {
    let server = broker();
    produce(&server, 10);
    let done = reset(&server, "--group new --topic orders --to-offset 4");
    assert_eq!(offset(&server, "new"), 4);

    let undone = undo(&server, &done);
    let row = "new             orders          0          -\n";
    assert!(undone.table.contains(row), "{}", undone.table);
    let described = groups(&server, "--describe --group new");
    assert!(!stdout(&described).contains("orders"));
}

#[test]
fn one_file_holds_all_groups_of_a_run_and_some_of_them_can_be_taken_back() {
    let server = broker();
    produce(&server, 10);
    read(&server, "a", 3);
    read(&server, "b", 5);
    let done = reset(&server, "--all-groups --topic orders --to-latest");

    let output = try_undo(&server, &done, "--group b --execute");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        (offset(&server, "a"), offset(&server, "b")),
        (10.into(), 5.into())
    );

    let output = try_undo(&server, &done, "--group c --execute");
    is_refused(&output, "is not about group c");
}

#[test]
fn a_file_that_was_left_serves_as_a_file_of_new_offsets() {
    let server = broker_with_reader(7);
    let done = reset(&server, "--group g --topic orders --to-earliest");
    reset(&server, &format!("--group g --from-file {}", done.file));
    assert_eq!(offset(&server, "g"), 7);
}

#[test]
fn whoever_read_on_since_is_told_and_what_retention_took_stays_gone() {
    let server = broker_with_reader(2);
    let done = reset(&server, "--group g --topic orders --to-offset 5");
    read(&server, "g", 3);

    let said = stderr(&try_undo(&server, &done, "--dry-run"));
    assert!(
        said.contains(
            "Group g has moved on since: its offset of orders-0 was set to 5 and is 8 now."
        ),
        "{said}"
    );
}

#[test]
fn a_group_with_members_is_left_alone() {
    let server = broker_with_reader(7);
    let done = reset(&server, "--group g --topic orders --to-latest");

    let member = Member::join(&server, "g", &[]);
    let output = try_undo(&server, &done, "--execute");
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
    let (server, other) = (broker_with_reader(7), broker());
    let done = reset(&server, "--group g --topic orders --to-latest");

    let output = try_undo(&other, &done, "--execute");
    is_refused(&output, "is of another cluster");
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
        fs::write(&done.file, text).unwrap();
        is_refused(&try_undo(&server, &done, "--execute"), part);
    }
    assert_eq!(offset(&server, "g"), 10);
}

#[test]
fn without_a_place_for_the_file_that_was_named_nothing_is_changed() {
    let server = broker_with_reader(7);
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").unwrap();
    let line = format!(
        "--reset-offsets --group g --topic orders --to-earliest --execute --undo-dir {}",
        occupied.display()
    );
    is_refused(&groups(&server, &line), "Nothing was changed");
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
    let line = "--reset-offsets --group g --topic orders --to-earliest --execute";
    let output = keeping_state_in(&server, state.path(), line);
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
    let done = reset(
        &server,
        "--group g --topic orders --topic passing --to-earliest",
    );
    server.tool("topics --delete --topic passing");

    let output = try_undo(&server, &done, "--reset-offsets --execute");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("passing-0 is left out: it does not exist any more."),
        "{said}"
    );
    assert_eq!(offset(&server, "g"), 7);
}
