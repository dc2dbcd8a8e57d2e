//! The topics of a run: `NAME:PARTITIONS:KEY=VALUE,KEY=VALUE`, the short form, and files.

use std::collections::BTreeMap;

use ottla_cli::Failure;
use ottla_cli::declare::{self, Declared, Topic};

/// All of them together. A file's cluster id is that of another cluster.
pub(super) fn declared(files: &[String], topics: &[(String, Topic)]) -> Result<Declared, Failure> {
    let mut declared = declare::read(files)?;
    declared.cluster_id = None;
    for (name, topic) in topics {
        let all = declared.topics.get_or_insert_default();
        if all.insert(name.clone(), topic.clone()).is_some() {
            return Err(Failure::new(format!(
                "The topic {name} is there more than once."
            )));
        }
    }
    Ok(declared)
}

/// A comma begins another key only where a key follows it: `cleanup.policy=compact,delete` is one.
pub(super) fn parse(text: &str) -> Result<(String, Topic), String> {
    let mut parts = text.splitn(3, ':');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() {
        return Err("the name is missing".to_owned());
    }
    let partitions = match parts.next() {
        None | Some("") => None,
        Some(count) => Some(partitions(count)?),
    };
    let mut configs: Vec<(String, String)> = Vec::new();
    for piece in parts.next().into_iter().flat_map(|all| all.split(',')) {
        match (piece.split_once('='), configs.last_mut()) {
            (Some((key, value)), _) => configs.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(piece);
            }
            (None, None) => return Err(format!("'{piece}' is not KEY=VALUE")),
        }
    }
    let topic = Topic {
        partitions,
        configs: Some(BTreeMap::from_iter(configs)),
        replication_factor: None,
    };
    Ok((name.to_owned(), topic))
}

fn partitions(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("'{text}' is no number of partitions")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_configs_may_be_left_out() {
        let parsed = |text| {
            let (name, topic) = parse(text).unwrap();
            let configs = topic.configs.unwrap();
            let configs = configs
                .into_iter()
                .map(|(key, value)| format!("{key}={value}"));
            (name, topic.partitions, configs.collect::<Vec<String>>())
        };
        let no_configs: Vec<String> = Vec::new();
        assert_eq!(parsed("a"), ("a".to_owned(), None, no_configs.clone()));
        assert_eq!(parsed("a.b:3"), ("a.b".to_owned(), Some(3), no_configs));
        let configs = ["cleanup.policy=compact,delete", "retention.ms=1"].map(str::to_owned);
        let text = "a::cleanup.policy=compact,delete,retention.ms=1";
        assert_eq!(parsed(text), ("a".to_owned(), None, configs.to_vec()));
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        for text in ["", ":3", "a:0", "a:-1", "a:x", "a:1:compact", "a:1:"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
