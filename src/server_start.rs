//! `ottla server`, `kafka-server-start.sh`: runs a broker until a signal ends it.
//!
//! Where a value comes from, the weakest first: built-in defaults for one node, `OTTLA_DATA_DIR`, the configuration
//! file, `KAFKA_*` variables, `--override`, `--data-dir` and `--listen`.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ottla_cli::declare::{self, Declared};
use ottla_cli::help_text;
use ottla_cli::meant::meant;
use ottla_cli::verb::meant_option;
use ottla_cli::{Context, Failure, Stop, Tool, connect};
use ottla_client::conn::{Connecting, Endpoint, Plain, Transport};
use ottla_config::broker;
use ottla_config::resolve::{BrokerConfig, from_environment};
use ottla_server::{Loggers, Started};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, reload};

pub(crate) mod daemon;

const DATA_DIR_VARIABLE: &str = "OTTLA_DATA_DIR";
const LOG_VARIABLE: &str = "OTTLA_LOG";

pub(crate) const TOOL: Tool = Tool {
    name: "server",
    link: "kafka-server-start",
    about: "Run a broker",
    command,
    run,
};

const EXAMPLES: &str = "Examples:
  ottla server --ephemeral --listen 127.0.0.1:0
  ottla server --config server.properties --listen 127.0.0.1:0 --override num.partitions=3

As the first word, -daemon starts the broker in the background and returns when it is ready; what it says stands in
kafkaServer.out in the folder LOG_DIR, or logs. SIGTERM ends it.";

fn command() -> Command {
    let path = value_parser!(PathBuf);
    Command::new("kafka-server-start")
        .about("Run a broker. Without any option: one node, durable, on 127.0.0.1:9092, data in ./ottla-data.")
        .disable_version_flag(true)
        .after_help(EXAMPLES)
        .args([
            Arg::new("version").long("version").action(ArgAction::SetTrue).help("Print the version and end"),
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(path.clone())
                .help("Configuration: server.properties, or the same keys as YAML (.yaml, .yml)"),
            Arg::new("properties")
                .value_name("FILE")
                .value_parser(path.clone())
                .conflicts_with("config")
                .help("The same, as kafka-server-start.sh takes it"),
            Arg::new("data-dir")
                .long("data-dir")
                .value_name("DIR")
                .help("Where the data lies (log.dirs)"),
            Arg::new("listen")
                .long("listen")
                .value_name("HOST:PORT")
                .help("Where to listen (listeners); port 0 takes a free one"),
            Arg::new("override")
                .long("override")
                .value_name("KEY=VALUE")
                .num_args(0..)
                .action(ArgAction::Append)
                .help("Configuration that counts more than the file's; may be repeated"),
            Arg::new("apply")
                .long("apply")
                .value_name("FILE")
                .action(ArgAction::Append)
                .help(
                    "Make the topics, configs and group offsets of this file before the broker is ready; may be repeated. \
                     It does not start where that fails or would lose data",
                ),
            Arg::new("ready-file")
                .long("ready-file")
                .value_name("FILE")
                .value_parser(path)
                .help("Write the bound address here once the broker answers"),
            Arg::new("ephemeral")
                .long("ephemeral")
                .action(ArgAction::SetTrue)
                .conflicts_with("data-dir")
                .help("Keep everything in a temporary directory that is removed at the end"),
            Arg::new("log-format")
                .long("log-format")
                .value_name("FORMAT")
                .value_parser(["text", "json"])
                .default_value("text")
                .help("How log lines on standard error look"),
            Arg::new("log-level")
                .long("log-level")
                .value_name("LEVEL")
                .help("What is logged: error, warn, info, debug, trace, or per module; also OTTLA_LOG"),
        ])
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let (is_daemon, words) = match words.split_first() {
        Some((first, rest)) if first == daemon::OPTION => (true, rest),
        _ => (false, words),
    };
    let named = std::iter::once("kafka-server-start").chain(words.iter().map(String::as_str));
    let given = match command().try_get_matches_from(named) {
        Ok(given) => given,
        Err(error) if error.use_stderr() => {
            let lines = std::iter::once(first_line(&error));
            let lines: Vec<String> = lines.chain(meant_option(&error, &command())).collect();
            return Err(Stop::Usage(lines.join("\n")));
        }
        Err(help) => return Ok(write!(cx.out, "{}", help_text::asked(&help, &command()))?),
    };
    if given.get_flag("version") {
        return Err(Stop::Version);
    }
    let done = match is_daemon {
        true => daemon::start(words, cx),
        false => serve(&given, cx),
    };
    done.map_err(|error| refusal(&error))
}

/// Why there is no broker, or none any more.
pub(crate) fn refusal(error: &anyhow::Error) -> Stop {
    Stop::failed(reason(error))
}

/// All causes, each once: some of ours name theirs themselves. What an operator most often meets gets its remedy.
fn reason(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause_told = cause.to_string();
        if told.is_empty() {
            told = cause_told;
        } else if !told.ends_with(&cause_told) {
            let _ = write!(told, ": {cause_told}");
        }
    }
    let is_of = |kind: ErrorKind| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
        causes.any(|io: &std::io::Error| io.kind() == kind)
    };
    if is_of(ErrorKind::PermissionDenied) {
        let user = rustix::process::geteuid();
        let _ = write!(told, "; the broker runs as user {}", user.as_raw());
    }
    if is_of(ErrorKind::AddrInUse) {
        told.push_str(
            "; another broker, or another program, listens there already: end it, or choose another address with --listen",
        );
    }
    told
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn serve(given: &ArgMatches, cx: &mut Context) -> anyhow::Result<()> {
    let level = given.get_one::<String>("log-level").cloned();
    let level = level.or_else(|| std::env::var(LOG_VARIABLE).ok());
    let format = given.get_one::<String>("log-format");
    let loggers = start_logging(
        level.as_deref().unwrap_or("info"),
        format.is_some_and(|format| format == "json"),
    )?;
    let ephemeral = if given.get_flag("ephemeral") {
        Some(tempfile::tempdir().context("cannot make a temporary directory")?)
    } else {
        None
    };
    let mut pairs = pairs(given)?;
    if let Some(dir) = &ephemeral {
        pairs.push(("log.dirs".to_owned(), dir.path().display().to_string()));
    }
    let config = BrokerConfig::load(pairs)?;
    tell_meant(&config);
    let files: Vec<String> = given
        .get_many("apply")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let declared = declare::read(&files).map_err(apply_failed)?;
    let ready_file = given.get_one::<PathBuf>("ready-file");
    until_signal(config, loggers, async |started: &Started| {
        if !files.is_empty() {
            let first = started
                .listeners
                .first()
                .context("the broker listens nowhere")?;
            let applied = apply(&declared, &reach(first.1), cx).await;
            applied.map_err(apply_failed)?;
        }
        // Before the screen: whoever has seen that, as `-daemon` has when it returns, finds the file.
        if let Some(file) = ready_file {
            write_ready_file(file, started)?;
        }
        cx.out
            .write_all(screen(started, ephemeral.is_some()).as_bytes())?;
        Ok(cx.flush()?)
    })
}

/// The broker says which keys it does not know; here is what was probably meant.
pub(crate) fn tell_meant(config: &BrokerConfig) {
    for key in config.settings().unknown() {
        if let Some(known) = meant(key, broker::TABLE.iter().map(|def| def.key)) {
            tracing::warn!("configuration key {key}: did you mean {known}?");
        }
    }
}

fn apply_failed(failure: Failure) -> anyhow::Error {
    let hints = failure.hints.iter().map(|hint| format!("\n{hint}"));
    anyhow::anyhow!("--apply: {}{}", failure.message, hints.collect::<String>())
}

/// One node is the whole cluster: every address leads to it, also one that it advertises and that only its clients can reach.
#[derive(Debug)]
struct Here(Endpoint);

impl Transport for Here {
    fn connect<'a>(&'a self, _: &'a Endpoint, within: Duration) -> Connecting<'a> {
        Plain.connect(&self.0, within)
    }
}

/// Makes what files say, on a broker that was just started and listens here.
pub(crate) async fn apply(
    declared: &Declared,
    address: &str,
    cx: &mut Context,
) -> Result<(), Failure> {
    let settings = connect::settings(&[], &[("bootstrap.servers", address)], cx);
    let mut settings = settings.map_err(|_| Failure::new("There is no client for the broker."))?;
    if let Some(here) = settings.bootstrap.first().cloned() {
        settings.conn.transport = Arc::new(Here(here));
    }
    let admin = connect::admin(settings, "describeCluster").await?;
    let applied = declare::apply_at_start(&admin, declared).await;
    admin.close().await;
    applied.map(drop)
}

/// Runs a broker until a signal ends it.
pub(crate) fn until_signal(
    config: BrokerConfig,
    loggers: Loggers,
    on_ready: impl AsyncFnOnce(&Started) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // Behind a pointer the server is compiled once, and not for each place that the runtime polls from.
    let server: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(ottla_server::serve(config, loggers, on_ready));
    let served = runtime.block_on(server);
    runtime.shutdown_background();
    served
}

/// What the start screen says: where it listens, where the data lies, what to try next.
fn screen(started: &Started, is_ephemeral: bool) -> String {
    let mut text = format!("Ottla {} is ready.\n", env!("CARGO_PKG_VERSION"));
    for (name, address) in &started.listeners {
        let _ = writeln!(text, "  listening on  {address} ({name})");
    }
    for dir in &started.data_dirs {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
        let until = if is_ephemeral {
            " (removed at the end)"
        } else {
            ""
        };
        let _ = writeln!(text, "  data lies in  {}{until}", dir.display());
    }
    let Some((_, address)) = started.listeners.first() else {
        return text;
    };
    let reach = reach(*address);
    let _ = write!(
        text,
        "\nTry next, in another shell:\n  \
         ottla topics --bootstrap-server {reach} --create --topic hello --partitions 3\n  \
         echo 'first record' | ottla console-producer --bootstrap-server {reach} --topic hello\n  \
         ottla console-consumer --bootstrap-server {reach} --topic hello --from-beginning\n"
    );
    text
}

/// Where a client on this machine finds what listens here.
pub(crate) fn reach(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    }
}

/// In one step, so that whoever waits for the file never reads half of it.
fn write_ready_file(file: &Path, started: &Started) -> anyhow::Result<()> {
    let mut text = String::new();
    for (_, address) in &started.listeners {
        let _ = writeln!(text, "{address}");
    }
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".tmp");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Everything that was configured, the weakest first.
fn pairs(given: &ArgMatches) -> anyhow::Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    if let Some(file) = given
        .get_one::<PathBuf>("config")
        .or_else(|| given.get_one("properties"))
    {
        pairs.extend(read_config(file)?);
    }
    pairs.extend(from_environment(std::env::vars_os().filter_map(
        |(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)),
    )));
    for text in given.get_many::<String>("override").into_iter().flatten() {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => pairs.push((key.to_owned(), value.to_owned())),
            _ => bail!("--override {text}: not KEY=VALUE"),
        }
    }
    let names_dirs = pairs
        .iter()
        .any(|(key, _)| key == "log.dirs" || key == "log.dir");
    if let Some(dir) = given.get_one::<String>("data-dir") {
        pairs.push(("log.dirs".to_owned(), dir.clone()));
    } else if let (false, Some(dir)) = (names_dirs, std::env::var_os(DATA_DIR_VARIABLE)) {
        pairs.insert(
            0,
            ("log.dirs".to_owned(), dir.to_string_lossy().into_owned()),
        );
    }
    if let Some(address) = given.get_one::<String>("listen") {
        pairs.push(("listeners".to_owned(), format!("PLAINTEXT://{address}")));
    }
    Ok(pairs)
}

fn read_config(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let what = || format!("cannot read the configuration {}", file.display());
    let text = std::fs::read_to_string(file).with_context(what)?;
    let is_yaml = file
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml {
        return ottla_config::yaml::parse(&text).with_context(what);
    }
    ottla_config::properties::parse(&text).with_context(what)
}

/// To standard error. `level` is one level, or one per module, until the loggers that are returned are given others.
pub(crate) fn start_logging(level: &str, as_json: bool) -> anyhow::Result<Loggers> {
    let given: Targets = level
        .parse()
        .with_context(|| format!("--log-level {level}"))?;
    let (filter, changing) = reload::Layer::new(given.clone());
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(filter);
    let started = match as_json {
        true => subscriber.with(lines.json()).try_init(),
        false => subscriber.with(lines.with_target(false)).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))?;
    let root = given.default_level().unwrap_or(LevelFilter::OFF);
    let modules = given.clone();
    let install = move |root, levels: &[(&'static str, LevelFilter)]| {
        let changed = Targets::new()
            .with_default(root)
            .with_targets(modules.iter())
            .with_targets(levels.iter().copied());
        // It fails where nobody logs any more.
        drop(changing.reload(changed));
    };
    let of_module = |module: &str| level_of(&given, module);
    Ok(Loggers::new(root, of_module, Box::new(install)))
}

fn level_of(filter: &Targets, module: &str) -> LevelFilter {
    use LevelFilter as L;
    let is_logged = |level: &L| {
        let level = level.into_level();
        level.is_some_and(|level| filter.would_enable(module, &level))
    };
    let mut levels = [L::TRACE, L::DEBUG, L::INFO, L::WARN, L::ERROR].into_iter();
    levels.find(is_logged).unwrap_or(L::OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs_of(words: &[&str]) -> anyhow::Result<Vec<(String, String)>> {
        let words = std::iter::once("server").chain(words.iter().copied());
        let mut pairs = pairs(&command().try_get_matches_from(words)?)?;
        // What the surroundings say is not the test's business.
        pairs.retain(|(key, _)| ["log.dirs", "listeners", "a.b", "c.d"].contains(&key.as_str()));
        Ok(pairs)
    }

    #[test]
    fn overrides_take_any_number_of_words_and_may_be_repeated() {
        let pairs = pairs_of(&[
            "--override",
            "a.b=1",
            "c.d=x=y",
            "--override",
            "--override",
            "a.b=2",
        ])
        .unwrap();
        let expected =
            [("a.b", "1"), ("c.d", "x=y"), ("a.b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(pairs, expected);
        assert!(pairs_of(&["--override", "a.b"]).is_err());
    }

    #[test]
    fn listen_and_data_dir_count_more_than_overrides() {
        let pairs = pairs_of(&[
            "--override",
            "log.dirs=/a",
            "--data-dir",
            "/b",
            "--listen",
            "127.0.0.1:0",
        ])
        .unwrap();
        assert_eq!(
            BrokerConfig::load(pairs.clone())
                .unwrap()
                .settings()
                .list("log.dirs"),
            ["/b"]
        );
        assert_eq!(pairs.last().unwrap().1, "PLAINTEXT://127.0.0.1:0");
    }

    #[test]
    fn the_options_are_sound() {
        command().debug_assert();
    }
}
