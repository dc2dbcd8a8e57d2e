//! Which records are shown. Pure.
//!
//! Always: a record has to satisfy everything that was asked for; bytes that are no text, and values that are no JSON, are no
//! errors but do not have what is looked for.

use regex::bytes::Regex;
use serde_json::Value;

use ottla_client::consumer::ConsumerRecord;

use crate::jopt;
use crate::stop::{Failure, Stop};

#[derive(Debug, Default)]
pub(in crate::tools::console_consumer) struct Filter {
    key: Option<Vec<u8>>,
    headers: Vec<(String, Option<String>)>,
    fields: Vec<Field>,
    in_value: Option<Regex>,
    in_key: Option<Regex>,
}

/// A field of a JSON value, and what is to be in it.
#[derive(Debug)]
struct Field {
    path: Vec<String>,
    wanted: Option<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    text: String,
    /// The same as JSON, where it is: a number, true, false, null or something quoted.
    value: Option<Value>,
}

/// Longer patterns are nobody's work, and take long to compile.
const PATTERN_BYTES_MAX: usize = 4096;

impl Filter {
    pub(super) fn new(
        key: Option<Vec<u8>>,
        headers: &[String],
        fields: &[String],
        in_value: &[String],
        in_key: &[String],
    ) -> Result<Self, Stop> {
        let named = |text: &String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        };
        Ok(Self {
            key,
            headers: headers.iter().map(named).collect(),
            fields: fields.iter().map(|text| Field::of(named(text))).collect(),
            in_value: pattern("grep", in_value)?,
            in_key: pattern("grep-key", in_key)?,
        })
    }

    /// Whether every record is let through.
    pub(in crate::tools::console_consumer) fn is_open(&self) -> bool {
        self.key.is_none()
            && self.headers.is_empty()
            && self.fields.is_empty()
            && self.in_value.is_none()
            && self.in_key.is_none()
    }

    pub(in crate::tools::console_consumer) fn allows(&self, record: &ConsumerRecord) -> bool {
        let bytes = |part: &Option<bytes::Bytes>| part.clone().unwrap_or_default();
        let found = |pattern: &Option<Regex>, part| {
            let mut patterns = pattern.iter();
            patterns.all(|pattern| pattern.is_match(&bytes(part)))
        };
        let mut keys = self.key.iter();
        keys.all(|key| record.key.as_deref() == Some(key))
            && self.headers.iter().all(|wanted| has_header(record, wanted))
            && found(&self.in_key, &record.key)
            && found(&self.in_value, &record.value)
            && self.has_fields(record)
    }

    fn has_fields(&self, record: &ConsumerRecord) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        let value = record.value.as_deref().unwrap_or_default();
        let value: Result<Value, _> = serde_json::from_slice(value);
        value.is_ok_and(|value| self.fields.iter().all(|field| field.is_in(&value)))
    }
}

fn has_header(record: &ConsumerRecord, (name, value): &(String, Option<String>)) -> bool {
    let mut headers = record.headers.iter();
    headers.any(|header| {
        let mut values = value.iter();
        *header.key == *name.as_bytes()
            && values.all(|value| header.value.as_deref() == Some(value.as_bytes()))
    })
}

fn pattern(option: &str, given: &[String]) -> Result<Option<Regex>, Stop> {
    let Some(text) = jopt::one(option, given)? else {
        return Ok(None);
    };
    if text.len() > PATTERN_BYTES_MAX {
        let reason = format!("--{option} takes patterns of up to {PATTERN_BYTES_MAX} bytes.");
        return Err(Stop::failed(reason));
    }
    let compiled = Regex::new(text).map_err(|error| {
        Failure::new(format!("Cannot parse argument '{text}' of option {option}"))
            .hint(error.to_string())
    })?;
    Ok(Some(compiled))
}

impl Field {
    fn of((path, wanted): (String, Option<String>)) -> Self {
        // As jq writes it, with a point before the first name.
        let path = path.strip_prefix('.').unwrap_or(&path);
        Self {
            path: path.split('.').map(str::to_owned).collect(),
            wanted: wanted.map(|text| Wanted {
                value: serde_json::from_str(&text).ok(),
                text,
            }),
        }
    }

    fn is_in(&self, value: &Value) -> bool {
        let mut path = self.path.iter();
        let found = path.try_fold(value, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
            _ => None,
        });
        match (found, &self.wanted) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(Value::String(text)), Some(wanted)) if *text == wanted.text => true,
            (Some(found), Some(wanted)) => wanted.value.as_ref() == Some(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use ottla_protocol::records::{OwnedHeader, TimestampType};

    use super::*;

    fn record(key: &'static str, value: &'static str) -> ConsumerRecord {
        let header = |key: &'static str, value: Option<&'static str>| OwnedHeader {
            key: Bytes::from_static(key.as_bytes()),
            value: value.map(|value| Bytes::from_static(value.as_bytes())),
        };
        ConsumerRecord {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: Some(Bytes::from_static(key.as_bytes())),
            value: Some(Bytes::from_static(value.as_bytes())),
            headers: vec![header("trace", Some("a=b")), header("empty", None)],
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn filter(key: Option<&str>, headers: &str, fields: &str, value: &str, keys: &str) -> Filter {
        let key = key.map(|key| key.as_bytes().to_vec());
        let lists = [headers, fields, value, keys].map(words);
        let [headers, fields, value, keys] = &lists;
        Filter::new(key, headers, fields, value, keys).expect("good patterns")
    }

    #[test]
    fn keys_and_headers_are_compared_whole() {
        let seen = record("k1", "v");
        assert!(filter(None, "", "", "", "").allows(&seen));
        assert!(filter(Some("k1"), "", "", "", "").allows(&seen));
        assert!(!filter(Some("k"), "", "", "", "").allows(&seen));
        for (headers, expected) in [
            ("trace", true),
            ("trace=a=b", true),
            ("trace=a", false),
            ("empty", true),
            ("empty=", false),
            ("trace empty", true),
            ("trace none", false),
        ] {
            assert_eq!(
                filter(None, headers, "", "", "").allows(&seen),
                expected,
                "{headers}"
            );
        }
    }

    #[test]
    fn fields_of_json_are_found_by_their_path() {
        let json = r#"{"id":7,"user":{"name":"Jo","tags":["a","b"]},"ok":true,"no":null}"#;
        let seen = record("k", json);
        for (field, expected) in [
            ("id", true),
            (".id=7", true),
            ("id=8", false),
            ("id=7.0", false),
            ("user.name=Jo", true),
            (r#"user.name="Jo""#, true),
            ("user.tags.1=b", true),
            ("user.tags.2", false),
            ("ok=true", true),
            ("no=null", true),
            ("no", true),
            ("name", false),
            ("id.x", false),
        ] {
            assert_eq!(
                filter(None, "", field, "", "").allows(&seen),
                expected,
                "{field}"
            );
        }
        assert!(!filter(None, "", "id", "", "").allows(&record("k", "no json")));
    }

    #[test]
    fn patterns_are_found_anywhere_also_beside_bytes_that_are_no_text() {
        let mut seen = record("order-17", "a 42 b");
        assert!(filter(None, "", "", r"\d+", r"^order-\d+$").allows(&seen));
        assert!(!filter(None, "", "", "^42", "").allows(&seen));
        seen.value = Some(Bytes::from_static(b"\xff42"));
        assert!(filter(None, "", "", "42$", "").allows(&seen));
        seen.value = None;
        assert!(!filter(None, "", "", "42", "").allows(&seen));
        let broken = Filter::new(None, &[], &[], &words("("), &[]);
        assert!(broken.is_err());
    }
}
