//! `kafka-verifiable-producer` and `kafka-verifiable-consumer`: workers of tests, which tell what they do as JSON, one object a
//! line: docs/json/verifiable.md.
//!
//! Always: each line is flushed as it comes, and what happens after a signal is told as well; the tool then ends with 128 and
//! the signal's number. Without a broker they wait for one, and tell a person so.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::argparse::refused;
use crate::context::Context;
use crate::help_text;
use crate::options;
use crate::output::{Format, Rows, Stream};
use crate::stop::Stop;

pub mod consumer;
pub mod producer;

/// Of the events as `--output` tells them; the reference's own have none.
const VERSION: u32 = 1;

/// An event: when, what, and more.
fn event(name: &str, fields: Value) -> Value {
    let mut event = Map::new();
    event.insert(
        "timestamp".to_owned(),
        Timestamp::now().as_millisecond().into(),
    );
    event.insert("name".to_owned(), name.into());
    if let Value::Object(fields) = fields {
        event.extend(fields);
    }
    Value::Object(event)
}

/// Where events are told: as the reference's, or in a form of `--output`.
struct Events<'a> {
    cx: &'a mut Context,
    data: Option<Stream>,
}

impl<'a> Events<'a> {
    fn new(format: Format, columns: &'static [&'static str], cx: &'a mut Context) -> Self {
        let within = &[];
        let data = Stream::of(format, Rows { within, columns });
        Self { cx, data }
    }

    fn tell(&mut self, event: &Value) -> Result<(), Stop> {
        let Some(data) = &mut self.data else {
            writeln!(self.cx.out, "{event}")?;
            return Ok(self.cx.flush()?);
        };
        let mut told = Map::new();
        told.insert("version".to_owned(), VERSION.into());
        told.extend(event.as_object().cloned().unwrap_or_default());
        Ok(data.tell(told.into(), self.cx)?)
    }
}

/// Help where there are no words at all, with status 0.
fn show_help(command: clap::Command, cx: &mut Context) -> Result<(), Stop> {
    let help = help_text::long(command.bin_name(&cx.program));
    Ok(write!(cx.out, "{help}")?)
}

/// Which cluster, and how to talk to it.
#[derive(Debug, Clone, clap::Args)]
struct Connection {
    /// A file with properties of the client: the producer's win over options, the consumer's do not
    #[arg(long, value_name = "FILE")]
    command_config: Option<String>,
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: String,
}

impl Connection {
    /// The properties of the file, by its new option or its old one.
    fn properties(
        &self,
        program: &str,
        (old_name, old): (&str, Option<&String>),
        format: Format,
        cx: &mut Context,
    ) -> Result<Vec<(String, String)>, Stop> {
        let new = self.command_config.as_ref();
        if new.is_some() && old.is_some() {
            let reason = format!("Options {old_name} and --command-config are mutually exclusive.");
            return Err(refused(program, &reason));
        }
        if old.is_some() {
            let notice = format!(
                "Option {old_name} has been deprecated and will be removed in a future version. Use --command-config instead."
            );
            format.note(notice, cx)?;
        }
        match new.or(old) {
            Some(path) => Ok(options::read_properties(path)?),
            None => Ok(Vec::new()),
        }
    }
}
