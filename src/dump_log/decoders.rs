//! From the bytes of keys and values to text: plain decoders, and those of the internal topics.

use std::borrow::Cow;

use bytes::Bytes;
use ottla_cli::{Context, Failure, Stop, java_text};
use ottla_protocol::messages::coordinator::{self, CoordinatorRecordError, CoordinatorTopic};
use ottla_protocol::messages::internal::GroupMetadataValue;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::messages::{Message, json_text};
use ottla_protocol::wire::Reader;
use serde_json::{Value, json};

use super::{Plan, remote};

/// `--key-decoder-class` and `--value-decoder-class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    String,
    /// The reference shows the address of an array here, we its bytes.
    Bytes,
    Integer,
    Long,
}

const PACKAGE: &str = "org.apache.kafka.tools.api.";

impl Decoder {
    /// An empty name stands for the default, as the option without a value does.
    pub(super) fn of_class(class: Option<&str>) -> Result<Self, Stop> {
        let Some(class) = class.filter(|class| !class.is_empty()) else {
            return Ok(Self::String);
        };
        match class.strip_prefix(PACKAGE) {
            Some("StringDecoder") => Ok(Self::String),
            Some("DefaultDecoder") => Ok(Self::Bytes),
            Some("IntegerDecoder") => Ok(Self::Integer),
            Some("LongDecoder") => Ok(Self::Long),
            _ => Err(Failure::new("Failed to load decoder class")
                .hint(format!("{class}: no code is loaded; there are StringDecoder, DefaultDecoder, IntegerDecoder and LongDecoder of {PACKAGE}*."))
                .into()),
        }
    }

    pub(super) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, Stop> {
        let short = || Stop::failed(format!("{} bytes are too few for a number", bytes.len()));
        Ok(match self {
            Self::String | Self::Bytes => java_text::lossy(bytes),
            Self::Integer => i32::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?)
                .to_string()
                .into(),
            Self::Long => i64::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?)
                .to_string()
                .into(),
        })
    }
}

/// How records are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parsing {
    Plain { key: Decoder, value: Decoder },
    Offsets,
    TransactionLog,
    ShareGroupState,
    ClusterMetadata,
    RemoteLogMetadata,
}

/// What is shown of a record; what is none is left out.
#[derive(Default)]
pub(super) struct Parsed<'a> {
    pub(super) key: Option<Cow<'a, str>>,
    pub(super) value: Option<Cow<'a, str>>,
}

impl Parsing {
    pub(super) fn parse<'a>(
        self,
        offset: i64,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
    ) -> Result<Parsed<'a>, Stop> {
        let topic = match self {
            Self::Plain {
                key: keys,
                value: values,
            } => {
                return Ok(Parsed {
                    key: key.map(|key| keys.decode(key)).transpose()?,
                    value: value.map(|value| values.decode(value)).transpose()?,
                });
            }
            Self::ClusterMetadata => {
                let shown = metadata(value)
                    .unwrap_or_else(|reason| format!("Error at {offset}, skipping. {reason}"));
                return Ok(only_value(shown));
            }
            Self::RemoteLogMetadata => {
                let shown = remote::show(value).unwrap_or_else(|reason| {
                    format!("Error at offset {offset}, skipping. {reason}")
                });
                return Ok(only_value(shown));
            }
            Self::Offsets => CoordinatorTopic::Groups,
            Self::TransactionLog => CoordinatorTopic::Transactions,
            Self::ShareGroupState => CoordinatorTopic::ShareGroups,
        };
        let Some(key) = key else {
            return Err(Stop::failed(format!(
                "Failed to decode message at offset {offset} using the specified decoder (message had a missing key)"
            )));
        };
        Ok(coordinators(topic, offset, key, value))
    }
}

fn only_value(text: String) -> Parsed<'static> {
    Parsed {
        key: None,
        value: Some(text.into()),
    }
}

fn coordinators(
    topic: CoordinatorTopic,
    offset: i64,
    key: &[u8],
    value: Option<&[u8]>,
) -> Parsed<'static> {
    let (key, value) = (
        Bytes::copy_from_slice(key),
        value.map(Bytes::copy_from_slice),
    );
    match coordinator::read(topic, key, value) {
        Ok(record) => {
            let is_group = topic == CoordinatorTopic::Groups
                && record.record_type == GroupMetadataValue::API_KEY;
            let value = record.value.map(|mut value| {
                if is_group {
                    coordinator::explain_members(&mut value.data);
                }
                json!({ "version": value.version.to_string(), "data": value.data })
            });
            let key = json!({ "type": record.record_type.to_string(), "data": record.key });
            Parsed {
                key: Some(json_text(&key).into()),
                value: Some(value.map_or(Cow::Borrowed("<DELETE>"), |v| json_text(&v).into())),
            }
        }
        Err(CoordinatorRecordError::UnknownType(kind)) => Parsed {
            key: Some(format!("Unknown record type {kind} at offset {offset}, skipping.").into()),
            value: None,
        },
        Err(error) => Parsed {
            key: Some(format!("Error at offset {offset}, skipping. {error}").into()),
            value: None,
        },
    }
}

/// The frame in front of a record in the metadata log and in those made like it: type and version.
pub(super) fn frame(r: &mut Reader) -> Result<(u32, i16), String> {
    let mut number = |what: &'static str| match r.uvarint(what) {
        Ok(number) if number > i16::MAX as u32 => Err(format!("Value for {what} was too large.")),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("Error while reading {what}")),
    };
    match number("frame version")? {
        0 => return Err("Could not deserialize metadata record with frame version 0. Note that upgrades from the preview \
             release of KRaft in 2.8 to newer versions are not supported.".to_owned()),
        1 => {}
        other => return Err(format!(
            "Could not deserialize metadata record due to unknown frame version {other}(only frame version 1 is supported)"
        )),
    }
    let kind = number("type")?;
    let version = number("version")?;
    Ok((kind, version as i16))
}

fn metadata(value: Option<&[u8]>) -> Result<String, String> {
    let value = value.unwrap_or_default();
    let mut r = Reader::new(Bytes::copy_from_slice(value));
    let (kind, version) = frame(&mut r)?;
    let record = MetadataRecord::decode(kind as i16, &mut r, version)
        .map_err(|_| format!("Failed to deserialize record with type {kind}"))?
        .ok_or_else(|| {
            format!("org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id {kind}")
        })?;
    if r.left() > 0 {
        return Err(format!(
            "Found {} byte(s) of garbage after {kind}",
            r.left()
        ));
    }
    let shown: Value = json!({
        "type": upper_snake(record.name()),
        "version": version,
        "data": record.to_json(version),
    });
    Ok(json_text(&shown))
}

/// `TopicRecord` as `TOPIC_RECORD`.
fn upper_snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (i, c) in name.chars().enumerate() {
        if i > 0 && c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_uppercase());
    }
    snake
}

impl Plan {
    /// Foreign text as it is for whoever parses it, and harmless on a terminal.
    pub(super) fn shown<'a>(&self, text: &'a str, cx: &Context) -> Cow<'a, str> {
        if !cx.stdout_is_terminal || !text.contains(char::is_control) {
            return Cow::Borrowed(text);
        }
        let escaped = text.chars().map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        });
        Cow::Owned(escaped.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_metadata_records_are_shown_in_capitals() {
        assert_eq!(upper_snake("TopicRecord"), "TOPIC_RECORD");
        assert_eq!(upper_snake("NoOpRecord"), "NO_OP_RECORD");
        assert_eq!(
            upper_snake("ZkMigrationStateRecord"),
            "ZK_MIGRATION_STATE_RECORD"
        );
    }

    #[test]
    fn metadata_that_cannot_be_read_is_told_in_the_references_words() {
        let told = |bytes: &[u8]| metadata(Some(bytes)).unwrap_err();
        assert_eq!(told(b""), "Error while reading frame version");
        assert!(told(&[2, 2, 0]).contains("unknown frame version 2(only"));
        assert_eq!(told(&[1, 2, 0]), "Failed to deserialize record with type 2");
        assert!(told(&[1, 99, 0]).ends_with("Unknown metadata id 99"));
        let no_op = [1, 20, 0, 0];
        assert_eq!(
            metadata(Some(&no_op)).unwrap(),
            r#"{"type":"NO_OP_RECORD","version":0,"data":{}}"#
        );
        assert_eq!(
            told(&[1, 20, 0, 0, 7]),
            "Found 1 byte(s) of garbage after 20"
        );
    }

    #[test]
    fn numbers_and_unknown_classes() {
        let class = |name: &str| Decoder::of_class(Some(name));
        let long = class("org.apache.kafka.tools.api.LongDecoder").unwrap();
        assert_eq!(long.decode(&7i64.to_be_bytes()).unwrap(), "7");
        assert!(long.decode(b"short").is_err());
        assert_eq!(class("").unwrap(), Decoder::String);
        assert!(class("com.example.Mine").is_err());
    }
}
