//! The metadata quorum (KIP-853): Kafka's tool and ours add a controller to a quorum of Kafka's and remove it again, word
//! for word.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::process::{Broker, Voters, free_ports};
use super::{ottla, peer};
use crate::shell::{render, stdout};

/// How long a new controller may need to follow the log.
const JOINS_WITHIN: Duration = Duration::from_secs(60);

/// What a tool has said on standard output, and the first line of its refusal.
type Said = (String, Option<String>);

/// What one tool does the other undoes, through the active controller and through the one in question.
pub(super) fn a_controller_comes_and_goes() -> Result<()> {
    let ports = free_ports()?;
    let first = Broker::kafka_on(tempfile::tempdir()?, ports, Voters::InTheLog, &[])?;
    let at_first = format!("127.0.0.1:{}", ports[1]);
    let second = Broker::kafka_controller(&at_first, 2)?;
    let config = second.data().join("server.properties");
    let at_second = second.address.clone();
    await_observer(&first)?;
    let directory = directory_id(&second)?;
    let add = |who: fn() -> Command, at: &str| -> Result<Said> {
        let mut command = who();
        command.arg("--command-config").arg(&config);
        command.args(["--bootstrap-controller", at, "add-controller"]);
        said(&mut command)
    };
    let remove = |who: fn() -> Command, at: &str| -> Result<Said> {
        let mut command = who();
        command.args(["--bootstrap-controller", at, "remove-controller"]);
        command.args([
            "--controller-id",
            "2",
            "--controller-directory-id",
            &directory,
        ]);
        said(&mut command)
    };
    let added = add(ours, &at_first)?;
    same(
        "adding twice",
        &add(ours, &at_first)?,
        &add(kafkas, &at_first)?,
    )?;
    let removed = remove(kafkas, &at_first)?;
    same("adding", &added, &add(kafkas, &at_second)?)?;
    same("removing", &remove(ours, &at_second)?, &removed)?;
    same(
        "removing twice",
        &remove(ours, &at_first)?,
        &remove(kafkas, &at_first)?,
    )?;
    ensure!(added.1.is_none() && removed.1.is_none(), "{added:?}");
    Ok(())
}

fn same(what: &str, ours: &Said, kafkas: &Said) -> Result<()> {
    ensure!(
        ours == kafkas,
        "{what}: ours said {ours:?}, Kafka's {kafkas:?}"
    );
    Ok(())
}

fn ours() -> Command {
    let mut command = Command::new(ottla());
    command.arg("metadata-quorum");
    command
}

fn kafkas() -> Command {
    peer::command("kafka-metadata-quorum")
}

fn said(command: &mut Command) -> Result<Said> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| render(command))?;
    let text = String::from_utf8(output.stdout)?;
    let refusal = String::from_utf8(output.stderr)?;
    let refusal = refusal.lines().find(|line| !line.starts_with('['));
    let refusal = refusal.unwrap_or_default().to_owned();
    // The order of voters within a refusal comes from a hash map.
    let refusal = refusal.split(" set of voters ").next().map(str::to_owned);
    Ok((text, refusal.filter(|_| !output.status.success())))
}

fn await_observer(broker: &Broker) -> Result<()> {
    let deadline = Instant::now() + JOINS_WITHIN;
    loop {
        let mut command = ours();
        command.args(["--bootstrap-server", &broker.address]);
        let seen = stdout(command.args(["describe", "--replication"]))?;
        if seen.contains("Observer") {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the new controller does not follow:\n{seen}");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn directory_id(broker: &Broker) -> Result<String> {
    let text = fs::read_to_string(broker.data().join("logs/meta.properties"))?;
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("directory.id="));
    Ok(id.context("no directory.id")?.to_owned())
}
