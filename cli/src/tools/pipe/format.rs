//! How records are told to a filter, and its answers understood. Pure.
//!
//! Always: one answer for each record, in their order. As `lines` and `length` an answer is a value, or nothing; as `json`
//! it may be several records, or an error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value};

use ottla_client::consumer::ConsumerRecord;
use ottla_client::process::Output;
use ottla_protocol::records::OwnedHeader;

use crate::record_json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The value, and a line break.
    Lines,
    /// Four bytes of length, the highest first, and the value; -1 is no value.
    Length,
    /// An object with everything there is, and a line break.
    Json,
}

impl Format {
    pub(super) const NAMES: [(&'static str, Self); 3] = [
        ("lines", Self::Lines),
        ("length", Self::Length),
        ("json", Self::Json),
    ];

    /// Adds a record to what the filter is told; or says why it can't be told so.
    pub(super) fn tell(self, record: &ConsumerRecord, to: &mut Vec<u8>) -> Result<(), String> {
        let value = record.value.as_deref();
        match self {
            Self::Lines => {
                let value = value.unwrap_or_default();
                if value.contains(&b'\n') {
                    return Err(
                        "the value has a line break: --format json or length can tell it"
                            .to_owned(),
                    );
                }
                to.extend_from_slice(value);
                to.push(b'\n');
            }
            Self::Length => {
                let length = value.map_or(Ok(-1), |value| i32::try_from(value.len()));
                let length = length.map_err(|_| "the value is too long".to_owned())?;
                to.extend_from_slice(&length.to_be_bytes());
                to.extend_from_slice(value.unwrap_or_default());
            }
            Self::Json => {
                let told = record_json::of(record);
                serde_json::to_writer(&mut *to, &told).map_err(|error| error.to_string())?;
                to.push(b'\n');
            }
        }
        Ok(())
    }

    /// What the filter wants produced for this record. Key, headers and timestamp go on from the record, unless the answer has
    /// others.
    pub(super) fn understand(
        self,
        answer: Option<Bytes>,
        record: &ConsumerRecord,
        topic: Option<&str>,
    ) -> Result<Vec<Output>, String> {
        match (self, answer) {
            (_, None) => Ok(Vec::new()),
            (Self::Lines, Some(line)) if line.is_empty() => Ok(Vec::new()),
            (Self::Lines | Self::Length, Some(value)) => {
                let topic = topic.ok_or("there is no --to for a value")?;
                Ok(vec![Output {
                    topic: topic.to_owned(),
                    value: Some(value),
                    ..like(record)
                }])
            }
            (Self::Json, Some(line)) if line.is_empty() => Ok(Vec::new()),
            (Self::Json, Some(line)) => {
                let answer = serde_json::from_slice(&line)
                    .map_err(|error| format!("the filter's answer is no JSON: {error}"))?;
                match answer {
                    Value::Null => Ok(Vec::new()),
                    Value::Array(all) => {
                        let all = all.iter().map(|one| output_of(one, record, topic));
                        all.collect()
                    }
                    Value::Object(one) if one.contains_key("error") => {
                        let text = |error: &Value| match error {
                            Value::String(text) => text.clone(),
                            other => other.to_string(),
                        };
                        Err(one.get("error").map(text).unwrap_or_default())
                    }
                    one => Ok(vec![output_of(&one, record, topic)?]),
                }
            }
        }
    }
}

fn like(record: &ConsumerRecord) -> Output {
    Output {
        key: record.key.clone(),
        headers: record.headers.clone(),
        timestamp: (record.timestamp >= 0).then_some(record.timestamp),
        ..Output::default()
    }
}

const KNOWN: [&str; 9] = [
    "topic",
    "partition",
    "offset",
    "timestamp",
    "key",
    "keyBase64",
    "value",
    "valueBase64",
    "headers",
];

fn output_of(
    answer: &Value,
    record: &ConsumerRecord,
    topic: Option<&str>,
) -> Result<Output, String> {
    let Value::Object(answer) = answer else {
        return Err(format!("the filter's answer is no object: {answer}"));
    };
    if let Some(unknown) = answer.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!(
            "the filter's answer has an unknown field: {unknown}"
        ));
    }
    let wrong = |name: &str| format!("the filter's answer has an unusable {name}");
    let mut output = like(record);
    // What came in as it was goes to --to, also where the filter leaves the record's place in it.
    let named = match answer.get("topic") {
        None | Some(Value::Null) => None,
        Some(named) => Some(named.as_str().ok_or_else(|| wrong("topic"))?),
    };
    let is_new = named.is_some_and(|named| *named != *record.topic);
    output.topic = match (named, topic) {
        (Some(named), _) if is_new => named.to_owned(),
        (_, Some(topic)) => topic.to_owned(),
        (_, None) => {
            return Err(
                "the filter's answer names no other topic, and there is no --to".to_owned(),
            );
        }
    };
    if is_new && let Some(partition) = answer.get("partition") {
        let partition = partition
            .as_i64()
            .and_then(|number| i32::try_from(number).ok());
        output.partition = Some(partition.ok_or_else(|| wrong("partition"))?);
    }
    if let Some(timestamp) = answer.get("timestamp") {
        output.timestamp = Some(timestamp.as_i64().ok_or_else(|| wrong("timestamp"))?)
            .filter(|timestamp| *timestamp >= 0);
    }
    if let Some(key) = bytes_of(answer, "key")? {
        output.key = key;
    }
    output.value = bytes_of(answer, "value")?.unwrap_or(record.value.clone());
    match answer.get("headers") {
        None => {}
        Some(Value::Array(headers)) => {
            output.headers = headers.iter().map(header_of).collect::<Result<_, _>>()?;
        }
        Some(_) => return Err(wrong("headers")),
    }
    Ok(output)
}

fn header_of(header: &Value) -> Result<OwnedHeader, String> {
    let wrong = || "the filter's answer has an unusable header".to_owned();
    let header = header.as_object().ok_or_else(wrong)?;
    let key = header
        .get("key")
        .and_then(Value::as_str)
        .ok_or_else(wrong)?;
    Ok(OwnedHeader {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: bytes_of(header, "value")?.flatten(),
    })
}

/// The field as text, or as Base64 under its other name; none where it is not there, `Some(None)` where it is null.
#[allow(clippy::option_option)]
fn bytes_of(object: &Map<String, Value>, name: &str) -> Result<Option<Option<Bytes>>, String> {
    let wrong = || format!("the filter's answer has an unusable {name}");
    if let Some(encoded) = object.get(&format!("{name}Base64")) {
        let encoded = encoded.as_str().ok_or_else(wrong)?;
        let bytes = BASE64.decode(encoded).map_err(|_| wrong())?;
        return Ok(Some(Some(bytes.into())));
    }
    match object.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(Bytes::copy_from_slice(text.as_bytes())))),
        // Numbers, objects and the like are their own JSON.
        Some(other) => Ok(Some(Some(other.to_string().into()))),
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::TimestampType;

    use super::*;

    fn record(value: Option<&'static [u8]>) -> ConsumerRecord {
        ConsumerRecord {
            topic: "in".into(),
            partition: 2,
            offset: 9,
            timestamp: 77,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: Some(Bytes::from_static(b"k")),
            value: value.map(Bytes::from_static),
            headers: vec![OwnedHeader {
                key: Bytes::from_static(b"h"),
                value: Some(Bytes::from_static(&[0xff])),
            }],
        }
    }

    fn told_as(format: Format, value: Option<&'static [u8]>) -> Result<Vec<u8>, String> {
        let mut told = Vec::new();
        format.tell(&record(value), &mut told).map(|()| told)
    }

    fn understood(format: Format, answer: &str) -> Result<Vec<Output>, String> {
        let answer = Some(Bytes::copy_from_slice(answer.as_bytes()));
        format.understand(answer, &record(Some(b"v")), Some("out"))
    }

    #[test]
    fn a_record_is_told_in_each_format() {
        assert_eq!(told_as(Format::Lines, Some(b"v")).unwrap(), b"v\n");
        assert_eq!(told_as(Format::Lines, None).unwrap(), b"\n");
        assert!(told_as(Format::Lines, Some(b"two\nlines")).is_err());
        assert_eq!(
            told_as(Format::Length, Some(b"v\n")).unwrap(),
            b"\0\0\0\x02v\n"
        );
        assert_eq!(told_as(Format::Length, None).unwrap(), b"\xff\xff\xff\xff");
        let json = told_as(Format::Json, Some(b"a\nb")).unwrap();
        let expected = concat!(
            r#"{"topic":"in","partition":2,"offset":9,"timestamp":77,"key":"k","value":"a\nb","#,
            r#""headers":[{"key":"h","valueBase64":"/w=="}]}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }

    #[test]
    fn a_plain_answer_is_a_value_with_the_record_s_key_headers_and_time() {
        for format in [Format::Lines, Format::Length] {
            let outputs = understood(format, "new").unwrap();
            let expected = Output {
                topic: "out".to_owned(),
                value: Some(Bytes::from_static(b"new")),
                ..like(&record(None))
            };
            assert_eq!(outputs, [expected]);
        }
        assert!(understood(Format::Lines, "").unwrap().is_empty());
        let empty = understood(Format::Length, "").unwrap();
        assert_eq!(empty[0].value.as_deref(), Some(&b""[..]));
        let none = Format::Length.understand(None, &record(None), Some("out"));
        assert!(none.unwrap().is_empty());
    }

    #[test]
    fn a_json_answer_is_none_one_or_several_records_or_an_error() {
        for nothing in ["", "null", "[]"] {
            assert!(understood(Format::Json, nothing).unwrap().is_empty());
        }
        let echoed = told_as(Format::Json, Some(b"v")).unwrap();
        let echoed = understood(Format::Json, std::str::from_utf8(&echoed).unwrap()).unwrap();
        let expected = Output {
            topic: "out".to_owned(),
            value: Some(Bytes::from_static(b"v")),
            ..like(&record(None))
        };
        assert_eq!(echoed, [expected], "what is only handed on goes to --to");
        let two = r#"[{"value":{"a":1},"key":null,"headers":[]},{"topic":"t","partition":3,"timestamp":5,"valueBase64":"/w=="}]"#;
        let two = understood(Format::Json, two).unwrap();
        assert_eq!(two[0].value.as_deref(), Some(&br#"{"a":1}"#[..]));
        assert_eq!((&two[0].key, two[0].headers.len()), (&None, 0));
        assert_eq!((two[1].topic.as_str(), two[1].partition), ("t", Some(3)));
        assert_eq!(two[1].timestamp, Some(5));
        assert_eq!(two[1].value.as_deref(), Some(&[0xff][..]));
        let error = understood(Format::Json, r#"{"error":"no price"}"#);
        assert_eq!(error, Err("no price".to_owned()));
        for bad in [
            "{",
            "5",
            r#"{"vlaue":"x"}"#,
            r#"{"headers":5}"#,
            r#"{"keyBase64":"*"}"#,
        ] {
            assert!(understood(Format::Json, bad).is_err(), "{bad}");
        }
    }
}
