//! How a result looks: as people read it, or as JSON.
//!
//! Always: JSON is one object on one line that tells its version; `docs/json` says what it has.

use serde_json::Value;

use crate::jopt;
use crate::stop::Stop;

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

/// The value of `--output`, where options may be repeated.
pub(crate) fn format(output: &[String]) -> Result<Format, Stop> {
    match jopt::one("output", output)? {
        None | Some("table") => Ok(Format::Table),
        Some("json") => Ok(Format::Json),
        Some(other) => Err(Stop::Usage(format!(
            "There is no format '{other}'; --output takes table or json."
        ))),
    }
}

/// The whole of what standard output gets.
pub(crate) fn json_text(value: &Value) -> String {
    format!("{value}\n")
}
