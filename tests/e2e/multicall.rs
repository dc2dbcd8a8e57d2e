//! One binary, many names.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const OTTLA: &str = env!("CARGO_BIN_EXE_ottla");

fn run(program: &Path, words: &[&str]) -> (String, String, i32) {
    let output = Command::new(program)
        .args(words)
        .output()
        .expect("the binary");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().expect("an exit status"),
    )
}

#[test]
fn the_binary_alone_lists_the_tools_one_line_each() {
    let (listed, _, status) = run(Path::new(OTTLA), &[]);
    assert_eq!(status, 0);
    for tool in [
        "topics",
        "configs",
        "get-offsets",
        "broker-api-versions",
        "install-links DIR",
    ] {
        let lines = listed
            .lines()
            .filter(|line| line.trim().split("  ").next() == Some(tool))
            .count();
        assert_eq!(lines, 1, "{tool} in:\n{listed}");
    }
}

#[test]
fn a_link_named_like_the_script_is_the_tool() {
    let folder = TempDir::new().expect("a directory");
    for name in ["kafka-topics", "kafka-topics.sh", "ottla-topics"] {
        let link = folder.path().join(name);
        symlink(OTTLA, &link).expect("a link");
        assert_eq!(
            run(&link, &["--version"]),
            ("4.3.1\n".to_owned(), String::new(), 0),
            "{name}"
        );
    }
}

#[test]
fn install_links_makes_every_name_renews_its_own_and_leaves_other_files_alone() {
    let folder = TempDir::new().expect("a directory");
    let bin = folder.path().join("bin");
    let bin = bin.to_str().expect("a plain path");
    assert_eq!(run(Path::new(OTTLA), &["install-links", bin]).2, 0);
    for name in [
        "kafka-topics",
        "kafka-topics.sh",
        "ottla-configs",
        "kafka-get-offsets.sh",
    ] {
        let (version, _, _) = run(&Path::new(bin).join(name), &["--version"]);
        assert_eq!(version, "4.3.1\n", "{name}");
    }
    assert_eq!(run(Path::new(OTTLA), &["install-links", bin]).2, 0);

    let occupied = Path::new(bin).join("kafka-topics.sh");
    std::fs::remove_file(&occupied).expect("the link");
    std::fs::write(&occupied, "#!/bin/sh\n").expect("a script of somebody else's");
    let (_, stderr, status) = run(Path::new(OTTLA), &["install-links", bin]);
    assert!(
        status == 1 && stderr.contains("kafka-topics.sh"),
        "{status} {stderr}"
    );
    assert_eq!(
        std::fs::read_to_string(&occupied).expect("still there"),
        "#!/bin/sh\n"
    );
}

#[test]
fn an_unknown_tool_is_refused_with_the_nearest_name() {
    let (stdout, stderr, status) = run(Path::new(OTTLA), &["tpics"]);
    assert_eq!((stdout.as_str(), status), ("", 1));
    assert!(stderr.contains("ottla topics"), "{stderr}");
}

#[test]
fn the_version_names_this_binary_and_its_reference() {
    let (stdout, _, status) = run(Path::new(OTTLA), &["--version"]);
    assert_eq!(status, 0);
    assert!(
        stdout.starts_with("ottla ") && stdout.contains("4.3.1"),
        "{stdout}"
    );
}

#[test]
fn help_for_a_tool_goes_to_standard_output_unless_the_tool_is_asked_like_the_script() {
    let (stdout, _, status) = run(Path::new(OTTLA), &["help", "topics"]);
    assert!(
        status == 0 && stdout.contains("--replica-assignment"),
        "{stdout}"
    );
    let (stdout, stderr, status) = run(Path::new(OTTLA), &["topics", "--help"]);
    assert_eq!((stdout.as_str(), status), ("", 1));
    assert!(stderr.contains("--replica-assignment"), "{stderr}");
}
