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
use crate::options;
use crate::stop::Stop;

pub mod consumer;
pub mod producer;

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

fn tell(event: &Value, cx: &mut Context) -> Result<(), Stop> {
    writeln!(cx.out, "{event}")?;
    Ok(cx.flush()?)
}

/// Help where there are no words at all, with status 0.
fn show_help(command: clap::Command, cx: &mut Context) -> Result<(), Stop> {
    let help = command.bin_name(&cx.program).render_long_help();
    Ok(write!(cx.out, "{help}")?)
}

/// The properties of the file, by its new or its old option.
fn properties_of(
    program: &str,
    new: Option<String>,
    (old_name, old): (&str, Option<String>),
    cx: &mut Context,
) -> Result<Vec<(String, String)>, Stop> {
    if new.is_some() && old.is_some() {
        let reason = format!("Options {old_name} and --command-config are mutually exclusive.");
        return Err(refused(program, &reason));
    }
    if old.is_some() {
        writeln!(
            cx.out,
            "Option {old_name} has been deprecated and will be removed in a future version. Use --command-config instead."
        )?;
    }
    match new.or(old) {
        Some(path) => Ok(options::read_properties(&path)?),
        None => Ok(Vec::new()),
    }
}
