//! The pieces of `to_json`: how the reference's JSON converter writes each type.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::wire::{StrBytes, UnknownTags, Uuid};

/// An object under construction.
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn new() -> Self {
        Self(Map::new())
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Unknown tagged fields are shown as `_unknownTags` (the reference drops them), their numbers signed as in Java.
    pub(super) fn finish(mut self, unknown: &UnknownTags) -> Value {
        if !unknown.is_empty() {
            let tags = unknown
                .iter()
                .map(|(tag, value)| Value::from(vec![Value::from(*tag as i32), base64(value)]));
            self.put("_unknownTags", tags.collect());
        }
        Value::Object(self.0)
    }
}

pub(super) fn nullable<T>(value: Option<&T>, json: impl FnOnce(&T) -> Value) -> Value {
    value.map_or(Value::Null, json)
}

pub(super) fn array<T>(items: &[T], json: impl Fn(&T) -> Value) -> Value {
    items.iter().map(json).collect()
}

pub(super) fn text(value: &StrBytes) -> Value {
    Value::from(value.as_str())
}

pub(super) fn base64(value: &Bytes) -> Value {
    Value::from(STANDARD.encode(value))
}

pub(super) fn uuid(value: &Uuid) -> Value {
    Value::from(value.to_string())
}
