//! Brokers that run for the length of a part: ours and the reference's, each in a directory of its own.
//!
//! Always: the process is ended by its id and the directory removed when the value is dropped.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::{ottla, peer};
use crate::ports;
use crate::shell::{root, run};

const CLUSTER_ID: &str = "b3R0bGEtcmVmLWNsdXN0ZQ";

/// How a Java process ends that SIGTERM has ended in good order.
const JVM_TERMINATED: i32 = 143;

/// Where Kafka finds the voters of its quorum: `controller.quorum.voters`, or what its log says since KIP-853.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Voters {
    Configured,
    InTheLog,
}

pub(crate) struct Broker {
    pub(crate) address: String,
    directory: TempDir,
    child: Child,
}

/// What is told to our broker, which has to end in good order afterwards.
pub(super) fn with_ours(tell: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let broker = Broker::ours()?;
    tell(&broker.address)?;
    broker.stop().map(drop)
}

/// The same for Apache Kafka.
pub(super) fn with_kafka(tell: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    tell(&Broker::kafka()?.address)
}

impl Broker {
    /// Our broker on a free port, with the settings that the conformance suites expect.
    pub(super) fn ours() -> Result<Broker> {
        Self::ours_in(&["data"])
    }

    /// Likewise, with these log directories.
    pub(super) fn ours_in(log_dirs: &[&str]) -> Result<Broker> {
        let directory = tempfile::tempdir()?;
        let paths = log_dirs.iter().map(|name| directory.path().join(name));
        let paths: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        let ready = directory.path().join("ready");
        let mut command = Command::new(ottla());
        command.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(paths.join(",")).arg("--ready-file").arg(&ready);
        command.arg("--override").args(profile()?);
        Self::when_ready(command, directory)
    }

    /// Our broker with nothing configured; the command is the binary, or a program that runs it.
    pub(crate) fn ours_bare(mut command: Command) -> Result<Broker> {
        let directory = tempfile::tempdir()?;
        let ready = directory.path().join("ready");
        command.args(["server", "--ephemeral", "--listen", "127.0.0.1:0"]);
        command.arg("--ready-file").arg(&ready);
        Self::when_ready(command, directory)
    }

    /// Our broker, once it has written its ready file.
    fn when_ready(mut command: Command, directory: TempDir) -> Result<Broker> {
        let ready = directory.path().join("ready");
        let mut child = start(&mut command, directory.path())?;
        let address = wait(
            &mut child,
            directory.path(),
            Duration::from_secs(30),
            || {
                let text = fs::read_to_string(&ready).ok()?;
                text.split_whitespace()
                    .find(|word| word.contains(':'))
                    .map(str::to_owned)
            },
        )?;
        Ok(Broker {
            address,
            directory,
            child,
        })
    }

    /// Apache Kafka, one combined node.
    pub(super) fn kafka() -> Result<Broker> {
        Self::kafka_on(tempfile::tempdir()?, free_ports()?, Voters::Configured, &[])
    }

    /// Apache Kafka on what another broker has left in a directory, with more settings than the usual ones.
    pub(super) fn kafka_on(
        directory: TempDir,
        ports: [u16; 2],
        voters: Voters,
        settings: &[&str],
    ) -> Result<Broker> {
        let [port, controller] = ports;
        let mut command = peer::command("server-start");
        command
            .arg(port.to_string())
            .arg(directory.path().join("data"))
            .args(settings);
        command.env("CONTROLLER_PORT", controller.to_string());
        if voters == Voters::InTheLog {
            command.env("STANDALONE", "1");
        }
        command.env("KAFKA_HEAP_OPTS", "-Xms256m -Xmx512m");
        let mut child = start(&mut command, directory.path())?;
        let log = directory.path().join("log");
        wait(
            &mut child,
            directory.path(),
            Duration::from_secs(120),
            || {
                let ready = fs::read_to_string(&log)
                    .ok()?
                    .contains("Kafka Server started");
                (ready && TcpStream::connect(("127.0.0.1", port)).is_ok()).then_some(())
            },
        )?;
        Ok(Broker {
            address: format!("127.0.0.1:{port}"),
            directory,
            child,
        })
    }

    /// A controller of Apache Kafka's that follows the quorum at `active` and is none of its voters. Its address is that of its
    /// controller listener.
    pub(super) fn kafka_controller(active: &str, id: i32) -> Result<Broker> {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        fs::create_dir(&data)?;
        let [port, _] = free_ports()?;
        let address = format!("127.0.0.1:{port}");
        let lines = [
            "process.roles=controller".to_owned(),
            format!("node.id={id}"),
            format!("controller.quorum.bootstrap.servers={active}"),
            format!("listeners=CONTROLLER://{address}"),
            format!("advertised.listeners=CONTROLLER://{address}"),
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT".to_owned(),
            "controller.listener.names=CONTROLLER".to_owned(),
            format!("log.dirs={}", data.join("logs").display()),
        ];
        let config = data.join("server.properties");
        fs::write(&config, lines.join("\n"))?;
        let mut format = peer::command("kafka-storage");
        format.args(["format", "--cluster-id", CLUSTER_ID]);
        format.arg("--no-initial-controllers");
        run(format.arg("--config").arg(&config))?;
        let mut command = peer::command("kafka-run");
        command.arg("kafka.Kafka").arg(&config);
        command.env("KAFKA_HEAP_OPTS", "-Xms128m -Xmx256m");
        let mut child = start(&mut command, directory.path())?;
        let limit = Duration::from_secs(120);
        wait(&mut child, directory.path(), limit, || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        })?;
        Ok(Broker {
            address,
            directory,
            child,
        })
    }

    /// Our broker on what Apache Kafka has left in a directory, with Kafka's own configuration file.
    pub(super) fn ours_on(directory: TempDir) -> Result<Broker> {
        let ready = directory.path().join("ready");
        let mut command = Command::new(ottla());
        command
            .arg("server")
            .arg(directory.path().join("data/server.properties"))
            .arg("--ready-file")
            .arg(&ready);
        let _ = fs::remove_file(&ready);
        Self::when_ready(command, directory)
    }

    /// Our broker on a new directory that Kafka's tool has formatted with another level of a feature, as in
    /// `transaction.version=0`.
    pub(super) fn ours_formatted(feature: &str) -> Result<Broker> {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        fs::create_dir(&data)?;
        let config = data.join("server.properties");
        let [port, controller] = free_ports()?;
        let mut lines = profile()?;
        lines.extend([
            "process.roles=broker,controller".to_owned(),
            format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
            "controller.listener.names=CONTROLLER".to_owned(),
            format!("controller.quorum.voters=0@127.0.0.1:{controller}"),
            format!("log.dirs={}", data.join("logs").display()),
        ]);
        fs::write(&config, lines.join("\n"))?;
        let mut format = peer::command("kafka-storage");
        format.args(["format", "--cluster-id", CLUSTER_ID]);
        format.args(["--feature", feature, "--config"]).arg(&config);
        run(&mut format)?;
        Self::ours_on(directory)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Waits until a checkpoint of Kafka's, a text file of its log directory, has a line.
    pub(super) fn await_checkpoint(&self, file: &str, line: &str) -> Result<()> {
        let path = self.data().join("logs").join(file);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = fs::read_to_string(&path);
            if text.is_ok_and(|text| text.lines().any(|found| found == line)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{file} did not say \"{line}\" within 60 s");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it without a word, as `kill -9` does.
    pub(super) fn kill(mut self) -> Result<TempDir> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(std::mem::replace(&mut self.directory, tempfile::tempdir()?))
    }

    /// Asks for an orderly end and checks that it is one.
    pub(crate) fn stop(mut self) -> Result<TempDir> {
        let pid = self.child.id().to_string();
        Command::new("kill").arg(&pid).status()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() || status.code() == Some(JVM_TERMINATED) => break,
                Some(status) => bail!(
                    "the broker ended with {status}:\n{}",
                    log_tail(self.directory.path())
                ),
                None if Instant::now() > deadline => {
                    bail!("the broker did not end within 60 s of SIGTERM")
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
        // Keeps the files for whoever stopped the broker to read them.
        Ok(std::mem::replace(&mut self.directory, tempfile::tempdir()?))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn profile() -> Result<Vec<String>> {
    let path = "tests/interop/conformance/profile.properties";
    let text = fs::read_to_string(root().join(path)).context(path)?;
    Ok(text
        .lines()
        .filter(|line| line.contains('=') && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

fn start(command: &mut Command, directory: &Path) -> Result<Child> {
    let log = File::create(directory.join("log"))?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().with_context(|| format!("{command:?}"))
}

fn wait<T>(
    child: &mut Child,
    directory: &Path,
    limit: Duration,
    ready: impl Fn() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return Ok(value);
        }
        if let Some(status) = child.try_wait()? {
            bail!(
                "the broker ended early ({status}):\n{}",
                log_tail(directory)
            );
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            bail!(
                "the broker was not ready within {limit:?}:\n{}",
                log_tail(directory)
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn log_tail(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

pub(super) fn free_ports() -> Result<[u16; 2]> {
    Ok([ports::free()?, ports::free()?])
}
