//! `ottla log`: what it says of sound, damaged and busy directories, and its exit status.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::server::{Server, ottla};

pub(crate) fn log_tool(words: &[&str], dir: &Path) -> Output {
    ottla()
        .arg("log")
        .args(words)
        .arg(dir)
        .output()
        .expect("the binary")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A broker's directory with some records, after a clean stop.
fn stopped() -> Server {
    let mut server = Server::start();
    server.tool("topics --create --topic checked --partitions 1");
    let lines = "a line of text\n".repeat(500);
    server.tool_with_input("console-producer --topic checked --batch-size 1000", &lines);
    server.terminate();
    assert!(server.wait().success());
    server
}

#[test]
fn a_sound_directory_ends_with_0_a_damaged_one_with_1_and_a_wrong_one_with_2() {
    let server = stopped();
    let sound = log_tool(&["verify", "--deep"], &server.data());
    assert_eq!(sound.status.code(), Some(0), "{}", text(&sound.stdout));
    assert!(
        text(&sound.stdout).contains("Sound: "),
        "{}",
        text(&sound.stdout)
    );

    let segment = server.data().join("checked-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).expect("a segment");
    let damaged = log_tool(&["verify", "--output", "json"], &server.data());
    assert_eq!(damaged.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&damaged.stdout).expect("JSON");
    assert_eq!(
        (&report["version"], &report["sound"]),
        (&1.into(), &false.into())
    );
    let partitions = report["directories"][0]["partitions"]
        .as_array()
        .expect("partitions");
    let checked = partitions
        .iter()
        .find(|p| p["folder"] == "checked-0")
        .expect("the partition");
    let finding = &checked["findings"][0];
    assert_eq!(finding["severity"], "damage", "{checked:#}");
    assert!(finding["position"].is_u64() && finding["firstOffset"].is_u64());
    assert_eq!(
        std::fs::read(&segment).expect("a segment"),
        bytes,
        "nothing was written"
    );

    // The folder of the partition alone says the same.
    let folder = server.data().join("checked-0");
    assert_eq!(log_tool(&["verify"], &folder).status.code(), Some(1));
    for words in [
        &["verify"][..],
        &["frobnicate"],
        &["verify", "--output", "xml"],
    ] {
        let wrong = log_tool(words, Path::new("/no/such/folder"));
        assert_eq!(wrong.status.code(), Some(2), "{words:?}");
        assert!(!wrong.stderr.is_empty());
    }
}

/// It was called neither a log directory nor the folder of a partition.
#[test]
fn a_directory_that_was_only_formatted_is_sound_and_holds_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = folder.path().join("data");
    let properties = folder.path().join("server.properties");
    let lines = format!("node.id=1\nlog.dirs={}\n", data.display());
    std::fs::write(&properties, lines).expect("a file");
    let formatted = ottla()
        .args(["storage", "format", "--standalone", "-t"])
        .arg("oLFaCtSBRwqFbm8FRx3-2g")
        .arg("-c")
        .arg(&properties)
        .output()
        .expect("the binary");
    assert!(formatted.status.success(), "{}", text(&formatted.stderr));
    let empty = log_tool(&["verify"], &data);
    assert_eq!(empty.status.code(), Some(0), "{}", text(&empty.stderr));
    let told = text(&empty.stdout);
    assert!(told.starts_with("Sound: 0 partitions, "), "{told}");
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let server = Server::start();
    let busy = log_tool(&["verify"], &server.data());
    assert_eq!(busy.status.code(), Some(2));
    assert!(
        text(&busy.stderr).contains("in use"),
        "{}",
        text(&busy.stderr)
    );
}

#[test]
fn a_repaired_directory_is_sound_serves_the_rest_and_keeps_aside_what_was_taken_out() {
    let mut server = stopped();
    let segment = server.data().join("checked-0/00000000000000000000.log");
    let whole = std::fs::read(&segment).expect("a segment");
    let mut bytes = whole.clone();
    bytes.truncate(whole.len() - 3);
    bytes[100] ^= 1;
    std::fs::write(&segment, &bytes).expect("a segment");

    let neither = log_tool(&["repair"], &server.data());
    assert_eq!(neither.status.code(), Some(2), "{}", text(&neither.stderr));
    let dry = log_tool(&["repair", "--dry-run"], &server.data());
    let plan = text(&dry.stdout);
    assert_eq!(dry.status.code(), Some(1), "{plan}");
    assert!(
        plan.contains("checked-0/00000000000000000000.log: move the "),
        "{plan}"
    );
    assert!(
        plan.contains("checked-0/*: make what is missing of "),
        "{plan}"
    );
    let dry = log_tool(&["repair", "--dry-run", "--output", "json"], &server.data());
    let report: Value = serde_json::from_slice(&dry.stdout).expect("JSON");
    assert_eq!(
        (dry.status.code(), &report["executed"]),
        (Some(1), &false.into())
    );
    assert_eq!(
        report["steps"].as_array().map(Vec::len),
        Some(plan.lines().count() - 1)
    );
    assert_eq!(
        std::fs::read(&segment).expect("a segment"),
        bytes,
        "nothing was written"
    );

    let aside = tempfile::tempdir().expect("a directory");
    let kept = aside.path().join("kept");
    let words = [
        "repair",
        "--execute",
        "--aside",
        kept.to_str().expect("a plain path"),
    ];
    let done = log_tool(&words, &server.data());
    let said = text(&done.stdout) + &text(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}");
    for step in plan.lines().filter(|line| line.starts_with("checked-0/")) {
        assert!(said.contains(step), "{step} is not among\n{said}");
    }
    assert!(kept.join("report.json").exists());
    let first =
        std::fs::read(kept.join("checked-0/00000000000000000000.log@0")).expect("the stretch");
    assert_eq!(first, bytes[..first.len()]);
    let sound = log_tool(&["verify", "--deep"], &server.data());
    assert_eq!(sound.status.code(), Some(0), "{}", text(&sound.stdout));
    let nothing = log_tool(&["repair", "--dry-run"], &server.data());
    assert_eq!(text(&nothing.stdout), "Nothing to do.\n");

    server.restart();
    server.tool_with_input("console-producer --topic checked", "the last\n");
    let end = server.tool("get-offsets --topic checked");
    let read = server
        .tool("console-consumer --topic checked --partition 0 --offset earliest --timeout-ms 2000");
    assert!(read.ends_with("the last\n"), "{end}{read}");
    let lines = read.matches("a line of text\n").count();
    assert!(lines > 300, "only {lines} of 500 lines are left");
}
