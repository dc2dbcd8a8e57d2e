//! The results as data: docs/json/configs.md. Pure.

use ottla_client::admin::ConfigEntry;
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
                "name": synonym.name,
                "value": synonym.value,
                "source": synonym.source.name(),
            })
        });
        json!({
            "name": entry.name,
            "value": entry.value,
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

pub(super) fn altered(kind: Kind, name: &str) -> Report {
    let entity = json!({ "entityType": kind.plural, "entityName": named(name), "altered": true });
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
