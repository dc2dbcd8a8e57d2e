//! How a broker begins and ends: what it says, what it refuses, and that a refusal changes nothing on disk.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Server, ottla, terminate};
use crate::wait;

/// What the issue of a clean stop promises, and room for a busy machine.
const STOP_MAX: Duration = Duration::from_secs(2 + 3);

#[test]
fn sigterm_ends_the_broker_cleanly_and_what_it_took_is_there_afterwards() {
    let mut server = Server::start();
    server.tool("topics --create --topic kept --partitions 2");
    server.tool_with_input("console-producer --topic kept", "one\ntwo\nthree\n");
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(started.elapsed() < STOP_MAX, "took {:?}", started.elapsed());
    server.restart();
    let read = server.tool("console-consumer --topic kept --from-beginning --max-messages 3");
    let mut lines: Vec<&str> = read.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);
}

#[test]
fn one_screen_says_where_it_listens_where_the_data_is_and_what_to_try() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let mut broker = Started::new(&["--listen", "127.0.0.1:0", "--data-dir", directory], &[]);
    let said = broker.stdout_until("consol");
    assert!(
        said.contains("127.0.0.1:") && !said.contains("127.0.0.1:0\n"),
        "{said}"
    );
    assert!(said.contains(directory), "{said}");
    assert!(
        said.matches("ottla ").count() >= 3,
        "three commands to try:\n{said}"
    );
    assert!(said.lines().count() <= 24, "{said}");
}

#[test]
fn an_ephemeral_broker_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let variables = [("TMPDIR", temporary.path().to_str().unwrap())];
    let mut broker = Started::new(&["--ephemeral", "--listen", "127.0.0.1:0"], &variables);
    broker.stdout_until("127.0.0.1:");
    assert_eq!(
        names(temporary.path()).len(),
        1,
        "its files lie in a temporary directory"
    );
    terminate(&broker.child);
    let status = wait::some("the broker to end", || broker.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{}", broker.stderr());
    assert_eq!(names(temporary.path()), [""; 0]);
}

/// S-32
#[test]
fn a_directory_in_use_is_refused_and_its_broker_goes_on() {
    let server = Server::start();
    let data = server.data();
    let said = refused(&[
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert!(said.contains(data.to_str().unwrap()), "{said}");
    server.tool("topics --create --topic still-here");
}

#[test]
fn a_directory_of_something_else_is_refused_and_not_touched() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("precious.txt"), "mine").unwrap();
    let said = refused(&[
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.path().to_str().unwrap(),
    ]);
    assert!(said.contains(data.path().to_str().unwrap()), "{said}");
    assert_eq!(names(data.path()), ["precious.txt"]);
}

#[test]
fn a_directory_of_another_user_is_refused_with_the_path_and_the_user() {
    const NOBODY: u32 = 65534;
    let place = tempfile::tempdir().unwrap();
    let mine = place.path().join("data");
    fs::create_dir(&mine).unwrap();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(place.path(), 0o755);
    open(&mine, 0o500);
    // Nothing is denied to root, so root lets somebody else try, with a copy that he may run.
    let program = place.path().join("ottla");
    fs::copy(env!("CARGO_BIN_EXE_ottla"), &program).unwrap();
    let mut broker = Command::new(&program);
    broker.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]);
    broker.arg(&mine);
    if rustix::process::geteuid().is_root() {
        broker.uid(NOBODY).gid(NOBODY);
    }
    let output = broker.current_dir(place.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let path = mine.display().to_string();
    assert!(said.contains(&path), "{said}");
    assert_eq!(said.matches("ermission denied").count(), 1, "{said}");
    assert!(said.contains("runs as user"), "{said}");
    assert_eq!(names(&mine), Vec::<String>::new(), "nothing was made");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let said = refused(&[
        "--listen",
        &address,
        "--data-dir",
        data.path().to_str().unwrap(),
    ]);
    assert!(said.contains(&address), "{said}");
}

#[test]
fn what_is_not_built_or_not_valid_is_refused_by_its_key() {
    for (setting, key) in [
        ("listeners=SASL_SSL://127.0.0.1:0", "listeners"),
        (
            "authorizer.class.name=org.example.Authorizer",
            "authorizer.class.name",
        ),
        (
            "controller.quorum.voters=1@127.0.0.1:1,2@127.0.0.1:2",
            "controller.quorum.voters",
        ),
        ("num.partitions=many", "num.partitions"),
        ("num.partitions=0", "num.partitions"),
        ("ottla.durability=perhaps", "ottla.durability"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let said = refused(&[
            "--data-dir",
            data.path().to_str().unwrap(),
            "--override",
            setting,
        ]);
        assert!(said.contains(key), "{setting}: {said}");
        assert_eq!(names(data.path()), [""; 0], "{setting}");
    }
}

#[test]
fn unreadable_and_malformed_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (name, text) in [
        ("missing.properties", None),
        ("wrong.properties", Some("log.retention.ms=soon\n")),
        ("wrong.yaml", Some("num.partitions: [1\n")),
        ("strange.yaml", Some("- not\n- a map\n")),
    ] {
        let file = folder.path().join(name);
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let said = refused(&[
            "--config",
            file.to_str().unwrap(),
            "--data-dir",
            data.to_str().unwrap(),
        ]);
        assert!(
            said.contains(name) || said.contains("log.retention.ms"),
            "{name}: {said}"
        );
    }
}

#[test]
fn settings_come_from_file_environment_and_command_line_in_that_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ottla.yaml");
    fs::write(
        &file,
        "num.partitions: 2\nmessage.max.bytes: 5000\nlog.retention.ms: 1000000\n",
    )
    .unwrap();
    let server = Server::with(
        &[
            "--config",
            file.to_str().unwrap(),
            "--override",
            "num.partitions=4",
            "log.segment.bytes=2000000",
        ],
        &[
            ("KAFKA_NUM_PARTITIONS", "3"),
            ("KAFKA_MESSAGE_MAX_BYTES", "6000"),
        ],
    );
    server.tool("topics --create --topic configured");
    let described = server.tool("topics --describe --topic configured");
    assert!(described.contains("PartitionCount: 4"), "{described}");
    let configs =
        server.tool("configs --describe --all --entity-type topics --entity-name configured");
    for expected in [
        "max.message.bytes=6000 ",
        "retention.ms=1000000 ",
        "segment.bytes=2000000 ",
    ] {
        assert!(configs.contains(expected), "no {expected}in:\n{configs}");
    }
}

/// What a server that must not start says on stderr.
fn refused(words: &[&str]) -> String {
    let mut broker = Started::new(words, &[]);
    let status = wait::some("the server to refuse", || broker.child.try_wait().unwrap());
    let said = broker.stderr();
    assert_eq!(status.code(), Some(1), "{words:?}: {said}");
    assert!(!said.contains("panicked"), "{words:?}: {said}");
    said
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// `ottla server` with its output in files, gone when dropped.
struct Started {
    child: Child,
    output: tempfile::TempDir,
}

impl Started {
    fn new(words: &[&str], variables: &[(&str, &str)]) -> Started {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| fs::File::create(output.path().join(name)).unwrap();
        let mut command = ottla();
        command
            .arg("server")
            .args(words)
            .envs(variables.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        Started {
            child: command.spawn().unwrap(),
            output,
        }
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.output.path().join("stderr")).unwrap()
    }

    fn stdout_until(&mut self, text: &str) -> String {
        let path = self.output.path().join("stdout");
        wait::some("what the broker says first", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status}: {}", self.stderr());
            }
            fs::read_to_string(&path)
                .ok()
                .filter(|said| said.contains(text))
        })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder above a relative data directory has no name, and could not be synced.
#[test]
fn a_data_directory_may_be_relative() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = ottla()
        .current_dir(folder.path())
        .args(["server", "--listen", "127.0.0.1:0"])
        .args(["--data-dir", "data", "--ready-file", "ready"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = folder.path().join("ready");
    let started = wait::some("the broker to be ready or gone", || {
        let ended = broker.try_wait().unwrap().is_some();
        (ready.exists() || ended).then_some(ready.exists())
    });
    broker.kill().unwrap();
    broker.wait().unwrap();
    assert!(started && folder.path().join("data/meta.properties").exists());
}
