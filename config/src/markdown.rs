//! docs/config.md, written from the tables.

use std::fmt::Write;

use crate::def::{Def, DefaultValue, Effect, Table, UpdateMode};
use crate::{admin, broker, consumer, group, producer, topic};

const HEAD: &str = "# Configuration

Every key that Ottla knows, with Apache Kafka's names, types and defaults. Generated from the tables in `config/src`
by `cargo xtask gen`; edit those. Broker and topic keys marked *no effect yet* are accepted and checked, and change
nothing so far.
";

pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, "Broker", &broker::TABLE, true);
    section(&mut out, "Topic", &topic::TABLE, true);
    section(&mut out, "Group", &group::TABLE, true);
    section(&mut out, "Producer", &producer::TABLE, false);
    section(&mut out, "Consumer", &consumer::TABLE, false);
    section(&mut out, "Admin client", &admin::TABLE, false);
    out
}

fn section(out: &mut String, title: &str, table: &'static Table, on_the_broker: bool) {
    let _ = write!(
        out,
        "\n## {title}\n\n| key | type | default | accepted | importance | |\n|---|---|---|---|---|---|\n"
    );
    for def in table.iter() {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} |",
            def.key,
            def.ty,
            default_cell(def),
            escape(&def.valid.to_string()),
            def.importance.name(),
            remarks(def, on_the_broker),
        );
    }
}

fn default_cell(def: &Def) -> String {
    match def.default {
        DefaultValue::Required => "*required*".to_owned(),
        DefaultValue::Null => "none".to_owned(),
        DefaultValue::Value("") => "empty".to_owned(),
        DefaultValue::Value(text) => format!("`{}`", escape(text)),
    }
}

fn remarks(def: &Def, on_the_broker: bool) -> String {
    let mut text = escape(def.doc);
    if !def.synonyms.is_empty() {
        let keys: Vec<String> = def
            .synonyms
            .iter()
            .map(|synonym| format!("`{}`", synonym.key))
            .collect();
        let _ = write!(text, " Default from the broker's {}.", keys.join(", "));
    }
    if def.update != UpdateMode::ReadOnly {
        let _ = write!(text, " Changeable at run time ({}).", def.update.name());
    }
    if on_the_broker && def.effect == Effect::None {
        text.push_str(" *No effect yet.*");
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
