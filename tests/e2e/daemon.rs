//! `kafka-server-start.sh -daemon`: a broker in the background, as scripts of the reference start one.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use rustix::process::{Pid, Signal, getsid, kill_process};
use tempfile::TempDir;

use crate::server::ottla;
use crate::wait;

/// Killed where a test fails before it has ended it.
struct Background(Pid);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn configured(listener: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = format!("listeners=PLAINTEXT://{listener}\nlog.dirs=data\n");
    fs::write(folder.path().join("server.properties"), text).unwrap();
    folder
}

fn start(folder: &Path, log_dir: Option<&str>) -> Output {
    let mut command = ottla();
    command.args(["server", "-daemon", "server.properties", "--ready-file"]);
    command.arg("ready").current_dir(folder);
    match log_dir {
        Some(dir) => command.env("LOG_DIR", dir),
        None => command.env_remove("LOG_DIR"),
    };
    command.output().unwrap()
}

#[test]
fn a_script_goes_on_when_the_broker_is_ready_and_the_broker_stays() {
    let folder = configured("127.0.0.1:0");
    let started = start(folder.path(), None);
    let said = String::from_utf8(started.stderr).unwrap();
    assert!(started.status.success(), "{said}");
    assert_eq!(started.stdout, b"", "as in the reference");
    let mut words = said.split(|c: char| !c.is_ascii_digit());
    let pid = words.find_map(|word| Pid::from_raw(word.parse().ok()?));
    let broker = Background(pid.expect("the process is named"));
    assert_eq!(getsid(Some(broker.0)), Ok(broker.0), "no terminal ends it");

    let ready = fs::read_to_string(folder.path().join("ready")).unwrap();
    let address = ready.trim();
    let mut list = ottla();
    list.args(["topics", "--list", "--bootstrap-server", address]);
    assert!(list.status().unwrap().success());
    let log = fs::read_to_string(folder.path().join("logs/kafkaServer.out")).unwrap();
    assert!(log.contains("is ready") && log.contains(address), "{log}");

    kill_process(broker.0, Signal::TERM).unwrap();
    wait::until("the broker to end", || TcpStream::connect(address).is_err());
}

/// The file is there before the screen, at which the script goes on: where it cannot be, there is no screen.
#[test]
fn a_script_does_not_go_on_before_the_ready_file_is_there() {
    let folder = configured("127.0.0.1:0");
    fs::create_dir(folder.path().join("ready")).unwrap();
    let started = start(folder.path(), None);
    let said = String::from_utf8(started.stderr).unwrap();
    assert_eq!(started.status.code(), Some(1), "{said}");
    let log = fs::read_to_string(folder.path().join("logs/kafkaServer.out")).unwrap();
    assert!(!log.contains("is ready"), "{log}");
}

#[test]
fn a_broker_that_cannot_start_fails_with_its_reason_and_leaves_it_in_the_log() {
    let folder = configured("127.0.0.1:none");
    let started = start(folder.path(), Some("var/log"));
    let said = String::from_utf8(started.stderr).unwrap();
    assert_eq!(started.status.code(), Some(1), "{said}");
    assert!(said.contains("listeners"), "{said}");
    let log = fs::read_to_string(folder.path().join("var/log/kafkaServer.out")).unwrap();
    assert!(log.contains("listeners"), "{log}");
}
