//! How a result looks: as people read it, or as JSON.
//!
//! Always: JSON is one object on one line that tells its version; `docs/json` says what it has.

use serde_json::Value;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Output {
    /// How the result looks: table or json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// The whole of what standard output gets.
pub(crate) fn json_text(value: &Value) -> String {
    format!("{value}\n")
}
