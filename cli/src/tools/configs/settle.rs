//! What a broker tells of a configuration that was changed, once it knows of that.

use ottla_client::admin::{Admin, AlterOp, ConfigEntry, ConfigSource, DescribeDetail};

use super::plan::Kind;
use crate::settling::until_known;

pub(super) async fn until_altered(
    kind: Kind,
    name: &str,
    changes: &[(String, AlterOp)],
    admin: &Admin,
) {
    // What has no source of its own, a logger, is with the broker that has answered.
    let Some(own) = kind.own_source(name) else {
        return;
    };
    let resource = [kind.resource(name)];
    let keys: Vec<String> = changes.iter().map(|(key, _)| key.clone()).collect();
    let detail = DescribeDetail {
        synonyms: false,
        documentation: false,
    };
    until_known(admin, async |admin| {
        let found = admin.describe_configs(&resource, Some(&keys), detail).await;
        match found.as_deref() {
            Ok([(_, Ok(entries))]) => changes.iter().all(|change| is_told(change, own, entries)),
            _ => true,
        }
    })
    .await;
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
    use ottla_client::admin::ConfigType;
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
        let is_told = |change: AlterOp, value: Option<&str>, source: ConfigSource| {
            is_told(&("k".to_owned(), change), own, &[entry("k", value, source)])
        };
        let set = |value: &str| AlterOp::Set(value.to_owned());
        for (asked, told) in [("5", "5"), ("007", "7"), ("TRUE", "true"), ("a, b", "a,b")] {
            assert!(is_told(set(asked), Some(told), own), "{asked}");
        }
        assert!(is_told(set("secret"), None, own));
        assert!(!is_told(set("5"), Some("4"), own));
        assert!(!is_told(set("5"), Some("5"), ConfigSource::Default));
        assert!(!is_told(AlterOp::Delete, Some("5"), own));
        assert!(is_told(AlterOp::Delete, Some("5"), ConfigSource::Default));
    }
}
