//! Options that the tools share, and the checks the reference makes on combinations of options.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clap::{Args, Parser};

use crate::contexts;
use crate::jopt::{self, OptionError};
use crate::stop::{Failure, Stop};
use crate::verb::USAGE;

/// `--help` and `--version`, which every tool has.
#[derive(Debug, Clone, Default, Args)]
pub struct Standard {
    /// Print usage information
    #[arg(long)]
    pub help: bool,
    /// Print the version of Kafka whose tool this stands in for
    #[arg(long)]
    pub version: bool,
}

/// Which cluster, in tools that do not speak with controllers.
#[derive(Debug, Clone, Default, Args)]
pub struct Connection {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", help_heading = "Connection")]
    pub bootstrap_server: Vec<String>,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub command_config: Vec<String>,
}

impl Connection {
    /// The brokers; empty where none are named.
    pub fn servers(&self) -> Result<&str, OptionError> {
        let servers = jopt::one("bootstrap-server", &self.bootstrap_server)?;
        Ok(servers.unwrap_or_default())
    }
}

/// The options of a tool.
pub trait ToolArgs: Parser {
    /// The sentence above the options when they are asked for.
    const INTRO: &'static str;
    /// The same when the tool is called without any option.
    const INTRO_WITHOUT_OPTIONS: &'static str = Self::INTRO;

    fn standard(&self) -> &Standard;
}

/// What every tool does first: parse, then `--help` and `--version`.
pub fn start<A: ToolArgs>(words: &[String]) -> Result<A, Stop> {
    if words.is_empty() {
        return Err(Stop::Help(A::INTRO_WITHOUT_OPTIONS));
    }
    let args: A = jopt::parse(words)?;
    if args.standard().help {
        return Err(Stop::Help(A::INTRO));
    }
    if args.standard().version {
        return Err(Stop::Version);
    }
    Ok(args)
}

/// The same for tools of our own, which do without options what can be done without, and where wrong options have a status of
/// their own.
pub fn start_own<A: ToolArgs>(words: &[String]) -> Result<A, Stop> {
    let started = match words {
        [] => jopt::parse(words).map_err(Stop::from),
        words => start(words),
    };
    started.map_err(of_command_line)
}

/// What is wrong with the command line of a tool of our own, whoever found it.
pub fn of_command_line(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(failure) => failure.status(USAGE).into(),
        other => other,
    }
}

/// An option as the checks see it: its name and whether it was given.
#[derive(Debug, Clone, Copy)]
pub struct Given(pub &'static str, pub bool);

impl Given {
    pub fn values(name: &'static str, values: &[String]) -> Self {
        Self(name, !values.is_empty())
    }
}

/// Every one of the options must be there.
pub fn require(options: &[Given]) -> Result<(), Stop> {
    match options.iter().find(|option| !option.1) {
        Some(missing) => Err(Stop::Usage(format!(
            "Missing required argument \"[{}]\"",
            missing.0
        ))),
        None => Ok(()),
    }
}

/// None of `others` may stand beside `option`.
pub fn forbid(option: Given, others: &[Given]) -> Result<(), Stop> {
    match others.iter().find(|other| option.1 && other.1) {
        Some(other) => Err(Stop::Usage(format!(
            "Option \"[{}]\" can't be used with option \"[{}]\"",
            option.0, other.0
        ))),
        None => Ok(()),
    }
}

/// The client properties a tool connects with: those of `--command-config`, and on top of them the tool's own.
pub fn client_properties(
    command_config: &[String],
    overrides: &[(&str, &str)],
) -> Result<Vec<(String, String)>, Stop> {
    let mut properties = match jopt::one("command-config", command_config)? {
        Some(path) => read_properties(path)?,
        None => Vec::new(),
    };
    for (key, value) in overrides {
        properties.retain(|(present, _)| present != key);
        properties.push(((*key).to_owned(), (*value).to_owned()));
    }
    Ok(properties)
}

/// Far above any sensible file of properties or contexts; what is above it is no such file.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// The whole of a small file.
pub(crate) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // No path at all is the working directory, which is no file.
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let file = File::open(path)?;
    file.take(SMALL_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL_BYTES_MAX {
        let reason = format!("it has more than {SMALL_BYTES_MAX} bytes");
        return Err(io::Error::other(reason));
    }
    Ok(bytes)
}

/// A `.properties` file, or those of the context that was chosen; of a key that is there twice the last one counts.
pub fn read_properties(path: &str) -> Result<Vec<(String, String)>, Failure> {
    if let Some(context) = path.strip_prefix(contexts::PROPERTIES_OF) {
        return contexts::properties(context);
    }
    let bytes = read_small(Path::new(path)).map_err(|error| {
        Failure::new(path).hint(format!("Cannot read the properties file {path}: {error}."))
    })?;
    // Files from before Java 9 are Latin-1; every byte is a character there.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
    let pairs = ottla_config::properties::parse(&text)
        .map_err(|error| Failure::new(format!("{path}: {error}")))?;
    let mut properties: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        properties.retain(|(present, _)| *present != key);
        properties.push((key, value));
    }
    Ok(properties)
}

/// `KEY=VALUE` words. One without `=` is a key whose value is empty, as in the reference.
pub fn pairs(words: &[String]) -> impl Iterator<Item = (String, String)> {
    words
        .iter()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

pub fn set(properties: &mut Vec<(String, String)>, key: &str, value: String) {
    properties.retain(|(present, _)| present != key);
    properties.push((key.to_owned(), value));
}

/// An option wins over a property, a property over the option's default.
pub fn set_unless_given(
    properties: &mut Vec<(String, String)>,
    key: &str,
    option: Option<String>,
    default: &str,
) {
    match option {
        Some(value) => set(properties, key, value),
        None if properties.iter().any(|(present, _)| present == key) => {}
        None => set(properties, key, default.to_owned()),
    }
}

/// `HOST:PORT,HOST:PORT`: the shape only, names are resolved when a connection is made.
pub fn check_bootstrap_servers(list: &str) -> Result<(), OptionError> {
    let wrong = |address: &str| {
        OptionError::Other(format!(
            "Please provide valid host:port like host1:9091,host2:9092\n: {address}"
        ))
    };
    for address in list.split(',').map(str::trim) {
        let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong(address))?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong(address));
        }
    }
    Ok(())
}
