//! A record as a JSON object, as `ottla pipe` tells its filters and `console-consumer --format json` its readers. Pure.
//!
//! Always: bytes that are no text are there as Base64, under a name of their own; so nothing is lost.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use ottla_client::consumer::ConsumerRecord;

/// Everything there is; docs/json/console-consumer.md has the form.
pub(crate) fn of(record: &ConsumerRecord) -> Value {
    of_parts(record, record.key.as_deref(), record.value.as_deref())
}

/// The same with a key and a value of which something else was made.
pub(crate) fn of_parts(record: &ConsumerRecord, key: Option<&[u8]>, value: Option<&[u8]>) -> Value {
    let mut object = Map::new();
    add_to(&mut object, record, key, value);
    Value::Object(object)
}

/// The same behind what is there already.
pub(crate) fn add_to(
    object: &mut Map<String, Value>,
    record: &ConsumerRecord,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    object.insert("topic".to_owned(), (*record.topic).into());
    object.insert("partition".to_owned(), record.partition.into());
    object.insert("offset".to_owned(), record.offset.into());
    object.insert("timestamp".to_owned(), record.timestamp.into());
    put(object, "key", key);
    put(object, "value", value);
    object.insert("headers".to_owned(), headers(record));
}

/// In their order, each with key and value.
pub(crate) fn headers(record: &ConsumerRecord) -> Value {
    let headers = record.headers.iter().map(|header| {
        let mut object = Map::new();
        let key = String::from_utf8_lossy(&header.key);
        object.insert("key".to_owned(), json!(key));
        put(&mut object, "value", header.value.as_deref());
        Value::Object(object)
    });
    headers.collect()
}

/// Bytes that are no text get a name of their own.
pub fn put(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let (name, value) = match bytes.map(std::str::from_utf8) {
        None => (name.to_owned(), Value::Null),
        Some(Ok(text)) => (name.to_owned(), text.into()),
        Some(Err(_)) => {
            let bytes = BASE64.encode(bytes.unwrap_or_default());
            (format!("{name}Base64"), bytes.into())
        }
    };
    object.insert(name, value);
}
