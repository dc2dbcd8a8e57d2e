//! How a result looks: as people read it, or as JSON.
//!
//! Always: JSON is one object on one line that tells its version; `docs/json` says what it has.

use ottla_client::ApiError;
use serde_json::{Value, json};

use crate::jopt;
use crate::stop::Stop;

#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// How the result looks: table or json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Json,
}

impl Format {
    /// As `--output` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
        }
    }
}

/// The value of `--output`, where options may be repeated.
pub fn format(output: &[String]) -> Result<Format, Stop> {
    match jopt::one("output", output)? {
        None | Some("table") => Ok(Format::Table),
        Some("json") => Ok(Format::Json),
        Some(other) => Err(Stop::Usage(format!(
            "There is no format '{other}'; --output takes table or json."
        ))),
    }
}

pub(crate) fn json_error(error: &ApiError) -> Value {
    json!({ "code": error.code.name(), "message": error.text() })
}

/// The whole of what standard output gets.
pub fn json_text(value: &Value) -> String {
    format!("{value}\n")
}
