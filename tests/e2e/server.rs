//! A broker of the binary under test, in a directory of its own, and the tools that talk to it.
//!
//! Always: the process is gone and the directory removed when the value is dropped; what the broker logged is shown
//! when it ended where it should not have.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait;

pub(crate) struct Server {
    child: Child,
    address: String,
    listen: String,
    directory: TempDir,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    /// `ulimit -n`
    descriptors: Option<u32>,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(&[], &[])
    }

    /// A broker that may have so many files and connections open in all.
    pub(crate) fn with_descriptors(descriptors: u32) -> Server {
        Server::new(&[], &[], Some(descriptors))
    }

    /// Further words of the command line, and variables of the environment.
    pub(crate) fn with(options: &[&str], environment: &[(&str, &str)]) -> Server {
        Server::new(options, environment, None)
    }

    fn new(options: &[&str], environment: &[(&str, &str)], descriptors: Option<u32>) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let options = options.iter().map(|word| (*word).to_owned()).collect();
        let environment = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let child = Command::new("true").spawn().unwrap();
        let mut server = Server {
            child,
            address: String::new(),
            listen: "127.0.0.1:0".to_owned(),
            directory,
            options,
            environment,
            descriptors,
        };
        server.restart();
        server
    }

    /// Starts the broker (again) on the same data, on a new port. The process before must have ended.
    pub(crate) fn restart(&mut self) {
        self.begin();
        let ready = self.ready_file();
        self.address = wait::some("the broker to be ready", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the broker ended with {status}:\n{}", self.log());
            }
            let text = fs::read_to_string(&ready).ok()?;
            text.split_whitespace()
                .find(|word| word.contains(':'))
                .map(str::to_owned)
        });
    }

    /// The same where clients that stay look for it: on its old port.
    pub(crate) fn restart_in_place(&mut self) {
        self.listen.clone_from(&self.address);
        self.restart();
    }

    /// As `restart`, without waiting for the broker to be ready.
    pub(crate) fn begin(&mut self) {
        self.child.wait().unwrap();
        let ready = self.ready_file();
        let _ = fs::remove_file(&ready);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut command = match self.descriptors {
            None => ottla(),
            Some(max) => limited(max),
        };
        command.arg("server");
        // `--listen` and `--data-dir` would count more than what a test asks for.
        let asks_for = |key: &str| self.options.iter().any(|option| option.starts_with(key));
        if !asks_for("listeners=") {
            command.args(["--listen", &self.listen]);
        }
        if !asks_for("log.dirs=") {
            command.arg("--data-dir").arg(self.data());
        }
        command.arg("--ready-file").arg(&ready).args(&self.options);
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = command.spawn().unwrap();
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where the listener is that stands last in the configuration.
    pub(crate) fn last_address(&self) -> String {
        let ready = fs::read_to_string(self.ready_file()).unwrap();
        ready.lines().last().unwrap_or_default().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, it: Signal) {
        signal(&self.child, it);
    }

    /// What the broker said on stderr so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn ready_file(&self) -> PathBuf {
        self.directory.path().join("ready")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// `kill -9`
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the broker to end; `wait` tells how it did.
    pub(crate) fn terminate(&self) {
        terminate(&self.child);
    }

    /// Waits for the broker to end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait::some("the broker to end", || self.child.try_wait().unwrap())
    }

    /// Standard output of a tool that must succeed; its words are split at spaces and the bootstrap server is added.
    pub(crate) fn tool(&self, line: &str) -> String {
        self.tool_with_input(line, "")
    }

    pub(crate) fn tool_with_input(&self, line: &str, input: &str) -> String {
        let output = self.try_tool(line, input);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{line}: {}\n{stderr}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn try_tool(&self, line: &str, input: &str) -> Output {
        let mut command = ottla();
        command
            .args(line.split_whitespace())
            .args(["--bootstrap-server", &self.address]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // A tool that ends before it has read everything breaks the pipe; its status tells why.
        let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn terminate(child: &Child) {
    signal(child, Signal::TERM);
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub(crate) fn ottla() -> Command {
    with_own_environment(Command::new(binary()))
}

/// One that hears of a hangup, also where whoever runs the tests has that signal ignored, which is inherited.
pub(crate) fn ottla_with_hangup() -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP").arg(binary());
    with_own_environment(command)
}

/// The one that was built with the tests, unless `OTTLA_BIN` names another, by its whole path.
fn binary() -> OsString {
    std::env::var_os("OTTLA_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_ottla").into())
}

/// The binary with no more than so many descriptors.
fn limited(descriptors: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(binary());
    with_own_environment(command)
}

fn with_own_environment(mut command: Command) -> Command {
    // The tests must not depend on what the caller's environment configures.
    for (key, _) in
        std::env::vars().filter(|(key, _)| key.starts_with("KAFKA_") || key.starts_with("OTTLA_"))
    {
        command.env_remove(key);
    }
    // Where tools leave files for later, and where no contexts are.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}
