//! The file that says what a cluster shall have: YAML, of which JSON is a part. `docs/apply.md` describes it.
//!
//! Always: a file is read as a whole, and everything that is wrong with it is told at once, each with its place. Whether the
//! cluster takes the values is for the cluster to say.

use std::collections::BTreeMap;

use ottla_config::yaml::scalar;
use serde::Deserialize as _;
use serde_yaml::{Deserializer, Mapping, Value};

use crate::meant::meant;
use crate::topic_filter;

/// The version of the format.
pub(super) const VERSION: u64 = 1;

/// What one or several files say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    pub cluster_id: Option<String>,
    /// None where no file has a list of topics, which is not the same as an empty one.
    pub topics: Option<BTreeMap<String, Topic>>,
    /// For each group its positions by topic.
    pub groups: BTreeMap<String, BTreeMap<String, Positions>>,
    /// Names, or beginnings of names with an asterisk behind them, of topics that are not to be deleted.
    pub keep: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topic {
    /// What is left out is the broker's default for a new topic, and as it is for one that is there.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    /// All that the topic has of its own.
    pub configs: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Positions {
    All(Position),
    Each(BTreeMap<i32, Position>),
}

/// Where a group stands in a partition. The ends count only for a group that has not committed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    At(i64),
    Earliest,
    Latest,
}

impl Declared {
    /// Adds what a file says. `name` is for complaints.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), Vec<String>> {
        let mut wrong = Wrong::default();
        for document in Deserializer::from_str(text) {
            match Value::deserialize(document) {
                Ok(Value::Null) => {}
                Ok(Value::Mapping(map)) => self.add_document(&map, &mut wrong),
                Ok(_) => wrong.say("", "expected keys such as `topics`"),
                Err(error) => {
                    wrong.0.push(error.to_string());
                    break;
                }
            }
        }
        let Wrong(complaints) = wrong;
        match complaints.is_empty() {
            true => Ok(()),
            false => Err(complaints
                .into_iter()
                .map(|complaint| format!("{name}: {complaint}"))
                .collect()),
        }
    }

    fn add_document(&mut self, map: &Mapping, wrong: &mut Wrong) {
        const KEYS: &[&str] = &["version", "cluster_id", "topics", "groups", "keep"];
        for (key, value) in entries(map, "", wrong) {
            match key {
                "version" if value.as_u64() == Some(VERSION) => {}
                "version" => wrong.say(
                    key,
                    format!("expected {VERSION}, the only version there is"),
                ),
                "cluster_id" => self.add_cluster_id(value, wrong),
                "topics" => {
                    let topics = self.topics.get_or_insert_default();
                    for (name, value) in entries_of(value, key, wrong) {
                        let place = format!("topics.{name}");
                        if let Some(reason) = topic_filter::why_no_topic_name(name) {
                            wrong.say(&place, reason);
                        }
                        let topic = topic(value, &place, wrong);
                        if topics.insert(name.to_owned(), topic).is_some() {
                            wrong.say(&place, "is there more than once");
                        }
                    }
                }
                "groups" => {
                    for (name, value) in entries_of(value, key, wrong) {
                        let place = format!("groups.{name}");
                        if name.is_empty() {
                            wrong.say(&place, "a group's id is not empty");
                        }
                        let positions = group(value, &place, wrong);
                        if self.groups.insert(name.to_owned(), positions).is_some() {
                            wrong.say(&place, "is there more than once");
                        }
                    }
                }
                "keep" => match value {
                    Value::Sequence(items) if items.iter().all(Value::is_string) => {
                        let items = items.iter().filter_map(Value::as_str);
                        self.keep.extend(items.map(str::to_owned));
                    }
                    _ => wrong.say(key, "expected a list of names"),
                },
                unknown => wrong.unknown("", unknown, KEYS),
            }
        }
    }

    fn add_cluster_id(&mut self, value: &Value, wrong: &mut Wrong) {
        match (value.as_str(), &self.cluster_id) {
            (None, _) => wrong.say("cluster_id", "expected a text; put it in quotes"),
            (Some(id), Some(other)) if id != other => {
                wrong.say("cluster_id", format!("is {id} here and {other} elsewhere"));
            }
            (Some(id), _) => self.cluster_id = Some(id.to_owned()),
        }
    }
}

#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn say(&mut self, place: &str, what: impl AsRef<str>) {
        let what = what.as_ref();
        self.0.push(match place.is_empty() {
            true => what.to_owned(),
            false => format!("{place}: {what}"),
        });
    }

    fn unknown(&mut self, place: &str, key: &str, known: &[&str]) {
        let place = match place.is_empty() {
            true => key.to_owned(),
            false => format!("{place}.{key}"),
        };
        let suggestion = match meant(key, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        self.say(&place, format!("there is no such key; {suggestion}"));
    }
}

/// The entries of a map, or of nothing at all.
fn entries_of<'a>(value: &'a Value, place: &str, wrong: &mut Wrong) -> Vec<(&'a str, &'a Value)> {
    match value {
        Value::Null => Vec::new(),
        Value::Mapping(map) => entries(map, place, wrong),
        _ => {
            wrong.say(place, "expected keys with values");
            Vec::new()
        }
    }
}

/// A name that YAML takes for a number or a truth value may be another one than was written.
fn entries<'a>(map: &'a Mapping, place: &str, wrong: &mut Wrong) -> Vec<(&'a str, &'a Value)> {
    let mut found = Vec::with_capacity(map.len());
    for (key, value) in map {
        match (key.as_str(), scalar(key)) {
            (Some(key), _) => found.push((key, value)),
            (None, Some(text)) => {
                wrong.say(place, format!("{text} is no text here; put it in quotes"))
            }
            (None, None) => wrong.say(place, "a key is a text"),
        }
    }
    found
}

fn topic(value: &Value, place: &str, wrong: &mut Wrong) -> Topic {
    const KEYS: &[&str] = &["partitions", "replication_factor", "configs"];
    let mut topic = Topic::default();
    for (key, value) in entries_of(value, place, wrong) {
        let here = format!("{place}.{key}");
        match key {
            "partitions" => topic.partitions = count(value, i32::MAX, &here, wrong),
            "replication_factor" => {
                let factor = count(value, i16::MAX.into(), &here, wrong);
                topic.replication_factor = factor.and_then(|factor| factor.try_into().ok());
            }
            "configs" => topic.configs = Some(configs(value, &here, wrong)),
            unknown => wrong.unknown(place, unknown, KEYS),
        }
    }
    topic
}

fn count(value: &Value, max: i32, place: &str, wrong: &mut Wrong) -> Option<i32> {
    let count = value.as_i64().and_then(|count| i32::try_from(count).ok());
    let count = count.filter(|count| (1..=max).contains(count));
    if count.is_none() {
        wrong.say(place, format!("expected a number from 1 to {max}"));
    }
    count
}

fn configs(value: &Value, place: &str, wrong: &mut Wrong) -> BTreeMap<String, String> {
    let mut configs = BTreeMap::new();
    for (key, value) in entries_of(value, place, wrong) {
        let text = match value {
            Value::Sequence(items) => {
                let items: Option<Vec<String>> = items.iter().map(scalar).collect();
                items.map(|items| items.join(","))
            }
            other => scalar(other),
        };
        match text {
            Some(text) => {
                configs.insert(key.to_owned(), text);
            }
            None => wrong.say(
                &format!("{place}.{key}"),
                "expected a value; a key that is left out has the broker's default",
            ),
        }
    }
    configs
}

fn group(value: &Value, place: &str, wrong: &mut Wrong) -> BTreeMap<String, Positions> {
    let mut positions = BTreeMap::new();
    for (key, value) in entries_of(value, place, wrong) {
        if key != "offsets" {
            wrong.unknown(place, key, &["offsets"]);
            continue;
        }
        let place = format!("{place}.{key}");
        for (topic, value) in entries_of(value, &place, wrong) {
            let place = format!("{place}.{topic}");
            let found = match value {
                Value::Mapping(map) => Positions::Each(by_partition(map, &place, wrong)),
                other => match position(other, &place, wrong) {
                    Some(position) => Positions::All(position),
                    None => continue,
                },
            };
            positions.insert(topic.to_owned(), found);
        }
    }
    positions
}

fn by_partition(map: &Mapping, place: &str, wrong: &mut Wrong) -> BTreeMap<i32, Position> {
    let mut found = BTreeMap::new();
    for (key, value) in map {
        let index = scalar(key).and_then(|text| text.parse::<i32>().ok());
        match index.filter(|index| *index >= 0) {
            Some(index) => {
                if let Some(position) = position(value, &format!("{place}.{index}"), wrong)
                    && found.insert(index, position).is_some()
                {
                    wrong.say(&format!("{place}.{index}"), "is there more than once");
                }
            }
            None => wrong.say(place, "a partition is a number from 0"),
        }
    }
    found
}

fn position(value: &Value, place: &str, wrong: &mut Wrong) -> Option<Position> {
    let position = match value {
        Value::String(text) if text == "earliest" => Some(Position::Earliest),
        Value::String(text) if text == "latest" => Some(Position::Latest),
        other => other
            .as_i64()
            .filter(|offset| *offset >= 0)
            .map(Position::At),
    };
    if position.is_none() {
        wrong.say(place, "expected an offset, `earliest` or `latest`");
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Declared, Vec<String>> {
        let mut declared = Declared::default();
        declared.add("f", text).map(|()| declared)
    }

    #[test]
    fn documents_and_files_add_up() {
        let text = "version: 1\ncluster_id: abc\ntopics:\n  a: {partitions: 3}\n  b:\n---\n\
                    topics:\n  c:\n    replication_factor: 2\n    configs: {cleanup.policy: [compact, delete], retention.ms: 5, min.cleanable.dirty.ratio: 0.5}\n\
                    groups:\n  g:\n    offsets:\n      a: {0: 5, '1': latest}\n      b: earliest\nkeep: [x, 'y*']\n";
        let declared = read(text).unwrap();
        assert_eq!(declared.cluster_id.as_deref(), Some("abc"));
        let topics = declared.topics.unwrap();
        assert_eq!(topics.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(topics["a"].partitions, Some(3));
        assert_eq!(topics["b"], Topic::default());
        let configs = topics["c"].configs.as_ref().unwrap();
        assert_eq!(configs["cleanup.policy"], "compact,delete");
        assert_eq!(configs["retention.ms"], "5");
        assert_eq!(configs["min.cleanable.dirty.ratio"], "0.5");
        let each = BTreeMap::from([(0, Position::At(5)), (1, Position::Latest)]);
        assert_eq!(declared.groups["g"]["a"], Positions::Each(each));
        assert_eq!(
            declared.groups["g"]["b"],
            Positions::All(Position::Earliest)
        );
        assert_eq!(declared.keep, ["x", "y*"]);
        assert_eq!(read("").unwrap(), Declared::default());
        assert_eq!(read("topics:\n").unwrap().topics, Some(BTreeMap::new()));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let text = "version: 2\ntopcs: {}\ntopics:\n  a: {partitons: 3, partitions: 0}\n  1.0: {}\n  a/b: {}\n  c: [1]\n  \
                    d: {configs: {retention.ms: }, replication_factor: 40000}\n\
                    groups:\n  g: {offset: {}, offsets: {a: {x: 1, 1: -1}, b: soon}}\nkeep: all\nzzz: 1\n";
        let complaints = read(text).unwrap_err();
        let expected = [
            "f: version: expected 1, the only version there is",
            "f: topcs: there is no such key; did you mean `topics`?",
            "f: topics: 1.0 is no text here; put it in quotes",
            "f: topics.a.partitons: there is no such key; did you mean `partitions`?",
            "f: topics.a.partitions: expected a number from 1 to 2147483647",
            "f: topics.a/b: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            "f: topics.c: expected keys with values",
            "f: topics.d.configs.retention.ms: expected a value; a key that is left out has the broker's default",
            "f: topics.d.replication_factor: expected a number from 1 to 32767",
            "f: groups.g.offset: there is no such key; did you mean `offsets`?",
            "f: groups.g.offsets.a: a partition is a number from 0",
            "f: groups.g.offsets.a.1: expected an offset, `earliest` or `latest`",
            "f: groups.g.offsets.b: expected an offset, `earliest` or `latest`",
            "f: keep: expected a list of names",
            "f: zzz: there is no such key; there are version, cluster_id, topics, groups, keep",
        ];
        assert_eq!(complaints, expected);
    }

    #[test]
    fn what_is_no_yaml_or_says_things_twice_is_refused() {
        for text in [
            "a: [",
            "- a",
            "topics: {a: {}, a: {}}",
            "topics: {a: {}}\n---\ntopics: {a: {}}\n",
        ] {
            assert_eq!(read(text).unwrap_err().len(), 1, "{text}");
        }
        let ids = read("cluster_id: a\n---\ncluster_id: b\n").unwrap_err();
        assert_eq!(ids, ["f: cluster_id: is b here and a elsewhere"]);
    }
}
