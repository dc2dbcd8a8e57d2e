//! What the value of an option may be.

use clap::Arg;
use ottla_cli::Tool;
use ottla_cli::live::{self, Names, Place};
use ottla_cli::output::Format;
use ottla_config::{Table, admin, broker, consumer, group, producer, topic};

use super::candidates::{beginning, candidate};
use super::{Answer, Candidate};

/// What stands before the word.
pub(super) struct Line<'a> {
    pub(super) tool: &'a Tool,
    pub(super) words: &'a [String],
}

/// What a value is.
enum Kind {
    Live(Names),
    /// `KEY=VALUE`, or keys alone.
    Keys {
        with_value: bool,
    },
    Contexts,
    /// One of these.
    Words(&'static [&'static str]),
    EntityTypes,
    /// The value of `--entity-type` says of what.
    EntityNames,
    Formats,
    Files,
    /// Nothing that could be known.
    Free,
}

const ENTITY_TYPES: [&str; 8] = [
    "topics",
    "brokers",
    "broker-loggers",
    "groups",
    "client-metrics",
    "users",
    "clients",
    "ips",
];

fn kind(option: &Arg) -> Kind {
    let values = option.get_value_names().unwrap_or_default();
    let value = values.first().map_or("", |name| name.as_str());
    match (option.get_long().unwrap_or_default(), value) {
        ("context", _) => Kind::Contexts,
        ("entity-type", _) => Kind::EntityTypes,
        ("entity-name", _) => Kind::EntityNames,
        ("output", _) => Kind::Formats,
        ("topic" | "topics" | "topic-list" | "topic-partitions" | "include", _)
        | (_, "TOPIC" | "TOPICS") => Kind::Live(Names::Topics),
        ("group" | "group-id", _) => Kind::Live(Names::Groups),
        ("broker" | "broker-logger" | "broker-id", _) => Kind::Live(Names::Brokers),
        // Older producers name the brokers to connect to so.
        ("broker-list", "IDS") => Kind::Live(Names::Brokers),
        ("delete-config", _) => Kind::Keys { with_value: false },
        ("config", "KEY=VALUE")
        | (
            "add-config" | "command-property" | "producer-property" | "consumer-property"
            | "producer-props" | "override",
            _,
        ) => Kind::Keys { with_value: true },
        (_, "FILE" | "DIR" | "PATH") => Kind::Files,
        (name, _) if name.ends_with("-file") || name.ends_with("-config") => Kind::Files,
        (name, _) => {
            let mut words = WORDS.iter();
            let known = words.find(|(names, _)| names.contains(&name));
            known.map_or(Kind::Free, |(_, words)| Kind::Words(words))
        }
    }
}

/// Options whose values the tools check themselves, as the reference does it.
const WORDS: &[(&[&str], &[&str])] = &[
    (
        &["isolation-level"],
        &["read_committed", "read_uncommitted"],
    ),
    (
        &["compression-codec"],
        &["none", "gzip", "snappy", "lz4", "zstd"],
    ),
    (
        &["acks", "producer-acks", "request-required-acks"],
        &["0", "1", "-1", "all"],
    ),
    (&["election-type"], &["preferred", "unclean"]),
    (&["group-protocol"], &["classic", "consumer"]),
    (&["reset-policy"], &["earliest", "latest", "none"]),
    (&["offset"], &["earliest", "latest"]),
    (&["view"], &["topics", "groups", "brokers"]),
    (&["to", "from"], &["beginning", "end", "now"]),
    (
        &["key-deserializer", "value-deserializer"],
        &[
            "string", "short", "integer", "long", "float", "double", "boolean", "uuid", "bytes",
            "hex", "base64",
        ],
    ),
    (
        &["resource-pattern-type"],
        &["any", "match", "literal", "prefixed"],
    ),
    (
        &["operation"],
        &[
            "Read",
            "Write",
            "Create",
            "Delete",
            "Alter",
            "Describe",
            "ClusterAction",
            "AlterConfigs",
            "DescribeConfigs",
            "IdempotentWrite",
            "CreateTokens",
            "DescribeTokens",
            "TwoPhaseCommit",
            "All",
        ],
    ),
    (
        &["key-decoder-class", "value-decoder-class"],
        &[
            "org.apache.kafka.tools.api.StringDecoder",
            "org.apache.kafka.tools.api.DefaultDecoder",
            "org.apache.kafka.tools.api.IntegerDecoder",
            "org.apache.kafka.tools.api.LongDecoder",
        ],
    ),
];

pub(super) fn of(option: &Arg, word: &str, line: &Line<'_>) -> Answer {
    let possible = option.get_possible_values();
    if !possible.is_empty() {
        let names = possible.iter().map(|value| candidate(value.get_name(), ""));
        return beginning(word, names.collect());
    }
    // Of a list the last one is being written.
    let (head, last) = match word.rfind(',') {
        Some(comma) if kind(option).is_list(option) => word.split_at(comma + 1),
        _ => ("", word),
    };
    let found = match kind(option) {
        Kind::Files => return Answer::Files,
        Kind::Free => Vec::new(),
        Kind::Formats => Format::ALL
            .map(|format| candidate(format.name(), ""))
            .to_vec(),
        Kind::EntityTypes => ENTITY_TYPES.map(|name| candidate(name, "")).to_vec(),
        Kind::EntityNames => match line.value(&["--entity-type"]) {
            Some("topics" | "topic") => line.ask(Names::Topics),
            Some("groups" | "group") => line.ask(Names::Groups),
            Some("brokers" | "broker" | "broker-loggers" | "broker-logger") => {
                line.ask(Names::Brokers)
            }
            _ => Vec::new(),
        },
        Kind::Live(names) => line.ask(names),
        Kind::Contexts => contexts(),
        Kind::Words(words) => words.iter().map(|word| candidate(word, "")).collect(),
        Kind::Keys { with_value } => {
            let sign = if with_value { "=" } else { "" };
            let keys = line.keys(option).into_iter().flat_map(Table::iter);
            keys.map(|definition| candidate(&format!("{}{sign}", definition.key), ""))
                .collect()
        }
    };
    beginning(last, found).behind(head)
}

/// Of `--context`, and of the words of `ottla context`.
pub(super) fn contexts() -> Vec<Candidate> {
    let names = live::contexts();
    names.iter().map(|name| candidate(name, "")).collect()
}

impl Kind {
    fn is_list(&self, option: &Arg) -> bool {
        match self {
            Self::Keys { .. } => matches!(option.get_long(), Some("add-config" | "delete-config")),
            Self::Live(_) => option
                .get_long()
                .is_some_and(|name| name.ends_with("-list")),
            _ => false,
        }
    }
}

impl Line<'_> {
    /// The value of the first of these options that is there.
    fn value(&self, names: &[&str]) -> Option<&str> {
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            if names.contains(&name) {
                return value.or_else(|| words.next().map(String::as_str));
            }
        }
        None
    }

    fn has(&self, name: &str) -> bool {
        self.words.iter().any(|word| word == name)
    }

    fn ask(&self, names: Names) -> Vec<Candidate> {
        let command = (self.tool.command)();
        let servers = command.get_arguments();
        let mut servers = servers.filter(|option| option.get_long() == Some("bootstrap-server"));
        let default = servers
            .next()
            .and_then(|option| option.get_default_values().first()?.to_str());
        let place = Place {
            servers: self
                .value(&["--bootstrap-server", "-b"])
                .or_else(|| self.property("bootstrap.servers=")),
            command_config: self.value(&[
                "--command-config",
                "-c",
                "--consumer.config",
                "--producer.config",
                "--admin.config",
            ]),
            context: self.value(&["--context"]),
            default_servers: default,
        };
        let found = live::names(names, place).into_iter();
        found.map(|name| candidate(&name, "")).collect()
    }

    /// Of client properties, which may be several in a word.
    fn property(&self, key: &str) -> Option<&str> {
        let mut words = self.words.iter();
        let behind = words.find_map(|word| Some(word.split_once(key)?.1));
        behind.map(|value| value.trim_matches(['"', '\'']))
    }

    /// Of what the line is about.
    fn keys(&self, option: &Arg) -> Option<&'static Table> {
        let of_client: &Table = match self.tool.name {
            name if name.contains("consumer") => &consumer::TABLE,
            name if name.contains("producer") => &producer::TABLE,
            _ => &admin::TABLE,
        };
        Some(match option.get_long().unwrap_or_default() {
            "producer-property" | "producer-props" => &producer::TABLE,
            "consumer-property" => &consumer::TABLE,
            "command-property" => of_client,
            "config" => &topic::TABLE,
            "override" => &broker::TABLE,
            _ => match self.value(&["--entity-type"]) {
                Some("topics" | "topic") => &topic::TABLE,
                Some("brokers" | "broker") => &broker::TABLE,
                Some("groups" | "group") => &group::TABLE,
                None if self.has("--topic") => &topic::TABLE,
                None if self.has("--broker") || self.has("--broker-defaults") => &broker::TABLE,
                None if self.has("--group") => &group::TABLE,
                _ => return None,
            },
        })
    }
}
