//! The files that say what is to move where: topics for `--generate`, and plans for all else.

use std::collections::BTreeMap;

use ottla_client::admin::{TopicPartition, TopicPartitionReplica};
use ottla_protocol::types::BrokerId;
use serde_json::{Value, json};

use crate::connect::capitalized;
use crate::jackson;
use crate::json_file;
use crate::stop::Failure;

use super::trouble::Trouble;

/// A replica that may lie in any directory.
const ANY: &str = "any";

/// The replicas of partitions, the first one the preferred leader.
pub(super) type Assignment = BTreeMap<TopicPartition, Vec<BrokerId>>;
/// The directories that replicas lie in, or are to lie in.
pub(super) type Dirs = BTreeMap<TopicPartitionReplica, String>;

/// What a file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// As the file has them: partitions may be there twice.
    pub(super) targets: Vec<(TopicPartition, Vec<BrokerId>)>,
    /// Of the replicas that may not lie in any directory.
    pub(super) dirs: Dirs,
}

impl Plan {
    pub(super) fn parse(text: &str) -> Result<Self, Trouble> {
        if text.is_empty() {
            let message =
                "The input string shouldn't be empty\n at [Source: UNKNOWN; byte offset: #UNKNOWN]";
            return Err(Trouble::operation(Failure::new(message)));
        }
        let json = first_value(text, |error| match jackson::fault(text) {
            Some(fault) => Failure::new(fault),
            None => Failure::new(capitalized(error)),
        })?;
        json_file::check_version(&json).map_err(wrong)?;
        let mut plan = Self::default();
        for row in rows(&json, "partitions").map_err(wrong)? {
            plan.add(row)?;
        }
        Ok(plan)
    }

    fn add(&mut self, row: &Value) -> Result<(), Trouble> {
        let partition = json_file::partition(row).map_err(wrong)?;
        let replicas = replicas(row).map_err(wrong)?;
        let dirs = dirs(row, replicas.len()).map_err(wrong)?;
        if replicas.len() != dirs.len() {
            return Err(Trouble::command(format!(
                "Size of replicas list {} is different from size of log dirs list [{}] for partition {partition}",
                list(&replicas),
                dirs.join(", "),
            )));
        }
        for (broker, dir) in replicas.iter().zip(dirs) {
            let partition = partition.clone();
            let broker = *broker;
            if dir != ANY {
                self.dirs
                    .insert(TopicPartitionReplica { broker, partition }, dir.to_owned());
            }
        }
        self.targets.push((partition, replicas));
        Ok(())
    }

    /// The targets, where they can be begun: each partition once, and on each broker once.
    pub(super) fn to_begin(&self) -> Result<Assignment, Trouble> {
        if self.targets.is_empty() {
            let message = "Partition reassignment list cannot be empty";
            return Err(Trouble::command(message));
        }
        if self.targets.iter().any(|(_, replicas)| replicas.is_empty()) {
            return Err(Trouble::command("Partition replica list cannot be empty"));
        }
        let twice = repeated(self.targets.iter().map(|(partition, _)| partition));
        if !twice.is_empty() {
            return Err(Trouble::command(format!(
                "Partition reassignment contains duplicate topic partitions: {}",
                joined(twice)
            )));
        }
        let broken = |(partition, replicas): &(TopicPartition, Vec<BrokerId>)| {
            let twice = repeated(replicas);
            let text = format!(
                "{partition} contains multiple entries for {}",
                joined(&twice)
            );
            (!twice.is_empty()).then_some(text)
        };
        let broken: Vec<String> = self.targets.iter().filter_map(broken).collect();
        if !broken.is_empty() {
            return Err(Trouble::command(format!(
                "Partition replica lists may not contain duplicate entries: {}",
                broken.join(". ")
            )));
        }
        Ok(self.targets.iter().cloned().collect())
    }
}

/// The topics of a file for `--generate`.
pub(super) fn topics(text: &str) -> Result<Vec<String>, Trouble> {
    let json = first_value(text, |error| {
        Failure::new("The input string is not a valid JSON").hint(capitalized(error))
    })?;
    json_file::check_version(&json).map_err(wrong)?;
    let name = |row: &Value| json_file::text(json_file::field(row, "topic")?).map(str::to_owned);
    let rows = rows(&json, "topics").map_err(wrong)?;
    let topics: Vec<String> = rows
        .iter()
        .map(name)
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    let twice = repeated(&topics);
    if !twice.is_empty() {
        return Err(Trouble::command(format!(
            "List of topics to reassign contains duplicate entries: {}",
            list(&twice)
        )));
    }
    Ok(topics)
}

/// What is repeated in a list, once each.
pub(super) fn repeated<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
    repeated.map(|(item, _)| item).collect()
}

fn rows<'a>(json: &'a Value, name: &str) -> Result<&'a [Value], Failure> {
    match json.get(name) {
        None => Ok(&[]),
        Some(rows) => json_file::array(rows).map(Vec::as_slice),
    }
}

/// To the reference blanks alone are a value, of no kind and without a text.
fn first_value(
    text: &str,
    malformed: impl FnOnce(serde_json::Error) -> Failure,
) -> Result<Value, Trouble> {
    if !text.is_empty() && text.trim().is_empty() {
        return Err(wrong(Failure::new("Expected JSON object, received ")));
    }
    json_file::parse(text).map_err(|error| Trouble::operation(malformed(error)))
}

/// An array of values of one kind, which the reference misses in other words than one of objects.
fn list_of<'a, T>(
    json: &'a Value,
    item: impl Fn(&'a Value) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let wrong = || Failure::new(format!("Expected `JSON array` value, received {json}"));
    let items = json.as_array().ok_or_else(wrong)?;
    items.iter().map(item).collect()
}

fn replicas(row: &Value) -> Result<Vec<BrokerId>, Failure> {
    let replicas = json_file::field(row, "replicas")?;
    list_of(replicas, |id| json_file::integer(id).map(BrokerId))
}

fn dirs(row: &Value, replicas: usize) -> Result<Vec<&str>, Failure> {
    match row.get("log_dirs") {
        None => Ok(vec![ANY; replicas]),
        Some(dirs) => list_of(dirs, json_file::text),
    }
}

fn wrong(failure: Failure) -> Trouble {
    match failure.message.starts_with("Not supported version") {
        true => Trouble::operation(failure),
        false => Trouble::mapping(failure),
    }
}

/// A plan as the tool reads it; replicas whose directory is not known may lie in any.
pub(super) fn as_json(assignment: &Assignment, dirs: &Dirs) -> Value {
    let row = |(partition, replicas): (&TopicPartition, &Vec<BrokerId>)| {
        let dir = |broker: &BrokerId| {
            let partition = partition.clone();
            let broker = *broker;
            let dir = dirs.get(&TopicPartitionReplica { broker, partition });
            dir.map_or(ANY, String::as_str)
        };
        json!({
            "topic": partition.topic,
            "partition": partition.partition,
            "replicas": ids(replicas),
            "log_dirs": replicas.iter().map(dir).collect::<Vec<_>>(),
        })
    };
    json!({ "version": 1, "partitions": assignment.iter().map(row).collect::<Vec<_>>() })
}

/// The same on a line, its fields in the reference's order.
pub(super) fn text(assignment: &Assignment, dirs: &Dirs) -> String {
    let json = as_json(assignment, dirs);
    let rows = rows(&json, "partitions").unwrap_or_default();
    let field = |row: &Value, name: &str| row.get(name).unwrap_or(&Value::Null).to_string();
    let fields = ["topic", "partition", "replicas", "log_dirs"];
    let row = |row: &Value| {
        let fields = fields.map(|name| format!("\"{name}\":{}", field(row, name)));
        format!("{{{}}}", fields.join(","))
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!("{{\"version\":1,\"partitions\":[{}]}}", rows.join(","))
}

pub(super) fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

/// `a,b`.
pub(super) fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

/// `[a, b]`, as Java shows a list.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a plan, if anything is.
    fn wrong_with(text: &str) -> String {
        let outcome = Plan::parse(text).and_then(|plan| plan.to_begin().map(drop));
        outcome.map_or_else(
            |trouble| trouble.told().unwrap().1.message,
            |()| String::new(),
        )
    }

    #[test]
    fn a_plan_names_replicas_and_the_directories_of_some() {
        let text = r#"{"partitions": [{"topic": "t", "partition": 3, "replicas": [2, 1], "log_dirs": ["any", "/a"]}]}"#;
        let plan = Plan::parse(text).unwrap();
        let at = TopicPartition::new("t", 3);
        let replica = TopicPartitionReplica {
            broker: BrokerId(1),
            partition: at.clone(),
        };
        assert_eq!(plan.dirs, Dirs::from([(replica, "/a".to_owned())]));
        let replicas = vec![BrokerId(2), BrokerId(1)];
        assert_eq!(plan.targets, [(at, replicas)]);
        assert_eq!(
            super::text(&plan.to_begin().unwrap(), &plan.dirs),
            r#"{"version":1,"partitions":[{"topic":"t","partition":3,"replicas":[2,1],"log_dirs":["any","/a"]}]}"#
        );
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_told_in_the_references_words() {
        let row = |rows: &str| wrong_with(&format!("{{\"partitions\": [{rows}]}}"));
        let t0 = r#"{"topic": "t", "partition": 0, "replicas": [1]}"#;
        assert_eq!(row(t0), "");
        assert_eq!(row(""), "Partition reassignment list cannot be empty");
        assert_eq!(
            row(r#"{"topic": "t", "partition": 0, "replicas": []}"#),
            "Partition replica list cannot be empty"
        );
        assert_eq!(
            row(&format!("{t0}, {t0}")),
            "Partition reassignment contains duplicate topic partitions: t-0"
        );
        assert_eq!(
            row(r#"{"topic": "t", "partition": 0, "replicas": [1, 2, 1, 2]}"#),
            "Partition replica lists may not contain duplicate entries: t-0 contains multiple entries for 1,2"
        );
        assert_eq!(
            row(r#"{"topic": "t", "partition": 0, "replicas": [1, 2], "log_dirs": ["any"]}"#),
            "Size of replicas list [1, 2] is different from size of log dirs list [any] for partition t-0"
        );
        assert_eq!(
            wrong_with(r#"{"version": 2}"#),
            "Not supported version field value 2"
        );
    }
}
