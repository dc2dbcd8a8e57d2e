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
fn help_explains_commands_of_tools_and_says_which_there_is() {
    let told = |words: &[&str]| {
        let (help, said, status) = run(Path::new(OTTLA), &[&["help"], words].concat());
        (Some(status), help, said)
    };
    let (status, help, _) = told(&["features", "upgrade"]);
    assert_eq!(status, Some(0));
    assert!(
        help.contains("ottla features upgrade") && help.contains("--dry-run"),
        "{help}"
    );
    let (status, help, _) = told(&["topics", "apply"]);
    assert!(
        status == Some(0) && help.contains("--allow-data-loss"),
        "{help}"
    );
    let (status, help, said) = told(&["topics", "aply"]);
    assert_eq!((status, help.as_str()), (Some(1), ""));
    assert!(
        said.contains("Did you mean `ottla help topics apply`?"),
        "{said}"
    );
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
        "install-links",
    ] {
        let lines = listed
            .lines()
            .filter(|line| line.trim().split("  ").next() == Some(tool))
            .count();
        assert_eq!(lines, 1, "{tool} in:\n{listed}");
    }
}

#[test]
fn a_shell_is_told_how_to_complete_by_one_word() {
    for shell in ["bash", "zsh", "fish"] {
        let (script, _, status) = run(Path::new(OTTLA), &["completion", shell]);
        assert!(status == 0 && script.contains("kafka-topics.sh"), "{shell}");
    }
    let (explained, _, status) = run(Path::new(OTTLA), &["help", "completion"]);
    assert!(
        status == 0 && explained.contains("source <(ottla completion bash)"),
        "{explained}"
    );
    let (_, said, status) = run(Path::new(OTTLA), &["completion", "bsh"]);
    assert!(status == 2 && said.contains("Did you mean bash?"), "{said}");
}

#[test]
fn a_newcomer_finds_everything_in_the_list() {
    let (listed, _, _) = run(Path::new(OTTLA), &["help"]);
    for word in [
        "ottla server",
        "topics apply",
        "topics export",
        "run ",
        "doctor",
        "top ",
        "pipe",
        "context",
        "--context",
        "--output",
        "--timeout",
        "completion SHELL",
        "install-links",
        "--generate DIR",
    ] {
        assert!(listed.contains(word), "{word} in:\n{listed}");
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

/// The scripts of the reference that links stand in for.
const SCRIPTS: &str = "acls broker-api-versions client-metrics cluster configs console-consumer console-producer \
    consumer-groups consumer-perf-test delete-records dump-log e2e-latency features get-offsets groups leader-election \
    log-dirs metadata-quorum producer-perf-test reassign-partitions server-start storage topics transactions \
    verifiable-consumer verifiable-producer";

#[test]
fn install_links_makes_every_name_renews_its_own_and_leaves_other_files_alone() {
    let folder = TempDir::new().expect("a directory");
    let bin = folder.path().join("bin");
    let bin = bin.to_str().expect("a plain path");
    assert_eq!(run(Path::new(OTTLA), &["install-links", bin]).2, 0);
    for name in SCRIPTS.split_whitespace() {
        // Each explains the options of its own tool, wherever and with whatever status.
        let script = Path::new(bin).join(format!("kafka-{name}.sh"));
        let (stdout, stderr, _) = run(&script, &["--help"]);
        let usage = format!("Usage: kafka-{name}");
        assert!(
            format!("{stdout}{stderr}").contains(&usage),
            "{name}: {stdout}{stderr}"
        );
    }
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

    let (told, _, _) = run(Path::new(OTTLA), &["install-links", bin, "--output", "csv"]);
    let binary = std::fs::canonicalize(OTTLA).expect("the binary");
    let row = format!("{bin}/kafka-topics.sh,topics,{}", binary.display());
    assert!(told.lines().any(|line| line == row), "{told}");

    let (explained, _, status) = run(Path::new(OTTLA), &["install-links", "--help"]);
    assert!(status == 0 && explained.contains("PATH"), "{explained}");
    assert_eq!(run(Path::new(OTTLA), &["install-links"]).2, 2);

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

    let foreign = Path::new(bin).join("kafka-configs.sh");
    std::fs::remove_file(&foreign).expect("the link");
    symlink("/opt/kafka/bin/kafka-configs.sh", &foreign).expect("a link of somebody else's");
    let (_, stderr, _) = run(Path::new(OTTLA), &["install-links", bin]);
    assert!(stderr.contains("kafka-configs.sh"), "{stderr}");
    let target = std::fs::read_link(&foreign).expect("still a link");
    assert_eq!(target, Path::new("/opt/kafka/bin/kafka-configs.sh"));
}

#[test]
fn an_unknown_tool_is_refused_with_the_nearest_name() {
    let (stdout, stderr, status) = run(Path::new(OTTLA), &["tpics"]);
    assert_eq!((stdout.as_str(), status), ("", 2));
    assert!(stderr.contains("ottla topics"), "{stderr}");
}

#[test]
fn help_for_a_word_that_is_no_tool_is_the_list() {
    let (listed, _, status) = run(Path::new(OTTLA), &["help", "help"]);
    assert!(
        status == 0 && listed.contains("ottla --generate DIR"),
        "{listed}"
    );
    assert_eq!(run(Path::new(OTTLA), &["help", "tpics"]).2, 2);
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
