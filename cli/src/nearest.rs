//! The name of a topic or group that somebody probably meant, asked of the cluster where something has failed anyway.
//!
//! Always: nothing is said where the cluster does not answer this too; the failure stays the one that it was.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_client::admin::Admin;
use regex::Regex;

use crate::meant::meant;

/// After so long without what was asked for it is worth a look whether there can be any.
pub(crate) const LOOK_AFTER: Duration = Duration::from_secs(1);

/// So many slips of the pen are told.
pub(crate) const NAMES_MAX: usize = 10;

/// A sentence, where there is a topic with nearly this name.
pub(crate) async fn topic(name: &str, admin: &Admin) -> Option<String> {
    sentence(name, &names_of_topics(admin).await?)
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
    let Some(known) = names_of_topics(admin).await else {
        return Vec::new();
    };
    let missing = names
        .iter()
        .filter(|name| !known.iter().any(|known| known == **name));
    missing
        .filter_map(|name| sentence(name, &known))
        .take(NAMES_MAX)
        .collect()
}

/// A sentence, where there is a group with nearly this id.
pub(crate) async fn group(id: &str, admin: &Admin) -> Option<String> {
    let (groups, _) = admin.list_groups(&[], &[]).await.ok()?;
    sentence(id, groups.iter().map(|group| &group.id))
}

/// Where there is no such topic: a sentence that says so, and the one that was probably meant.
pub(crate) async fn of_missing_topic(name: &str, admin: &Admin) -> Vec<String> {
    let is_meant = |known: &str| known == name;
    let missing = format!("Topic {name} does not exist (yet).");
    of_none(is_meant, missing, name, admin).await
}

/// Where no topic fits a pattern: a sentence that says so, and the topic that was probably meant.
pub(crate) async fn of_unmatched(pattern: &Regex, admin: &Admin) -> Vec<String> {
    let text = pattern.as_str();
    let inner = text
        .strip_prefix("^(?:")
        .and_then(|text| text.strip_suffix(")$"));
    let text = inner.unwrap_or(text);
    let missing = format!("No topic fits {text} (yet).");
    of_none(|name| pattern.is_match(name), missing, text, admin).await
}

/// Where there is no such topic: that it is missing, and the one whose name is nearest.
async fn of_none(
    is_meant: impl Fn(&str) -> bool,
    missing: String,
    name: &str,
    admin: &Admin,
) -> Vec<String> {
    match names_of_topics(admin).await {
        Some(names) if !names.iter().any(|name| is_meant(name)) => [missing]
            .into_iter()
            .chain(sentence(name, &names))
            .collect(),
        _ => Vec::new(),
    }
}

async fn names_of_topics(admin: &Admin) -> Option<Vec<String>> {
    let topics = admin.list_topics().await.ok()?;
    Some(topics.into_iter().map(|topic| topic.name).collect())
}

pub(crate) fn sentence<'a, S: AsRef<str> + ?Sized + 'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a S>,
) -> Option<String> {
    let known = known.into_iter().map(AsRef::as_ref);
    meant(name, known).map(|known| format!("Did you mean '{known}'?"))
}
