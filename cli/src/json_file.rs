//! Files of JSON in which tools are told what to do, and what is wrong with one in the reference's words.
//!
//! Not here: the words for text that is no JSON at all; the tools of the reference differ in them.

use serde_json::{Deserializer, Error, Value};

use ottla_client::admin::TopicPartition;

use crate::connect;
use crate::stop::Failure;

/// Far above any sensible list of partitions.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(crate) fn read(path: &str) -> Result<String, Failure> {
    let unreadable = |reason: String| {
        Failure::new(format!("Unable to read file {path}")).hint(connect::capitalized(reason))
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if size.len() > BYTES_MAX {
        return Err(unreadable(format!("it has more than {BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

/// The first value of a text; what stands behind it counts for nothing, as in the reference.
pub(crate) fn parse(text: &str) -> Result<Value, Error> {
    let mut values = Deserializer::from_str(text).into_iter();
    values.next().unwrap_or_else(|| serde_json::from_str(""))
}

/// Version 1 is the only one there is, and the one that is meant where none is named.
pub(crate) fn check_version(json: &Value) -> Result<(), Failure> {
    match object(json)?.get("version") {
        None => Ok(()),
        Some(version) => match integer(version)? {
            1 => Ok(()),
            other => Err(Failure::new(format!(
                "Not supported version field value {other}"
            ))),
        },
    }
}

pub(crate) fn field<'a>(json: &'a Value, name: &str) -> Result<&'a Value, Failure> {
    let missing = || Failure::new(format!("No such field exists: `{name}`"));
    object(json)?.get(name).ok_or_else(missing)
}

pub(crate) fn array(json: &Value) -> Result<&Vec<Value>, Failure> {
    let wrong = || Failure::new(format!("Expected JSON array, received {json}"));
    json.as_array().ok_or_else(wrong)
}

pub(crate) fn text(json: &Value) -> Result<&str, Failure> {
    json.as_str().ok_or_else(|| unexpected("String", json))
}

pub(crate) fn integer(json: &Value) -> Result<i32, Failure> {
    let number = json.as_i64().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| unexpected("Integer", json))
}

pub(crate) fn long(json: &Value) -> Result<i64, Failure> {
    json.as_i64().ok_or_else(|| unexpected("Long", json))
}

/// The partition that fields `topic` and `partition` name.
pub(crate) fn partition(json: &Value) -> Result<TopicPartition, Failure> {
    let topic = text(field(json, "topic")?)?;
    let partition = integer(field(json, "partition")?)?;
    Ok(TopicPartition::new(topic, partition))
}

fn object(json: &Value) -> Result<&serde_json::Map<String, Value>, Failure> {
    let wrong = || Failure::new(format!("Expected JSON object, received {json}"));
    json.as_object().ok_or_else(wrong)
}

fn unexpected(what: &str, found: &Value) -> Failure {
    Failure::new(format!("Expected `{what}` value, received {found}"))
}
