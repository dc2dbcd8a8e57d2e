//! The results as data: docs/json/configs.md. Pure.

use ottla_client::admin::{ConfigEntry, Outcomes, Quotas, ScramCredential};
use serde_json::{Value, json};

use super::plan::Kind;
use crate::output::{Report, Rows};

const VERSION: u32 = 1;

/// The entities and what is shown of each.
pub(super) fn described(entities: Vec<Value>) -> Report {
    Report {
        value: json!({ "version": VERSION, "entities": entities }),
        rows: Rows {
            within: &["entities", "configs"],
            columns: &[
                "entityType",
                "entityName",
                "name",
                "value",
                "source",
                "sensitive",
                "readOnly",
                "synonyms",
            ],
        },
    }
}

pub(super) fn entity(kind: Kind, name: &str, entries: &[&ConfigEntry]) -> Value {
    let config = |entry: &&ConfigEntry| {
        let synonyms = entry.synonyms.iter().map(|synonym| {
            json!({
                "name": &*synonym.name,
                "value": synonym.value.as_deref(),
                "source": synonym.source.name(),
            })
        });
        json!({
            "name": &*entry.name,
            "value": entry.value.as_deref(),
            "source": entry.source.name(),
            "sensitive": entry.is_sensitive,
            "readOnly": entry.is_read_only,
            "synonyms": synonyms.collect::<Vec<_>>(),
        })
    };
    json!({
        "entityType": kind.plural,
        "entityName": named(name),
        "configs": entries.iter().map(config).collect::<Vec<_>>(),
    })
}

/// Quotas of users, clients and addresses, and credentials of users.
pub(super) fn quotas(
    found: &[Quotas],
    credentials: &Outcomes<String, Vec<ScramCredential>>,
) -> Report {
    let entity = |quotas: &Quotas| {
        let parts = quotas.entity.iter();
        let parts = parts.map(|(kind, name)| json!({ "type": kind.name(), "name": name }));
        let configs = quotas.values.iter();
        let configs = configs.map(|(key, value)| json!({ "name": key, "value": value }));
        json!({
            "entity": parts.collect::<Vec<_>>(),
            "configs": configs.collect::<Vec<_>>(),
        })
    };
    let found: Vec<Value> = found.iter().map(entity).collect();
    let mut known: Vec<Value> = Vec::new();
    for (user, outcome) in credentials {
        known.extend(outcome.iter().flatten().map(|credential| {
            json!({
                "user": user,
                "mechanism": credential.mechanism.name(),
                "iterations": credential.iterations,
            })
        }));
    }
    Report {
        value: json!({ "version": VERSION, "quotas": found, "credentials": known }),
        rows: Rows {
            within: &["quotas|credentials", "configs"],
            columns: &["entity", "name", "value", "user", "mechanism", "iterations"],
        },
    }
}

/// `plural` is the type of the entity as options name it; of a user with a client the first of the two.
pub(super) fn altered(plural: &str, name: &str) -> Report {
    let entity = json!({ "entityType": plural, "entityName": named(name), "altered": true });
    Report {
        value: json!({ "version": VERSION, "entities": [entity] }),
        rows: Rows {
            within: &["entities"],
            columns: &["entityType", "entityName", "altered"],
        },
    }
}

/// The default entity has no name.
fn named(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}
