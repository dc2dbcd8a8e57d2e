//! The command: started by way of this binary, which asks to be killed with its parent and then becomes the command.

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ottla_cli::{Context, Failure, Stop};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::{failed, signals};

/// The first word of a call by `spawn`.
pub(crate) const WORD: &str = "--run-command";

/// How long a command may take to end that has lost its broker.
const END_MAX: Duration = Duration::from_secs(10);

pub(super) fn spawn(
    command: &[String],
    variables: &[&str],
    address: &str,
) -> Result<Child, Failure> {
    let binary = super::broker::binary()?;
    Command::new(binary)
        .arg0("ottla")
        .args([WORD, &std::process::id().to_string()])
        .args(command)
        .envs(variables.iter().map(|name| (name, address)))
        .stdin(Stdio::inherit())
        .spawn()
        .map_err(|error| failed(format!("Cannot start a process: {error}")))
}

/// The other side of `spawn`. Returns only where there is no such command.
pub(crate) fn exec(words: &[String], _: &mut Context) -> Result<(), Stop> {
    let [parent, program, arguments @ ..] = words else {
        return Err(Stop::failed(format!("{WORD} is for `ottla run` alone.")));
    };
    let kept = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    kept.map_err(|error| failed(format!("Cannot be bound to the parent process: {error}")))?;
    // The parent may have gone before that.
    let actual = rustix::process::getppid().map_or(0, Pid::as_raw_pid);
    if actual.to_string() != *parent {
        return Err(Stop::Status(signals::status(Signal::KILL)));
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    let status = match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    };
    Err(Failure::new(format!("Cannot run {program}: {error}"))
        .status(status)
        .into())
}

pub(super) fn status(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        (None, None) => u8::MAX,
    }
}

/// What a key of the terminal sends goes to all processes in its foreground, to the command as well, and twice would be
/// too often for those that end at once when they are asked again.
pub(super) fn pass_on(child: &Child, signal: Signal) {
    let from_terminal = matches!(signal, Signal::INT | Signal::QUIT) && is_in_foreground();
    if !from_terminal {
        send(child, signal);
    }
}

fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    let foreground = terminal.map(rustix::termios::tcgetpgrp);
    matches!(foreground, Ok(Ok(group)) if group == rustix::process::getpgrp())
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    if let Some(pid) = pid {
        // That it has ended by now is what `wait` will tell.
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// Asks the command to end, and insists.
pub(super) async fn end(child: &mut Child) {
    send(child, Signal::TERM);
    if tokio::time::timeout(END_MAX, child.wait()).await.is_err() {
        child.kill().await.ok();
    }
}
