//! Completion as shells ask for it: names of a real broker, and nothing of one that is dead.

// A shell that is not there is said aloud.
#![allow(clippy::print_stderr)]

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::{terminal, wait};

/// What a shell is given to think about. The promise is 200 ms; a busy machine may miss it once, not always.
const WITHIN: Duration = Duration::from_millis(200);
const TRIES: usize = 30;

/// `$PATH` begins with the folder of the binary under test.
fn shell(name: impl AsRef<OsStr>) -> Command {
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

/// As `tests/interop/peers/shells/setup.sh` has installed it, or else the system's.
fn installed(name: &str) -> Option<PathBuf> {
    let peers = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/ottla-peers/shells"));
    let peers = std::env::var_os("OTTLA_SHELLS")
        .map(PathBuf::from)
        .or_else(peers);
    let peers = peers.map(|folder| folder.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = peers.into_iter().chain(std::env::split_paths(&path));
    let mut shells = folders.map(|folder| folder.join(name));
    let found = shells.find(|shell| shell.is_file());
    if found.is_none() {
        let said = format!("{name} is not installed; its completion was not tried");
        // As `cargo xtask interop` and `ci` have it.
        assert!(std::env::var_os("OTTLA_NEEDS_SHELLS").is_none(), "{said}");
        eprintln!("!!!! SKIPPED, NOT TESTED: {said}");
    }
    found
}

/// A line with its end, and what becomes of the end.
fn lines_to_complete(server: &Server) -> [(String, &'static str); 4] {
    let here = format!("--bootstrap-server {}", server.address());
    [
        ("ottla get-o".to_owned(), "get-offsets"),
        (
            "kafka-topics.sh --under-r".to_owned(),
            "--under-replicated-partitions",
        ),
        (
            format!("ottla topics {here} --describe --topic ord"),
            "orders",
        ),
        (format!("ottla configs {here} --entity-type bro"), "broker"),
    ]
}

#[test]
fn fish_completes_the_names_of_a_cluster() {
    let Some(fish) = installed("fish") else {
        return;
    };
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    let script = "source completions/fish/ottla.fish; complete -C $argv[1]";
    for (line, found) in lines_to_complete(&server) {
        let run = || {
            let mut fish = shell(&fish);
            fish.args(["-N", "-c", script, &line]).output().unwrap()
        };
        let is_offered = |word: &String| word.starts_with(found);
        let offered = (0..TRIES).any(|_| told(&run()).iter().any(is_offered));
        assert!(offered, "{line}: {:?}", run());
    }
    let files =
        "source completions/fish/ottla.fish; complete -C 'ottla topics --command-config Carg'";
    let output = shell(&fish).args(["-N", "-c", files]).output().unwrap();
    assert!(
        told(&output).contains(&"Cargo.toml".to_owned()),
        "{output:?}"
    );
}

/// Its completion lives in its line editor, and that on a terminal.
#[test]
fn zsh_completes_the_names_of_a_cluster() {
    let Some(zsh) = installed("zsh") else {
        return;
    };
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    let (mut keys, terminal) = terminal::open();
    let mut shell = shell("setsid");
    shell.arg("--ctty").arg(&zsh).args(["-f", "-i"]);
    shell.env("TERM", "xterm").env("COLUMNS", "400");
    shell.stdin(terminal.try_clone().unwrap());
    shell.stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = shell.spawn().unwrap();
    drop(shell);
    let screen = Arc::new(Mutex::new(String::new()));
    let (shown, mut reader) = (screen.clone(), keys.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            shown
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
    let begin = "stty cols 400; fpath=(completions/zsh $fpath); autoload -U compinit; compinit -D -u; echo rea''dy\n";
    keys.write_all(begin.as_bytes()).unwrap();
    wait::until("zsh to be ready", || {
        screen.lock().unwrap().contains("ready")
    });
    for (line, found) in lines_to_complete(&server) {
        // Only what the time allows comes, and a busy machine may take more. Ctrl-U takes the line away.
        let completes = |keys: &mut std::fs::File| {
            screen.lock().unwrap().clear();
            keys.write_all(format!("\x15{line}\t").as_bytes()).unwrap();
            let deadline = Instant::now() + Duration::from_secs(2);
            while Instant::now() < deadline {
                if screen.lock().unwrap().contains(found) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            false
        };
        assert!(
            (0..TRIES).any(|_| completes(&mut keys)),
            "{line}: {:?}",
            screen.lock().unwrap()
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_context_is_as_good_as_an_address_and_completes_itself() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    let folder = tempfile::tempdir().unwrap();
    let contexts = format!(
        "contexts:\n  test-cluster: {{bootstrap-servers: {}}}\n  other: {{bootstrap-servers: 127.0.0.1:1}}\n",
        server.address()
    );
    std::fs::write(folder.path().join(".ottla.yaml"), contexts).unwrap();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let completed = |words: &[&str], context: Option<&str>| {
        let run = || {
            let mut command = ottla();
            command.args(["complete", "zsh", "ottla"]).args(words);
            command.current_dir(folder.path().join("below"));
            command.env_remove("OTTLA_CONTEXT");
            command.envs(context.map(|name| ("OTTLA_CONTEXT", name)));
            told(&command.output().unwrap()).concat()
        };
        let found = (0..TRIES).map(|_| run()).find(|found| !found.is_empty());
        found.unwrap_or_default()
    };
    let by_option = ["topics", "--context", "test-cluster", "--topic", "or"];
    assert_eq!(completed(&by_option, None), "orders:");
    let by_environment = ["topics", "--topic", "or"];
    assert_eq!(completed(&by_environment, Some("test-cluster")), "orders:");
    assert_eq!(
        completed(&["topics", "--context", "te"], None),
        "test-cluster:"
    );
    assert_eq!(completed(&["context", "use", "te"], None), "test-cluster:");
    assert_eq!(completed(&by_environment, Some("other")), "");
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
        let mut took = (0..TRIES).map(|_| {
            let begun = Instant::now();
            let output = ottla().args(words).args(["--topic", ""]).output().unwrap();
            assert!(output.stdout.is_empty() && output.stderr.is_empty());
            assert!(output.status.success());
            begun.elapsed()
        });
        assert!(took.any(|took| took <= WITHIN), "{address}");
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
