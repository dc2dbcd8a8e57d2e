//! What a broker tells of a configuration that was changed, once it knows of that.

use std::collections::BTreeSet;

use ottla_client::admin::{
    Admin, AlterOp, AlterResource, ConfigEntry, ConfigResource, ConfigSource, DescribeDetail,
};

use super::until_known;

/// Waits until every broker tells of these changes, which were made.
pub(crate) async fn until_altered(changes: &[AlterResource], admin: &Admin) {
    // What has no source of its own, a logger, is with the broker that has answered.
    let changes: Vec<&AlterResource> = changes
        .iter()
        .filter(|altered| altered.resource.own_source().is_some())
        .collect();
    if changes.is_empty() {
        return;
    }
    let resources: Vec<ConfigResource> = changes
        .iter()
        .map(|altered| altered.resource.clone())
        .collect();
    let keys = changes.iter().flat_map(|altered| &altered.changes);
    let keys: BTreeSet<&String> = keys.map(|(key, _)| key).collect();
    let keys: Vec<String> = keys.into_iter().cloned().collect();
    let detail = DescribeDetail {
        synonyms: false,
        documentation: false,
    };
    until_known(admin, async |admin| {
        let found = admin.describe_configs(&resources, Some(&keys), detail);
        // The answers are in the order of the question.
        found.await.map_or(true, |found| {
            let mut told = changes.iter().zip(&found);
            told.all(|(altered, (_, told))| match told {
                Ok(entries) => is_known(altered, entries),
                Err(_) => true,
            })
        })
    })
    .await;
}

fn is_known(altered: &AlterResource, entries: &[ConfigEntry]) -> bool {
    let own = altered.resource.own_source();
    let mut changes = altered.changes.iter();
    own.is_none_or(|own| changes.all(|change| is_told(change, own, entries)))
}

fn is_told((key, change): &(String, AlterOp), own: ConfigSource, entries: &[ConfigEntry]) -> bool {
    let mut entries = entries.iter();
    let told = entries.find(|entry| entry.name == key.as_str() && entry.source == own);
    match (change, told) {
        (AlterOp::Set(value), Some(told)) => is_same(value, told.value.as_deref()),
        (AlterOp::Set(_), None) => false,
        (AlterOp::Delete, told) => told.is_none(),
        (AlterOp::Append(_) | AlterOp::Subtract(_), _) => true,
    }
}

/// Brokers tell what they have understood: `007` is 7, and `TRUE` is true. What is secret they do not tell.
fn is_same(asked: &str, told: Option<&str>) -> bool {
    let Some(told) = told else {
        return true;
    };
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let letters = |text: &str| text.replace(char::is_whitespace, "").to_lowercase();
    letters(asked) == letters(told) || number(asked).is_some_and(|n| Some(n) == number(told))
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::{ConfigType, ResourceType};
    use ottla_protocol::wire::StrBytes;

    use super::*;

    fn entry(name: &str, value: Option<&str>, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            name: name.into(),
            value: value.map(StrBytes::from),
            source,
            is_read_only: false,
            is_sensitive: value.is_none(),
            synonyms: Vec::new(),
            kind: ConfigType::Unknown,
            documentation: None,
        }
    }

    #[test]
    fn a_change_is_known_where_the_broker_tells_it_as_it_has_understood_it() {
        let own = ConfigSource::DynamicTopic;
        let is_known = |change: AlterOp, value: Option<&str>, source: ConfigSource| {
            let altered = AlterResource {
                resource: ConfigResource::new(ResourceType::Topic, "t"),
                changes: vec![("k".to_owned(), change)],
            };
            is_known(&altered, &[entry("k", value, source)])
        };
        let set = |value: &str| AlterOp::Set(value.to_owned());
        for (asked, told) in [("5", "5"), ("007", "7"), ("TRUE", "true"), ("a, b", "a,b")] {
            assert!(is_known(set(asked), Some(told), own), "{asked}");
        }
        assert!(is_known(set("secret"), None, own));
        assert!(!is_known(set("5"), Some("4"), own));
        assert!(!is_known(set("5"), Some("5"), ConfigSource::Default));
        assert!(!is_known(AlterOp::Delete, Some("5"), own));
        assert!(is_known(AlterOp::Delete, Some("5"), ConfigSource::Default));
    }
}
