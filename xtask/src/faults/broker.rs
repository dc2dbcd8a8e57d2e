//! A broker that is broken and started again on the same port, so that its clients find it.
//!
//! Always: the process is ended by its id when the value is dropped; the directory is the scenario's.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::interop::ottla;
use crate::ports;

/// Beyond this a start or a stop is a failure; what is aimed at is the scenario's business.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Broker {
    port: u16,
    data: PathBuf,
    directory: PathBuf,
    /// Words before the broker's own command line (`prlimit …`); what they name must replace itself by the broker.
    under: Vec<String>,
    settings: Vec<String>,
    environment: Vec<(String, OsString)>,
    child: Option<Child>,
    /// How the last process ended, if we did not end it.
    last: Option<ExitStatus>,
}

impl Broker {
    /// Keeps its log in `directory`, and its data below it unless `data_in` names another place.
    pub(super) fn new(directory: &Path) -> Result<Broker> {
        Ok(Broker {
            port: ports::free()?,
            data: directory.join("data"),
            directory: directory.to_owned(),
            under: Vec::new(),
            settings: Vec::new(),
            environment: Vec::new(),
            child: None,
            last: None,
        })
    }

    pub(super) fn data_in(mut self, data: PathBuf) -> Broker {
        self.data = data;
        self
    }

    /// Of the form `key=value`.
    pub(super) fn with(mut self, settings: &[&str]) -> Broker {
        self.settings
            .extend(settings.iter().map(|setting| (*setting).to_owned()));
        self
    }

    pub(super) fn under(mut self, words: &[&str]) -> Broker {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Says what it says in a file of its own: for a second broker in one directory.
    pub(super) fn apart(mut self, name: &str) -> Result<Broker> {
        self.directory = self.directory.join(name);
        fs::create_dir(&self.directory)?;
        Ok(self)
    }

    /// For the next start and those after it.
    pub(super) fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.unset_env(name);
        self.environment.push((name.to_owned(), value.into()));
    }

    pub(super) fn unset_env(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the broker does not run")?.id())
    }

    /// Starts and waits until it serves; how long that took.
    pub(super) fn start(&mut self) -> Result<Duration> {
        let started = Instant::now();
        self.spawn()?;
        loop {
            if self.ready_file().exists() {
                return Ok(started.elapsed());
            }
            if let Some(status) = self.ended()? {
                bail!(
                    "the broker ended with {status} instead of serving:\n{}",
                    self.log_tail()
                );
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "the broker does not serve after {PATIENCE:?}:\n{}",
                self.log_tail()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts without waiting.
    pub(super) fn spawn(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the broker runs already");
        let _ = fs::remove_file(self.ready_file());
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut words: Vec<OsString> = self.under.iter().map(OsString::from).collect();
        words.push(ottla().into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["server", "--listen", &self.address(), "--data-dir"]);
        command
            .arg(&self.data)
            .arg("--ready-file")
            .arg(self.ready_file());
        if !self.settings.is_empty() {
            command.arg("--override").args(&self.settings);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.last = None;
        self.child = Some(command.spawn().with_context(|| format!("{command:?}"))?);
        Ok(())
    }

    /// `kill -9`. A broker that is gone already is as dead as it gets.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM; how long an orderly end took.
    pub(super) fn stop(&mut self) -> Result<Duration> {
        let started = Instant::now();
        self.signal("TERM")?;
        let status = self.wait(PATIENCE)?;
        ensure!(
            status.success(),
            "the broker ended with {status}:\n{}",
            self.log_tail()
        );
        Ok(started.elapsed())
    }

    pub(super) fn signal(&self, name: &str) -> Result<()> {
        signal(name, self.pid()?)
    }

    /// Waits for the broker to end by itself.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "the broker still runs after {limit:?}:\n{}",
                self.log_tail()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// How it ended, if it did by itself.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if let Some(child) = &mut self.child {
            self.last = child.try_wait()?;
            if self.last.is_some() {
                self.child = None;
            }
        }
        Ok(self.last)
    }

    /// Standard output of one of our tools, which must succeed; words are split at spaces.
    pub(super) fn tool(&self, line: &str) -> Result<String> {
        let output = self.try_tool(line)?;
        ensure!(
            output.status.success(),
            "{line}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(super) fn try_tool(&self, line: &str) -> Result<Output> {
        let mut command = self.tool_command(line);
        command.output().with_context(|| line.to_owned())
    }

    /// As `tool`, but given up when the broker ends.
    pub(super) fn tool_while_it_lives(&mut self, line: &str) -> Result<String> {
        let mut command = self.tool_command(line);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        while child.try_wait()?.is_none() {
            if let Some(status) = self.ended()? {
                child.kill()?;
                child.wait()?;
                bail!("{line}: the broker ended with {status}");
            }
            thread::sleep(Duration::from_millis(1));
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {}\n{said}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    fn tool_command(&self, line: &str) -> Command {
        let mut command = Command::new(ottla());
        command
            .args(line.split_whitespace())
            .args(["--bootstrap-server", &self.address()])
            .stdin(Stdio::null());
        command
    }

    pub(super) fn create_topic(
        &self,
        topic: &str,
        partitions: usize,
        configs: &[&str],
    ) -> Result<()> {
        let configs: String = configs
            .iter()
            .map(|config| format!(" --config {config}"))
            .collect();
        self.tool(&format!(
            "topics --create --topic {topic} --partitions {partitions}{configs}"
        ))
        .map(drop)
    }

    /// What the broker said since the scenario began.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn ready_file(&self) -> PathBuf {
        self.directory.join("ready")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Nobody is left to hear of an error.
        let _ = self.kill();
    }
}

pub(super) fn signal(name: &str, process: u32) -> Result<()> {
    let status = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()?;
    ensure!(status.success(), "kill -s {name}: {status}");
    Ok(())
}
