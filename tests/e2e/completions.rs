//! Completion as shells ask for it: names of a real broker, and nothing of one that is dead.

// A shell that is not there is said aloud.
#![allow(clippy::print_stderr)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::requests::create_topic;
use crate::server::{Server, ottla};

/// What a shell is given to think about. The promise is 200 ms; a busy machine may miss it once, not always.
const WITHIN: Duration = Duration::from_millis(200);
const TRIES: usize = 10;

/// `$PATH` begins with the folder of the binary under test.
fn shell(name: &str) -> Command {
    let binary = ottla().get_program().to_owned();
    let folder = Path::new(&binary).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder).chain(std::env::split_paths(&path));
    let mut command = Command::new(name);
    command.env("PATH", std::env::join_paths(folders).unwrap());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// What bash offers behind a line; it hands words over split at its own separators.
fn bash(line: &str) -> Vec<String> {
    let script = r#"
        source completions/bash/ottla.bash
        COMP_LINE=$1 COMP_POINT=${#1}
        IFS=' ' read -ra COMP_WORDS <<< "$(sed 's/[:=]/ & /g' <<< "$1")"
        [[ $1 == *[' :='] ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMPREPLY=()
        _ottla "${COMP_WORDS[0]}" 2>/dev/null
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = shell("bash");
    let output = bash.args(["--norc", "-c", script, "bash", line]).output();
    told(&output.unwrap())
}

fn told(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

#[test]
fn bash_completes_tools_options_and_the_names_of_a_cluster() {
    let server = Server::start();
    let address = server.address();
    for topic in ["orders", "orders-eu", "prices"] {
        create_topic(address, topic, 1);
    }
    server.tool_with_input("console-producer --topic orders", "a\n");
    server
        .tool("console-consumer --topic orders --group readers --from-beginning --max-messages 1");
    for (line, found) in [
        ("ottla get-o", "get-offsets"),
        ("kafka-topics.sh --under-r", "--under-replicated-partitions"),
        (
            "ottla topics --bootstrap-server HERE --describe --topic ord",
            "orders orders-eu",
        ),
        ("ottla topics --bootstrap-server=HERE --topic=pr", "prices"),
        (
            "kafka-consumer-groups --bootstrap-server HERE --describe --group r",
            "readers",
        ),
        (
            "ottla configs --bootstrap-server HERE --entity-type brokers --entity-name ",
            "1",
        ),
        (
            "ottla configs --bootstrap-server HERE --broker 1 --alter --add-config log.retention.ho",
            "log.retention.hours=",
        ),
        (
            "ottla topics --bootstrap-server HERE --list --output t",
            "table tsv",
        ),
    ] {
        let line = line.replace("HERE", address);
        // Only what the time allows comes, and a busy machine may take more.
        let offered = (0..TRIES).map(|_| bash(&line));
        let mut offered = offered.map(|words| words.join(" "));
        assert!(
            offered.any(|offered| offered == found),
            "{line}: {:?}",
            bash(&line)
        );
    }
}

#[test]
fn zsh_and_fish_complete_the_names_of_a_cluster_where_they_are_installed() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    let line = format!(
        "ottla topics --bootstrap-server {} --topic or",
        server.address()
    );
    for (name, words) in [
        (
            "zsh",
            "autoload -U compinit && compinit -D -u; fpath=(completions/zsh $fpath); \
                 functions[_files]=:; _describe() { print -l ${(P)${@[-1]}} }; \
                 words=(${=1}) CURRENT=$#words; source completions/zsh/_ottla",
        ),
        (
            "fish",
            "source completions/fish/ottla.fish; complete -C $argv[1]",
        ),
    ] {
        let is_there = Command::new(name).arg("--version").output().is_ok();
        if !is_there {
            eprintln!("LOUD SKIP: {name} is not installed; its completion was not tried");
            continue;
        }
        let run = || {
            shell(name)
                .args(["-c", words, name, &line])
                .output()
                .unwrap()
        };
        let found = (0..TRIES).any(|_| told(&run()).iter().any(|word| word.starts_with("orders")));
        assert!(found, "{name}: {:?}", run());
    }
}

#[test]
fn a_dead_broker_costs_no_more_than_200_ms_and_says_nothing() {
    // It takes connections, and never answers.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [
        mute.local_addr().unwrap().to_string(),
        "127.0.0.1:1".to_owned(),
    ] {
        let words = [
            "complete",
            "zsh",
            "ottla",
            "topics",
            "--bootstrap-server",
            &address,
        ];
        let took = (0..TRIES).map(|_| {
            let begun = Instant::now();
            let output = ottla().args(words).args(["--topic", ""]).output().unwrap();
            assert!(output.stdout.is_empty() && output.stderr.is_empty());
            assert!(output.status.success());
            begun.elapsed()
        });
        let least = took.min().unwrap();
        assert!(least <= WITHIN, "{address} took {least:?}");
    }
}

#[test]
fn names_that_a_shell_would_run_are_left_out() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    server.tool_with_input("console-producer --topic orders", "a\n");
    let consume = [
        "console-consumer",
        "--topic",
        "orders",
        "--from-beginning",
        "--max-messages",
        "1",
    ];
    let mut command = ottla();
    command.args(consume).args(["--group", "$(touch x)"]);
    let output = command
        .args(["--bootstrap-server", server.address()])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(server.tool("groups --list").contains("$(touch x)"));
    let mut command = ottla();
    command.args([
        "complete",
        "fish",
        "ottla",
        "consumer-groups",
        "--bootstrap-server",
        server.address(),
    ]);
    let output = command.args(["--group", ""]).output().unwrap();
    assert_eq!(told(&output), Vec::<String>::new());
}
