//! `-daemon`: a broker that goes on when who has started it is gone, as that of `kafka-server-start.sh -daemon`.
//!
//! It is a process of this binary in a session of its own, without a terminal; what it says stands in `kafkaServer.out` in the
//! folder that `LOG_DIR` names (`logs` where nothing does). Unlike the reference's script, which returns before anything has begun,
//! this one waits until the broker is ready, and fails with the reason where it ends before.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use ottla_cli::{Context, Stop};

/// How scripts ask for it, before everything else.
pub(super) const OPTION: &str = "-daemon";

/// The first word of a call by `start`.
pub(crate) const WORD: &str = "--run-daemon";

const LOG_DIR_VARIABLE: &str = "LOG_DIR";
const LOG_DIR: &str = "logs";
const LOG_FILE: &str = "kafkaServer.out";

/// How much of its log is shown where it fails.
const LOG_SHOWN_LINES: usize = 20;

/// Starts a broker with the same options, and returns when it is ready.
pub(super) fn start(words: &[String], cx: &mut Context) -> anyhow::Result<()> {
    let dir = std::env::var_os(LOG_DIR_VARIABLE).filter(|dir| !dir.is_empty());
    let dir = dir.map_or_else(|| PathBuf::from(LOG_DIR), PathBuf::from);
    let path = dir.join(LOG_FILE);
    let mut log = fs::create_dir_all(&dir)
        .and_then(|()| File::create(&path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let binary = std::env::current_exe().context("cannot tell where this binary is")?;
    let mut broker = Command::new(binary)
        .arg0("ottla")
        .arg(WORD)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.try_clone()?)
        .spawn()
        .context("cannot start a process")?;
    let mut said = BufReader::new(broker.stdout.take().context("the broker is mute")?);
    // The screen, in one piece, when it is ready; nothing before and nothing after.
    let screen = said.fill_buf()?;
    if screen.is_empty() {
        broker.wait()?;
        bail!("the broker did not start\n{}", last_lines(&path));
    }
    log.write_all(screen)?;
    let (pid, path) = (broker.id(), path.display());
    cx.warn(format!(
        "The broker runs in the background as process {pid}; what it says stands in {path}."
    ));
    Ok(())
}

/// The other side of `start`: a broker that no terminal's end reaches.
pub(crate) fn serve(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    rustix::process::setsid()
        .map_err(|error| Stop::failed(format!("cannot begin a session: {error}")))?;
    super::run(words, cx)
}

fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.len().saturating_sub(LOG_SHOWN_LINES);
    lines[shown..].join("\n")
}
