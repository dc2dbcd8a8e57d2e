//! `ottla run -- COMMAND`: a command with a broker of its own, for as long as it runs.
//!
//! Always: the broker answers and the topics are there before the command begins; the exit status is the command's (128
//! and the signal's number where one ended it), or 125 where there was no way to run it, 126 and 127 as shells have them;
//! afterwards there is no process and no directory, whoever is killed how. The broker keeps what it acknowledges in
//! memory only as far as the operating system does: nobody outlives the command to ask for it.

pub(crate) mod broker;
pub(crate) mod child;
mod scratch;
mod signals;
mod topics;

use std::path::PathBuf;

use clap::{ArgAction, Parser};
use ottla_cli::declare::{Declared, Topic};
use ottla_cli::verb::nearest_option;
use ottla_cli::{Context, Failure, Stop, Tool, context, verb};

use crate::server_start;
use broker::Broker;
use signals::Signals;

pub(crate) const TOOL: Tool = Tool {
    name: "run",
    link: "ottla-run",
    about: "Run a command with a broker of its own, which is gone afterwards",
    command: <Args as clap::CommandFactory>::command,
    run,
};

/// As `timeout` and `env` have it: this is no answer of the command.
pub(crate) const FAILED: u8 = 125;

/// What the command finds the broker's address in.
const VARIABLES: &[&str] = &[
    "BOOTSTRAP_SERVERS",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_BROKERS",
    "RPK_BROKERS",
    "SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS",
    "SPRING_EMBEDDED_KAFKA_BROKERS",
    "SPRING_KAFKA_BOOTSTRAP_SERVERS",
];

/// Run a command with a broker of its own, which is gone afterwards.
///
/// The command finds the address in KAFKA_BOOTSTRAP_SERVERS, BOOTSTRAP_SERVERS, KAFKA_BROKERS, RPK_BROKERS,
/// SPRING_KAFKA_BOOTSTRAP_SERVERS, SPRING_EMBEDDED_KAFKA_BROKERS and SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS. The exit status
/// is the command's, 128 and the signal's number where a signal ended it; 125 where the broker did not start or the options are
/// wrong, 126 where the command cannot be run, 127 where there is none of that name.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-run",
    disable_version_flag = true,
    after_help = "\
Examples:
  ottla run -- pytest -q
  ottla run --topic orders:3 --topic prices:1:cleanup.policy=compact -- mvn -q verify
  ottla run --env MY_KAFKA -- sh -c 'ottla topics --bootstrap-server $MY_KAFKA --list'"
)]
struct Args {
    /// A topic to begin with, as NAME, NAME:PARTITIONS or NAME:PARTITIONS:KEY=VALUE,KEY=VALUE; may be repeated
    #[arg(long, value_name = "TOPIC", value_parser = topics::parse, action = ArgAction::Append)]
    topic: Vec<(String, Topic)>,
    /// A file that says topics and group offsets as `ottla topics apply` has it (its cluster_id does not count); may be repeated
    #[arg(short = 'f', long, value_name = "FILE", action = ArgAction::Append)]
    file: Vec<String>,
    /// A configuration of the broker; may be repeated
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value, action = ArgAction::Append)]
    overrides: Vec<(String, String)>,
    /// One more variable of the environment to put the broker's address into; may be repeated
    #[arg(long, value_name = "NAME", value_parser = variable, action = ArgAction::Append)]
    env: Vec<String>,
    /// Where the broker listens; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// Keep what the broker logs here; it is shown on standard error only where the broker fails
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The command and its own options
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("not KEY=VALUE".to_owned()),
    }
}

fn variable(name: &str) -> Result<String, String> {
    match name.is_empty() || name.contains(['=', '\0']) {
        true => Err("no name of a variable".to_owned()),
        false => Ok(name.to_owned()),
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some(args) = verb::parse::<Args>(words, FAILED, cx)? else {
        return Ok(());
    };
    check_command(words, &args.command)?;
    let declared =
        topics::declared(&args.file, &args.topic).map_err(|failure| failure.status(FAILED))?;
    // One thread, that of `main`: the command is told of the end of the thread that has started it.
    let status = context::block_on(whole(&args, &declared, cx))??;
    Err(Stop::Status(status))
}

/// What looks like an option and stands before `--` is none of the command's: it is one that there is not.
fn check_command(words: &[String], command: &[String]) -> Result<(), Failure> {
    let mut before = words.iter().take_while(|word| *word != "--");
    match command.first() {
        Some(first) if first.starts_with('-') && before.any(|word| word == first) => {
            let failure = failed(format!("unexpected argument '{first}' found"));
            let nearest = nearest_option(first, &<Args as clap::CommandFactory>::command());
            Err(nearest.into_iter().fold(failure, Failure::hint))
        }
        _ => Ok(()),
    }
}

async fn whole(args: &Args, declared: &Declared, cx: &mut Context) -> Result<u8, Stop> {
    let mut signals = Signals::listen().map_err(|error| failed(format!("No signals: {error}")))?;
    let prepared = tokio::select! {
        prepared = prepare(args, declared, cx) => prepared?,
        signal = signals.next() => return Ok(signals::status(signal)),
    };
    let mut broker = prepared;
    let variables = VARIABLES.iter().copied();
    let variables: Vec<&str> = variables
        .chain(args.env.iter().map(String::as_str))
        .collect();
    cx.flush()?;
    let mut child = child::spawn(&args.command, &variables, broker.address())?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(child::status(status.map_err(|error| failed(error.to_string()))?)),
            signal = signals.next() => child::pass_on(&child, signal),
            () = broker.ended() => {
                child::end(&mut child).await;
                return Err(broker.failure("The broker ended before the command did").into());
            }
        }
    }
}

/// The broker as the command shall find it.
async fn prepare(args: &Args, declared: &Declared, cx: &mut Context) -> Result<Broker, Stop> {
    let mut broker = Broker::spawn(&args.listen, &args.overrides, args.log.as_deref())?;
    broker.ready().await?;
    if *declared != Declared::default() {
        server_start::apply(declared, broker.address(), cx)
            .await
            .map_err(|failure| failure.status(FAILED))?;
    }
    Ok(broker)
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(message).status(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("ottla-run").chain(line.split(' ')))
    }

    #[test]
    fn the_commands_options_are_its_own() {
        for line in ["--topic a -- ls --topic b", "--topic a ls --topic b"] {
            let args = parsed(line).unwrap();
            assert_eq!(args.topic.len(), 1);
            assert_eq!(args.command, ["ls", "--topic", "b"]);
        }
        assert!(parsed("--topic a").is_err());
        assert!(parsed("--override a ls").is_err());
        assert!(parsed("--env A=b ls").is_err());
    }
}
