//! How a record is shown by `--format`. Pure.

use std::cell::RefCell;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use ottla_client::consumer::ConsumerRecord;

use crate::output::{self, Rows, Stream};
use crate::record_json;
use crate::stop::{Failure, Stop};
use crate::tools::console_consumer::deserializers::{DeserializeError, Deserializer, put};

#[derive(Debug)]
pub(in crate::tools::console_consumer) struct Template {
    form: Form,
    /// What is made of keys and values first, where something is.
    key: Option<Deserializer>,
    value: Option<Deserializer>,
}

#[derive(Debug)]
enum Form {
    /// An object per line.
    Json,
    /// The same with line breaks, and with values that are JSON themselves as such: for people.
    PrettyJson,
    Parts(Vec<Part>),
    /// As `--output` has it. What a stream has told already decides about the next line.
    Data(RefCell<Stream>),
}

/// Of the rows of `--output`.
const COLUMNS: &[&str] = &[
    "topic",
    "partition",
    "offset",
    "timestamp",
    "key",
    "value",
    "headers",
    "keyBase64",
    "valueBase64",
];

/// Of the records as `--output` tells them.
const VERSION: u32 = 1;

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Field(Field, Style),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    Headers,
    KeyLength,
    ValueLength,
    HeaderCount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Hex,
    Base64,
    Json,
    Iso,
}

/// The letter of each, and the styles it has beside the plain one. `%s` and `%S` are kcat's names for the value.
const FIELDS: [(char, Field, &[Style]); 12] = [
    ('t', Field::Topic, &[Style::Json]),
    ('p', Field::Partition, &[]),
    ('o', Field::Offset, &[]),
    ('T', Field::Timestamp, &[Style::Iso]),
    ('k', Field::Key, &[Style::Hex, Style::Base64, Style::Json]),
    ('v', Field::Value, &[Style::Hex, Style::Base64, Style::Json]),
    ('s', Field::Value, &[Style::Hex, Style::Base64, Style::Json]),
    ('h', Field::Headers, &[Style::Json]),
    ('K', Field::KeyLength, &[]),
    ('V', Field::ValueLength, &[]),
    ('S', Field::ValueLength, &[]),
    ('H', Field::HeaderCount, &[]),
];

const STYLES: [(&str, Style); 4] = [
    ("hex", Style::Hex),
    ("base64", Style::Base64),
    ("json", Style::Json),
    ("iso", Style::Iso),
];

impl Template {
    pub(super) fn parse(text: &str, is_terminal: bool) -> Result<Self, Stop> {
        let form = match text {
            "json" if is_terminal => Form::PrettyJson,
            "json" => Form::Json,
            _ => Form::Parts(parts(text).map_err(|reason| refused(text, reason))?),
        };
        Ok(Self {
            form,
            key: None,
            value: None,
        })
    }

    /// In a form of `--output`.
    pub(super) fn of_output(form: output::Form) -> Self {
        let rows = Rows {
            within: &[],
            columns: COLUMNS,
        };
        Self {
            form: Form::Data(RefCell::new(Stream::new(form, rows))),
            key: None,
            value: None,
        }
    }

    #[must_use]
    pub(in crate::tools::console_consumer) fn with(
        self,
        key: Option<Deserializer>,
        value: Option<Deserializer>,
    ) -> Self {
        Self { key, value, ..self }
    }

    /// What stands before all records.
    pub(in crate::tools::console_consumer) fn head(&self) -> String {
        match &self.form {
            Form::Data(stream) => stream.borrow_mut().head(),
            Form::Json | Form::PrettyJson | Form::Parts(_) => String::new(),
        }
    }

    pub(in crate::tools::console_consumer) fn write(
        &self,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), DeserializeError> {
        let key = read(self.key, record.key.as_deref())?;
        let value = read(self.value, record.value.as_deref())?;
        let key = key.as_deref().or(record.key.as_deref());
        let value = value.as_deref().or(record.value.as_deref());
        match &self.form {
            Form::Json => {
                let object = record_json::of_parts(record, key, value);
                put(out, format_args!("{object}\n"));
            }
            Form::PrettyJson => {
                let mut object = record_json::of_parts(record, key, value);
                let nested = value.and_then(|value| serde_json::from_slice(value).ok());
                if let Some(nested @ (Value::Object(_) | Value::Array(_))) = nested {
                    object["value"] = nested;
                }
                put(out, format_args!("{object:#}\n"));
            }
            Form::Data(stream) => {
                let mut told = Map::new();
                told.insert("version".to_owned(), VERSION.into());
                record_json::add_to(&mut told, record, key, value);
                let text = stream.borrow_mut().next(told.into());
                out.extend_from_slice(text.as_bytes());
            }
            Form::Parts(parts) => {
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text),
                        Part::Field(field, style) => {
                            write_field(*field, *style, record, key, value, out);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A null is not deserialized: here it can be told from what is there.
fn read(
    deserializer: Option<Deserializer>,
    bytes: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, DeserializeError> {
    let Some((deserializer, bytes)) = deserializer.zip(bytes) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    deserializer.write(bytes, &mut text)?;
    Ok(Some(text))
}

fn write_field(
    field: Field,
    style: Style,
    record: &ConsumerRecord,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    // As kcat has it, what is not there has a length below 0.
    let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    match (field, style) {
        (Field::Topic, Style::Json) => put(out, format_args!("{}", json!(*record.topic))),
        (Field::Topic, _) => out.extend_from_slice(record.topic.as_bytes()),
        (Field::Partition, _) => put(out, format_args!("{}", record.partition)),
        (Field::Offset, _) => put(out, format_args!("{}", record.offset)),
        (Field::Timestamp, Style::Iso) => write_time(record.timestamp, out),
        (Field::Timestamp, _) => put(out, format_args!("{}", record.timestamp)),
        (Field::Key, style) => write_bytes(key, style, out),
        (Field::Value, style) => write_bytes(value, style, out),
        (Field::Headers, Style::Json) => {
            put(out, format_args!("{}", record_json::headers(record)));
        }
        (Field::Headers, _) => write_headers(record, out),
        (Field::KeyLength, _) => put(out, format_args!("{}", length(key))),
        (Field::ValueLength, _) => put(out, format_args!("{}", length(value))),
        (Field::HeaderCount, _) => put(out, format_args!("{}", record.headers.len())),
    }
}

fn write_bytes(bytes: Option<&[u8]>, style: Style, out: &mut Vec<u8>) {
    let Some(bytes) = bytes else {
        if style == Style::Json {
            out.extend_from_slice(b"null");
        }
        return;
    };
    match style {
        Style::Hex => Deserializer::Hex.write(bytes, out).unwrap_or(()),
        Style::Base64 => put(out, format_args!("{}", Base64Display::new(bytes, &BASE64))),
        Style::Json => {
            let text = String::from_utf8_lossy(bytes);
            put(out, format_args!("{}", json!(text)));
        }
        Style::Plain | Style::Iso => out.extend_from_slice(bytes),
    }
}

fn write_headers(record: &ConsumerRecord, out: &mut Vec<u8>) {
    for (index, header) in record.headers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&header.key);
        out.push(b'=');
        out.extend_from_slice(header.value.as_deref().unwrap_or_default());
    }
}

/// Always with milliseconds, so that columns stay columns.
fn write_time(timestamp: i64, out: &mut Vec<u8>) {
    match Timestamp::from_millisecond(timestamp) {
        Ok(time) if timestamp >= 0 => put(out, format_args!("{time:.3}")),
        _ => put(out, format_args!("{timestamp}")),
    }
}

fn refused(text: &str, reason: String) -> Stop {
    let unknown = format!("Cannot parse argument '{text}' of option format");
    Failure::new(unknown)
        .hint(reason)
        .hint("--format takes json, or a text with fields such as '%t %p %o %k %v\\n'.")
        .into()
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match field(&mut chars)? {
                None => plain.push(b'%'),
                Some(field) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(field);
                }
            },
            '\\' => plain.push(escaped(&mut chars)?),
            c => plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if parts.is_empty() {
        return Err("There is no field in it.".to_owned());
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// What stands behind a percent sign; none where it is another one.
fn field(chars: &mut std::str::Chars<'_>) -> Result<Option<Part>, String> {
    let letter = chars
        .next()
        .ok_or("A percent sign at the end: write %% for one.")?;
    if letter == '%' {
        return Ok(None);
    }
    let mut fields = FIELDS.iter();
    let (_, field, styles) = fields.find(|(known, ..)| *known == letter).ok_or_else(|| {
        let letters: Vec<String> = FIELDS.iter().map(|(c, ..)| format!("%{c}")).collect();
        format!("There is no %{letter}, but {}.", letters.join(" "))
    })?;
    let Some(rest) = chars.as_str().strip_prefix('{') else {
        return Ok(Some(Part::Field(*field, Style::Plain)));
    };
    let (name, rest) = rest
        .split_once('}')
        .ok_or_else(|| format!("The brace behind %{letter} is not closed."))?;
    *chars = rest.chars();
    let named = STYLES.iter().find(|(known, _)| *known == name);
    match named {
        Some((_, style)) if styles.contains(style) => Ok(Some(Part::Field(*field, *style))),
        _ => Err(format!("%{letter} cannot be shown as {{{name}}}.")),
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Result<u8, String> {
    match chars.next() {
        Some('n') => Ok(b'\n'),
        Some('t') => Ok(b'\t'),
        Some('r') => Ok(b'\r'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some('x') => {
            let digits: String = chars.take(2).collect();
            let byte = u8::from_str_radix(&digits, 16).ok();
            byte.filter(|_| digits.len() == 2).ok_or_else(|| {
                format!("\\x{digits} is no byte: two hexadecimal digits are wanted.")
            })
        }
        other => Err(format!(
            "\\{} is nothing; there are \\n, \\t, \\r, \\0, \\\\ and \\x1f.",
            other.map(String::from).unwrap_or_default()
        )),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use ottla_protocol::records::{OwnedHeader, TimestampType};

    use super::*;

    fn record() -> ConsumerRecord {
        let header = |key: &'static str, value: Option<&'static [u8]>| OwnedHeader {
            key: Bytes::from_static(key.as_bytes()),
            value: value.map(Bytes::from_static),
        };
        ConsumerRecord {
            topic: "orders".into(),
            partition: 2,
            offset: 17,
            timestamp: 1_793_491_200_000,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: Some(Bytes::from_static(b"k\xff")),
            value: Some(Bytes::from_static(br#"{"id":7}"#)),
            headers: vec![header("a", Some(b"1")), header("b", None)],
        }
    }

    fn shown(template: &str, record: &ConsumerRecord) -> Vec<u8> {
        let template = Template::parse(template, false).expect("a good template");
        let mut out = Vec::new();
        template
            .write(record, &mut out)
            .expect("nothing to deserialize");
        out
    }

    fn text(template: &str, record: &ConsumerRecord) -> String {
        String::from_utf8(shown(template, record)).expect("text")
    }

    #[test]
    fn fields_stand_where_the_template_has_them() {
        let seen = record();
        assert_eq!(text("%t/%p@%o %v\\n", &seen), "orders/2@17 {\"id\":7}\n");
        assert_eq!(
            text("%T %T{iso}", &seen),
            "1793491200000 2026-11-01T00:00:00.000Z"
        );
        assert_eq!(text("%h|%H|%K|%V|%S", &seen), "a=1,b=|2|2|8|8");
        assert_eq!(text("100%% %o\\t\\\\\\x41\\0", &seen), "100% 17\t\\A\0");
        assert_eq!(shown("%k", &seen), b"k\xff");
        assert_eq!(
            text("%k{hex} %k{base64} %v{json}", &seen),
            r#"6bff a/8= "{\"id\":7}""#
        );
        let headers = r#"[{"key":"a","value":"1"},{"key":"b","value":null}]"#;
        assert_eq!(text("%h{json}", &seen), headers);
    }

    #[test]
    fn what_is_not_there_is_empty_null_or_shorter_than_nothing() {
        let mut seen = record();
        (seen.value, seen.headers, seen.timestamp) = (None, Vec::new(), -1);
        assert_eq!(
            text("[%v][%h][%V][%v{json}][%v{hex}][%T{iso}]", &seen),
            "[][][-1][null][][-1]"
        );
    }

    #[test]
    fn json_has_everything_and_is_pretty_for_people() {
        let mut seen = record();
        let compact = text("json", &seen);
        let expected = concat!(
            r#"{"topic":"orders","partition":2,"offset":17,"timestamp":1793491200000,"keyBase64":"a/8=","#,
            r#""value":"{\"id\":7}","headers":[{"key":"a","value":"1"},{"key":"b","value":null}]}"#,
            "\n"
        );
        assert_eq!(compact, expected);
        seen.headers.clear();
        seen.key = None;
        let template = Template::parse("json", true).expect("a good template");
        let mut out = Vec::new();
        template.write(&seen, &mut out).expect("shown");
        let pretty = String::from_utf8(out).expect("text");
        assert!(
            pretty.contains("\n  \"value\": {\n    \"id\": 7\n  },\n"),
            "{pretty}"
        );
    }

    #[test]
    fn the_forms_of_output_have_one_row_a_record_and_one_head() {
        let told = |form| {
            let template = Template::of_output(form);
            let mut out = Vec::new();
            for offset in [17, 18] {
                let seen = ConsumerRecord { offset, ..record() };
                template.write(&seen, &mut out).expect("shown");
            }
            String::from_utf8(out).expect("text")
        };
        let json = told(output::Form::Json);
        assert_eq!(json.lines().count(), 2);
        let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["version"], &first["offset"]),
            (&json!(1), &json!(17))
        );
        assert_eq!(
            (first.get("key"), &first["keyBase64"]),
            (None, &json!("a/8="))
        );
        let csv = told(output::Form::Csv);
        let rows = "topic,partition,offset,timestamp,key,value,headers,keyBase64,valueBase64\n\
            orders,2,17,1793491200000,,\"{\"\"id\"\":7}\",\"[{\"\"key\"\":\"\"a\"\",\"\"value\"\":\"\"1\"\"},{\"\"key\"\":\"\"b\"\",\"\"value\"\":null}]\",a/8=,\n";
        assert!(csv.starts_with(rows), "{csv}");
        assert_eq!(csv.lines().count(), 3);
        assert!(told(output::Form::Yaml).starts_with("---\nversion: 1\ntopic: orders\n"));
        let wide = told(output::Form::Wide);
        let heads: Vec<&str> = wide.lines().next().unwrap().split_whitespace().collect();
        let expected = [
            "TOPIC",
            "PARTITION",
            "OFFSET",
            "TIMESTAMP",
            "KEY",
            "VALUE",
            "HEADERS",
        ];
        assert_eq!(heads, expected);
        assert!(wide.contains("base64:a/8= {\"id\":7} a=1,b=\n"), "{wide}");
    }

    #[test]
    fn keys_and_values_may_be_deserialized_first() {
        let mut seen = record();
        seen.key = Some(Bytes::copy_from_slice(&7i32.to_be_bytes()));
        let template = Template::parse("%k %v", false).expect("a good template");
        let template = template.with(Some(Deserializer::Integer), Some(Deserializer::Long));
        let mut out = Vec::new();
        template
            .write(&seen, &mut out)
            .expect("eight bytes are a long");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "7 8872770094665185149"
        );
        seen.value = Some(Bytes::from_static(b"short"));
        assert!(template.write(&seen, &mut Vec::new()).is_err());
        seen.value = None;
        assert!(template.write(&seen, &mut Vec::new()).is_ok());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for template in [
            "", "text", "%", "%q", "%o{hex}", "%v{xml}", "%v{hex", "\\q%v", "\\x4%v", "%v\\",
            "\\xzz%v",
        ] {
            assert!(Template::parse(template, false).is_err(), "{template}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_template_or_is_refused(text in r"([%\\][a-zA-Z0-9%\\{}]{0,3}(\{[a-z0-9]{0,6}\}?)?|\PC){0,8}") {
            if let Ok(template) = Template::parse(&text, false) {
                template.write(&record(), &mut Vec::new()).expect("nothing to deserialize");
            }
        }
    }
}
