//! The name of a topic or group that somebody probably meant, asked of the cluster where something has failed anyway.
//!
//! Always: nothing is said where the cluster does not answer this too; the failure stays the one that it was.

use std::collections::BTreeSet;

use ottla_client::admin::Admin;
use regex::Regex;

use crate::meant::meant;

/// So many slips of the pen are told.
const NAMES_MAX: usize = 10;

/// A sentence, where there is a topic with nearly this name.
pub(crate) async fn topic(name: &str, admin: &Admin) -> Option<String> {
    let topics = admin.list_topics().await.ok()?;
    sentence(name, topics.iter().map(|topic| topic.name.as_str()))
}

/// The same for several names, each once: only so many, as a file may have any number.
pub(crate) async fn topics<'a>(
    names: impl IntoIterator<Item = &'a str>,
    admin: &Admin,
) -> Vec<String> {
    let names: BTreeSet<&str> = names.into_iter().collect();
    if names.is_empty() {
        return Vec::new();
    }
    let Ok(topics) = admin.list_topics().await else {
        return Vec::new();
    };
    let known = || topics.iter().map(|topic| topic.name.as_str());
    let missing = names
        .iter()
        .filter(|name| !known().any(|known| known == **name));
    missing
        .filter_map(|name| sentence(name, known()))
        .take(NAMES_MAX)
        .collect()
}

/// A sentence, where there is a group with nearly this id.
pub(crate) async fn group(id: &str, admin: &Admin) -> Option<String> {
    let (groups, _) = admin.list_groups(&[], &[]).await.ok()?;
    sentence(id, groups.iter().map(|group| group.id.as_str()))
}

/// Where there is no such topic: a sentence that says so, and the one that was probably meant.
pub(crate) async fn of_missing_topic(name: &str, admin: &Admin) -> Vec<String> {
    let Ok(topics) = admin.list_topics().await else {
        return Vec::new();
    };
    let names = || topics.iter().map(|topic| topic.name.as_str());
    if names().any(|known| known == name) {
        return Vec::new();
    }
    let missing = format!("Topic {name} does not exist (yet).");
    [missing]
        .into_iter()
        .chain(sentence(name, names()))
        .collect()
}

/// Where no topic fits a pattern: a sentence that says so, and the topic that was probably meant.
pub(crate) async fn of_unmatched(pattern: &Regex, admin: &Admin) -> Vec<String> {
    let Ok(topics) = admin.list_topics().await else {
        return Vec::new();
    };
    let names = || topics.iter().map(|topic| topic.name.as_str());
    if names().any(|name| pattern.is_match(name)) {
        return Vec::new();
    }
    let text = pattern.as_str();
    let inner = text
        .strip_prefix("^(?:")
        .and_then(|text| text.strip_suffix(")$"));
    let text = inner.unwrap_or(text);
    [format!("No topic fits {text} (yet).")]
        .into_iter()
        .chain(sentence(text, names()))
        .collect()
}

pub(crate) fn sentence<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    meant(name, known).map(|known| format!("Did you mean '{known}'?"))
}
