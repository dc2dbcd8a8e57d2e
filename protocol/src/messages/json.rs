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

/// The text of a value as the reference's library writes it: no blanks, and capital digits in escapes.
#[must_use]
pub fn to_text(value: &Value) -> String {
    let text = value.to_string();
    if !text.contains("\\u00") {
        return text;
    }
    let mut capital = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let len = if escape.starts_with("\\u") { 6 } else { 2 };
        let (escape, behind) = escape.split_at_checked(len).unwrap_or((escape, ""));
        capital.push_str(before);
        match escape.strip_prefix("\\u") {
            Some(digits) => {
                capital.push_str("\\u");
                capital.push_str(&digits.to_ascii_uppercase());
            }
            None => capital.push_str(escape),
        }
        rest = behind;
    }
    capital + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_with_capital_digits() {
        let text = "a\u{1f}\\u001f\n\"\u{7f}é";
        assert_eq!(
            to_text(&Value::from(vec![text])),
            "[\"a\\u001F\\\\u001f\\n\\\"\u{7f}é\"]"
        );
        assert_eq!(to_text(&Value::from(1)), "1");
    }
}
