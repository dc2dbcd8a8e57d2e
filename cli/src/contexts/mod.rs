//! Contexts: clusters by name, in place of `--bootstrap-server` and `--command-config`.
//!
//! Chosen by `--context`, else `OTTLA_CONTEXT`, else the `current` of the files. Always: who names servers gets those and
//! nothing of a context; where there is no context, every tool gets its words as they were given. Nothing here knows a tool:
//! the context becomes the two options, in words, before the tool sees its command line.

mod file;
mod protected;
mod words;

use clap::{Arg, ArgAction, Command};

use crate::context::Context;
use crate::durations;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use words::Said;

pub(crate) use file::{Contexts, NEAR, Named, user_file};

/// Where `--command-config` stands for the properties of a context. No path and no word of a command line has such a start.
pub(crate) const PROPERTIES_OF: &str = "\0context:";

/// The options by which a tool is told where the cluster is.
const SERVERS: &str = "bootstrap-server";
const CONTROLLERS: &str = "bootstrap-controller";

/// The options that name a file of client properties, with their old names.
const CONFIGS: [&str; 4] = [
    "command-config",
    "consumer.config",
    "producer.config",
    "admin.config",
];

/// Commands that ask no cluster.
const OFFLINE: [&str; 2] = ["version-mapping", "feature-dependencies"];

/// The properties of a context, for [`crate::options::read_properties`].
pub(crate) fn properties(name: &str) -> Result<Vec<(String, String)>, Failure> {
    Contexts::load()?.find(name)?.client_properties()
}

/// The servers of the context that is meant, and what stands for its properties. None where there is none, or it is wrong.
pub(crate) fn meant(name: Option<&str>) -> Option<(String, String)> {
    let contexts = Contexts::load().ok()?;
    let name = chosen(name, &contexts)?;
    let servers = contexts.find(&name).ok()?.servers().ok()??;
    Some((servers, format!("{PROPERTIES_OF}{name}")))
}

/// The words that a tool gets: the options that all tools share taken out and, where no servers are named and a context is
/// chosen, the context's put in.
pub(crate) fn prepare(
    tool: &Tool,
    words: &[String],
    cx: &mut Context,
) -> Result<Vec<String>, Stop> {
    let command = (tool.command)();
    if !asks_a_cluster(&command) {
        return Ok(words.to_vec());
    }
    let said = words::read(&command, words)?;
    cx.timeout = timeout(said.timeout.as_deref())?;
    cx.yes = said.yes || said.has("yes");
    if has_servers(&said) {
        return match said.context {
            Some(_) => Err(Stop::Usage(format!(
                "Option \"[context]\" can't be used with option \"[{SERVERS}]\""
            ))),
            None => Ok(said.rest),
        };
    }
    if words.is_empty() || is_offline(&said) {
        return Ok(said.rest);
    }
    let contexts = Contexts::load()?;
    let Some(name) = chosen(said.context.as_deref(), &contexts) else {
        return Ok(said.rest);
    };
    let context = contexts.find(&name)?;
    if context.is_protected {
        confirm(tool, &name, &said, cx)?;
    }
    with_context(&command, &name, context, said)
}

/// A tool's options with the shared ones, as they are shown. Taken out of the words by `prepare`, none of them reaches a tool.
pub(crate) fn with_shared(command: Command) -> Command {
    if !asks_a_cluster(&command) {
        return command;
    }
    let shared = [
        Arg::new("shared-context")
            .long("context")
            .value_name("NAME")
            .help("Ask the cluster of this name, see `ottla help context`"),
        Arg::new("shared-timeout")
            .long("timeout")
            .value_name("TIME")
            .help("Wait so long for the cluster to come up, such as 30s"),
        Arg::new("shared-yes")
            .long("yes")
            .action(ArgAction::SetTrue)
            .help("Ask nobody before something is changed"),
    ];
    let new = shared
        .into_iter()
        .filter(|option| !has_option(&command, option.get_long().unwrap_or_default()))
        .map(|option| option.help_heading("Of every tool"));
    let new: Vec<Arg> = new.collect();
    command.args(new)
}

fn asks_a_cluster(command: &Command) -> bool {
    has_option(command, SERVERS)
        || command
            .get_subcommands()
            .any(|sub| has_option(sub, SERVERS))
}

fn has_option(command: &Command, name: &str) -> bool {
    let mut options = command.get_arguments();
    options.any(|option| option.get_long() == Some(name))
}

/// Servers may also be named by a property.
fn has_servers(said: &Said) -> bool {
    let property = |word: &String| word.contains("bootstrap.servers=");
    said.has(SERVERS) || said.has(CONTROLLERS) || said.rest.iter().any(property)
}

fn is_offline(said: &Said) -> bool {
    let offline = |word: &String| OFFLINE.contains(&word.as_str());
    // Words alone are an older form of naming all there is to name, the servers first.
    let only_words = said.options.is_empty() && said.bare.len() >= 5;
    let informs = |word: &String| matches!(word.as_str(), "--help" | "-h" | "--version");
    said.rest.iter().any(informs) || said.bare.iter().any(offline) || only_words
}

fn chosen(given: Option<&str>, contexts: &Contexts) -> Option<String> {
    let environment = || {
        std::env::var("OTTLA_CONTEXT")
            .ok()
            .filter(|name| !name.is_empty())
    };
    let current = || contexts.current.as_ref().map(|(name, _)| name.clone());
    let given = given.map(str::to_owned);
    given.or_else(environment).or_else(current)
}

fn timeout(option: Option<&str>) -> Result<Option<std::time::Duration>, Stop> {
    let environment = || std::env::var("OTTLA_TIMEOUT").ok();
    let Some(text) = option.map(str::to_owned).or_else(environment) else {
        return Ok(None);
    };
    match durations::parse(&text).filter(|time| !time.is_zero()) {
        Some(time) => Ok(Some(time)),
        None => Err(Stop::Usage(format!(
            "'{text}' is no time to wait: --timeout takes 10s, 500ms or a number of milliseconds"
        ))),
    }
}

/// A protected cluster is changed by who means it only.
fn confirm(tool: &Tool, context: &str, said: &Said, cx: &mut Context) -> Result<(), Stop> {
    let Some(change) = protected::change(tool.name, said) else {
        return Ok(());
    };
    if cx.yes {
        return Ok(());
    }
    let what = match change == tool.name {
        true => change,
        false => format!("{} {change}", tool.name),
    };
    if !(cx.stdin_is_terminal && cx.stderr_is_terminal) {
        let hint = "Nobody can be asked here: --yes says that it is meant.";
        let refused = format!("The context '{context}' is protected, and this changes it: {what}.");
        return Err(Failure::new(refused).hint(hint).into());
    }
    let question = format!("The context '{context}' is protected. Go on with {what}?");
    match cx.ask(&question)? {
        true => {
            cx.yes = true;
            Ok(())
        }
        false => Err(Stop::failed("Nothing was changed.")),
    }
}

fn with_context(
    command: &Command,
    name: &str,
    context: &Named,
    said: Said,
) -> Result<Vec<String>, Stop> {
    let Some(servers) = context.servers()? else {
        let hint = format!("It is named in {}.", context.file.display());
        let nowhere = format!("The context '{name}' has no bootstrap-servers.");
        return Err(Failure::new(nowhere).hint(hint).into());
    };
    let is_configured = said
        .options
        .iter()
        .any(|given| CONFIGS.contains(&given.as_str()));
    // Where the tool knows the options: itself, or its command.
    let sub = said
        .rest
        .iter()
        .position(|word| command.find_subcommand(word).is_some());
    let scope = |option: &str| match (sub, has_option(command, option)) {
        (Some(place), false) => place + 1,
        _ => 0,
    };
    let mut words = said.rest.clone();
    words.insert(scope(SERVERS), format!("--{SERVERS}={servers}"));
    let has_properties = context.command_config.is_some() || !context.properties.is_empty();
    let subs = || {
        command
            .get_subcommands()
            .any(|sub| has_option(sub, CONFIGS[0]))
    };
    if has_properties && !is_configured && (has_option(command, CONFIGS[0]) || subs()) {
        let place = scope(CONFIGS[0]).min(words.len());
        words.insert(place, format!("--{}={PROPERTIES_OF}{name}", CONFIGS[0]));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{cluster, features, topics};

    fn with(tool: &Tool, line: &str) -> String {
        let command = (tool.command)();
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let context = Named {
            bootstrap_servers: Some("h:1".to_owned()),
            properties: vec![("client.id".to_owned(), "me".to_owned())],
            ..Named::default()
        };
        let said = words::read(&command, &words).unwrap();
        let words = with_context(&command, "c", &context, said).unwrap();
        words.join(" ").replace('\0', "@")
    }

    #[test]
    fn a_context_becomes_the_options_where_the_tool_has_them() {
        assert_eq!(
            with(&topics::TOOL, "--list"),
            "--command-config=@context:c --bootstrap-server=h:1 --list"
        );
        assert_eq!(
            with(&features::TOOL, "describe"),
            "--command-config=@context:c --bootstrap-server=h:1 describe"
        );
        assert_eq!(
            with(&cluster::TOOL, "cluster-id --output json"),
            "cluster-id --command-config=@context:c --bootstrap-server=h:1 --output json"
        );
        assert_eq!(
            with(&topics::TOOL, "--list --command-config f"),
            "--bootstrap-server=h:1 --list --command-config f"
        );
    }

    #[test]
    fn who_names_servers_keeps_every_word() {
        let mut cx = Context::of_process("kafka-topics");
        let words = ["--list", "--bootstrap-server", "x:1"].map(str::to_owned);
        assert_eq!(prepare(&topics::TOOL, &words, &mut cx).unwrap(), words);
        let both = ["--context", "c", "--bootstrap-server", "x:1"].map(str::to_owned);
        assert!(matches!(
            prepare(&topics::TOOL, &both, &mut cx),
            Err(Stop::Usage(_))
        ));
        assert!(prepare(&topics::TOOL, &[], &mut cx).unwrap().is_empty());
    }

    #[test]
    fn a_time_to_wait_has_a_unit_or_is_in_milliseconds() {
        for (text, ms) in [("10s", 10_000), ("250", 250), ("1m", 60_000)] {
            let time = timeout(Some(text)).unwrap().unwrap();
            assert_eq!(time.as_millis(), ms, "{text}");
        }
        for text in ["", "0", "soon", "-1s"] {
            assert!(timeout(Some(text)).is_err(), "{text}");
        }
    }
}
