//! The broker of a run: a process of this binary. It ends, and removes what it wrote, when its standard input does, and
//! so when whoever started it is killed. What the terminal's keys send does not reach it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ottla_cli::{Context, Failure, Stop};
use ottla_config::resolve::BrokerConfig;
use ottla_server::Started;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::failed;
use super::scratch::Scratch;
use crate::server_start;

/// The first word of a call by `spawn`.
pub(crate) const WORD: &str = "--run-broker";

/// What is fit for one that lives for the length of a test; `--override` counts more.
const CONFIG: &[(&str, &str)] = &[
    ("ottla.durability", "memory"),
    // The first consumer of a group waits for no others.
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "1"),
    ("transaction.state.log.num.partitions", "1"),
];

/// How much of its log is shown where it fails.
const LOG_SHOWN_LINES: usize = 20;

pub(super) struct Broker {
    child: Child,
    /// Where it says its address, and nothing ever after.
    said: BufReader<Receiver>,
    address: String,
    log: PathBuf,
    /// Removed last.
    _scratch: Scratch,
}

pub(super) fn binary() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| failed(format!("Cannot tell where this binary is: {error}")))
}

impl Broker {
    pub(super) fn spawn(
        listen: &str,
        overrides: &[(String, String)],
        log: Option<&Path>,
    ) -> Result<Self, Failure> {
        let cannot = |what: &str, error: io::Error| failed(format!("Cannot {what}: {error}"));
        let scratch =
            Scratch::new().map_err(|error| cannot("make a temporary directory", error))?;
        let log = log.map_or_else(|| scratch.path().join("log"), Path::to_owned);
        let log_file = File::create(&log)
            .map_err(|error| cannot(&format!("write {}", log.display()), error))?;
        let pairs = [("listeners".to_owned(), format!("PLAINTEXT://{listen}"))];
        let mut child = Command::new(binary()?)
            .arg0("ottla")
            .arg(WORD)
            .arg(scratch.path())
            .args(
                pairs
                    .iter()
                    .chain(overrides)
                    .map(|(key, value)| format!("{key}={value}")),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .process_group(0)
            .spawn()
            .map_err(|error| cannot("start the broker", error))?;
        let said = child.stdout.take().map(OwnedFd::from);
        let said = said.and_then(|pipe| Receiver::from_owned_fd(pipe).ok());
        let Some(said) = said else {
            child.kill().ok();
            return Err(failed("Cannot listen to the broker."));
        };
        Ok(Self {
            child,
            said: BufReader::new(said),
            address: String::new(),
            log,
            _scratch: scratch,
        })
    }

    /// Waits until it answers.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let mut line = String::new();
        self.said.read_line(&mut line).await.ok();
        match line.strip_suffix('\n') {
            Some(address) => {
                address.clone_into(&mut self.address);
                Ok(())
            }
            None => Err(self.failure("The broker did not start")),
        }
    }

    /// Where it is reached; empty before it is ready.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for it to end, which it does not of itself.
    pub(super) async fn ended(&mut self) {
        let mut line = String::new();
        while self
            .said
            .read_line(&mut line)
            .await
            .is_ok_and(|read| read > 0)
        {
            line.clear();
        }
    }

    /// With the last of what it logged.
    pub(super) fn failure(&self, what: &str) -> Failure {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let shown = lines.len().saturating_sub(LOG_SHOWN_LINES);
        let failure = failed(format!("{what}."));
        lines
            .iter()
            .skip(shown)
            .fold(failure, |failure, line| failure.hint(*line))
    }
}

impl Drop for Broker {
    /// Nobody asks for anything it has: there is nothing to end in good order.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The other side of `spawn`: a broker until standard input ends.
pub(crate) fn serve(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let [scratch, given @ ..] = words else {
        return Err(Stop::failed(format!("{WORD} is for `ottla run` alone.")));
    };
    let scratch = PathBuf::from(scratch);
    let data = scratch.join("data").display().to_string();
    let config = CONFIG.iter().copied().chain([("log.dirs", data.as_str())]);
    let config = config.chain(given.iter().filter_map(|pair| pair.split_once('=')));
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let loggers = server_start::start_logging("info", false)
        .map_err(|error| server_start::refusal(&error))?;
    let config = BrokerConfig::load(config.collect::<Vec<_>>());
    let config = config.map_err(|error| server_start::refusal(&error.into()))?;
    server_start::tell_meant(&config);
    std::thread::spawn(move || end_with_input(&scratch));
    let served = server_start::until_signal(config, loggers, async |started: &Started| {
        let first = started.listeners.first();
        let address = first.map_or_else(String::new, |(_, address)| server_start::reach(*address));
        writeln!(cx.out, "{address}")?;
        Ok(cx.flush()?)
    });
    served.map_err(|error| server_start::refusal(&error))
}

/// Files that the broker makes meanwhile keep a folder from going, but not for long.
fn end_with_input(scratch: &Path) {
    const TRIES: usize = 100;
    let mut read = [0; 16];
    while io::stdin().read(&mut read).is_ok_and(|read| read > 0) {}
    for _ in 0..TRIES {
        if fs::remove_dir_all(scratch).is_ok() || !scratch.exists() {
            break;
        }
    }
    std::process::exit(0);
}
