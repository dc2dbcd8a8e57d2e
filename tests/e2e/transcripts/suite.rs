//! A suite on disk: its manifest, its transcripts, and what may differ.

use std::path::{Path, PathBuf};

use regex::{Captures, Regex};

pub(super) struct Suite {
    pub(super) name: String,
    /// `key=value` words for the server.
    pub(super) properties: Vec<String>,
    pub(super) cases: Vec<String>,
    substitutions: Vec<Substitution>,
}

struct Substitution {
    case: String,
    command: usize,
    pattern: Regex,
    /// What has to come behind a match.
    followed_by: Option<Regex>,
    replacement: String,
}

impl Substitution {
    /// `^` and `$` are line ends, as in the recorder. Its patterns look ahead at their end only.
    fn new(case: &str, command: &str, pattern: &str, replacement: &str) -> Self {
        let regex = |pattern: &str| Regex::new(pattern).expect("a good pattern");
        let (pattern, followed_by) = match pattern.split_once("(?=") {
            Some((pattern, ahead)) => (pattern, ahead.strip_suffix(')')),
            None => (pattern, None),
        };
        Self {
            case: case.to_owned(),
            command: command.parse().expect("the number of a command"),
            pattern: regex(&format!("(?m){pattern}")),
            followed_by: followed_by.map(|ahead| regex(&format!("^(?:{ahead})"))),
            replacement: reference_of(replacement),
        }
    }

    fn apply(&self, text: &str) -> String {
        let replaced = self.pattern.replace_all(text, |found: &Captures<'_>| {
            let whole = found.get_match();
            let ahead = self.followed_by.as_ref();
            let mut replacement = String::new();
            match ahead.is_none_or(|ahead| ahead.is_match(&text[whole.end()..])) {
                true => found.expand(&self.replacement, &mut replacement),
                false => replacement.push_str(whole.as_str()),
            }
            replacement
        });
        replaced.into_owned()
    }
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

impl Suite {
    pub(super) fn open(name: &str) -> Self {
        let path = folder().join(name).join("suite.tsv");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut suite = Self {
            name: name.to_owned(),
            properties: Vec::new(),
            cases: Vec::new(),
            substitutions: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split('\t').collect::<Vec<_>>().as_slice() {
                ["broker", _] => {}
                ["property", property] => suite.properties.push((*property).to_owned()),
                ["case", case] => suite.cases.push((*case).to_owned()),
                ["sub", case, command, pattern, replacement] => {
                    let new = Substitution::new(case, command, pattern, replacement);
                    suite.substitutions.push(new);
                }
                other => panic!("{}: an unknown line {other:?}", path.display()),
            }
        }
        suite
    }

    pub(super) fn transcript(&self, case: &str) -> String {
        let path = folder().join(&self.name).join(format!("{case}.txt"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What the recorder did to the output of a command, beside the general rules.
    pub(super) fn substitute(&self, case: &str, command: usize, text: String) -> String {
        let own = self
            .substitutions
            .iter()
            .filter(|sub| sub.case == case && sub.command == command);
        own.fold(text, |text, sub| sub.apply(&text))
    }
}

/// From the recorder's notation (`\\1`, `\\n`) to the regex crate's.
fn reference_of(replacement: &str) -> String {
    let mut text = String::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some(digit) => text.push_str(&format!("${{{digit}}}")),
                None => text.push(c),
            },
            '$' => text.push_str("$$"),
            _ => text.push(c),
        }
    }
    text
}

/// A line of allowed.tsv.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    pub(super) case: String,
    /// The command counted from 1; `None`: the case is not run at all.
    pub(super) command: Option<usize>,
    pub(super) reason: String,
}

pub(super) fn allowed() -> Vec<Allowed> {
    let text = std::fs::read_to_string(folder().join("allowed.tsv")).expect("allowed.tsv");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [case, command, reason] = fields.as_slice() else {
                panic!("three fields are needed: {line}")
            };
            let command = match *command {
                "not-run" => None,
                number => Some(number.parse().expect("the number of a command, or not-run")),
            };
            Allowed {
                case: (*case).to_owned(),
                command,
                reason: (*reason).to_owned(),
            }
        })
        .collect()
}
