//! The reference's `DefaultMessageFormatter`: a line per record, its columns always in the same order.

use ottla_client::consumer::ConsumerRecord;

use crate::tools::console_consumer::deserializers::{DeserializeError, Deserializer, put};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Timestamp,
    Partition,
    Offset,
    Delivery,
    Epoch,
    Headers,
    Key,
    Value,
}

/// In the order they are shown, with the property that asks for them and what it is where nobody gives it.
const COLUMNS: [(Column, &str, bool); 8] = [
    (Column::Timestamp, "print.timestamp", false),
    (Column::Partition, "print.partition", false),
    (Column::Offset, "print.offset", false),
    (Column::Delivery, "print.delivery", false),
    (Column::Epoch, "print.epoch", false),
    (Column::Headers, "print.headers", false),
    (Column::Key, "print.key", false),
    (Column::Value, "print.value", true),
];

#[derive(Debug)]
pub(in crate::tools::console_consumer) struct Columns {
    shown: Vec<Column>,
    /// Between columns, keys or not.
    separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    key: Option<Deserializer>,
    value: Option<Deserializer>,
    header: Option<Deserializer>,
}

impl Columns {
    /// The last of several properties of the same name counts.
    pub(super) fn from_properties(
        properties: &[(String, String)],
        warnings: &mut Vec<String>,
    ) -> Self {
        let text = |key: &str| {
            let mut given = properties.iter().rev();
            given
                .find(|(present, _)| present == key)
                .map(|(_, value)| value.as_str())
        };
        let yes = |key: &str, default| {
            text(key).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let bytes = |key: &str, default: &str| text(key).unwrap_or(default).as_bytes().to_vec();
        let mut deserializer = |key: &str| {
            let own = |name: &str| text(&format!("{key}.{name}"));
            let found = Deserializer::named(text(key)?, key == "key.deserializer", own);
            found.map_err(|advice| warnings.push(advice)).ok()
        };
        Self {
            shown: COLUMNS
                .iter()
                .filter(|(_, key, default)| yes(key, *default))
                .map(|(column, ..)| *column)
                .collect(),
            separator: bytes("key.separator", "\t"),
            line_separator: bytes("line.separator", "\n"),
            headers_separator: bytes("headers.separator", ","),
            null_literal: bytes("null.literal", "null"),
            key: deserializer("key.deserializer"),
            value: deserializer("value.deserializer"),
            header: deserializer("headers.deserializer"),
        }
    }

    /// What is made of keys and of values.
    pub(super) fn deserializers(&self) -> (Option<Deserializer>, Option<Deserializer>) {
        (self.key, self.value)
    }

    pub(super) fn write(
        &self,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), DeserializeError> {
        let mut shown = self.shown.iter().peekable();
        while let Some(column) = shown.next() {
            self.write_column(*column, record, out)?;
            out.extend_from_slice(match shown.peek() {
                Some(_) => &self.separator,
                None => &self.line_separator,
            });
        }
        Ok(())
    }

    fn write_column(
        &self,
        column: Column,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), DeserializeError> {
        match column {
            Column::Timestamp => {
                let kind = record.timestamp_type.name();
                put(out, format_args!("{kind}:{}", record.timestamp));
            }
            Column::Partition => put(out, format_args!("Partition:{}", record.partition)),
            Column::Offset => put(out, format_args!("Offset:{}", record.offset)),
            Column::Delivery => out.extend_from_slice(b"Delivery:NOT_PRESENT"),
            // Known here, but the reference drops it on the way to its formatter.
            Column::Epoch => out.extend_from_slice(b"Epoch:NOT_PRESENT"),
            Column::Headers => self.write_headers(record, out)?,
            Column::Key => self.write_bytes(self.key, record.key.as_deref(), out)?,
            Column::Value => self.write_bytes(self.value, record.value.as_deref(), out)?,
        }
        Ok(())
    }

    fn write_headers(
        &self,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), DeserializeError> {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (index, header) in record.headers.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.headers_separator);
            }
            out.extend_from_slice(&header.key);
            out.push(b':');
            self.write_bytes(self.header, header.value.as_deref(), out)?;
        }
        Ok(())
    }

    fn write_bytes(
        &self,
        deserializer: Option<Deserializer>,
        bytes: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), DeserializeError> {
        let bytes = bytes.unwrap_or(&self.null_literal);
        match deserializer {
            Some(deserializer) => deserializer.write(bytes, out),
            None => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::{OwnedHeader, TimestampType};

    use super::*;

    fn record() -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".into(),
            partition: 3,
            offset: 17,
            timestamp: 1_700_000_000_000,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: Some(2),
            key: None,
            value: Some("v".into()),
            headers: vec![
                OwnedHeader {
                    key: "h".into(),
                    value: Some("1".into()),
                },
                OwnedHeader {
                    key: "n".into(),
                    value: None,
                },
            ],
        }
    }

    fn shown(properties: &[(&str, &str)], record: &ConsumerRecord) -> String {
        let owned: Vec<(String, String)> = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let columns = Columns::from_properties(&owned, &mut Vec::new());
        let mut out = Vec::new();
        if let Err(error) = columns.write(record, &mut out) {
            put(&mut out, format_args!("<{error}>"));
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_value_alone_is_shown_unless_more_is_asked_for() {
        assert_eq!(shown(&[], &record()), "v\n");
        assert_eq!(shown(&[("print.value", "false")], &record()), "");
        let key_alone = [("print.value", "no"), ("print.key", " TRUE ")];
        assert_eq!(shown(&key_alone, &record()), "null\n");
    }

    #[test]
    fn columns_keep_their_order_and_separators_are_taken_literally() {
        let all: Vec<(&str, &str)> = COLUMNS
            .iter()
            .rev()
            .map(|(_, key, _)| (*key, "true"))
            .collect();
        assert_eq!(
            shown(&all, &record()),
            "CreateTime:1700000000000\tPartition:3\tOffset:17\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\
             \th:1,n:null\tnull\tv\n"
        );
        let separators = [
            ("print.headers", "true"),
            ("print.key", "true"),
            ("key.separator", "\\t"),
            ("headers.separator", ";"),
            ("null.literal", "NIL"),
            ("line.separator", "<EOL>"),
        ];
        assert_eq!(shown(&separators, &record()), "h:1;n:NIL\\tNIL\\tv<EOL>");
        let bare = ConsumerRecord {
            headers: Vec::new(),
            ..record()
        };
        assert_eq!(
            shown(&[("print.headers", "true")], &bare),
            "NO_HEADERS\tv\n"
        );
    }

    #[test]
    fn what_cannot_be_deserialized_leaves_the_columns_before_it() {
        let class = "org.apache.kafka.common.serialization.LongDeserializer";
        assert_eq!(
            shown(
                &[("print.offset", "true"), ("value.deserializer", class)],
                &record()
            ),
            "Offset:17\t<Size of data received by LongDeserializer is not 8>"
        );
    }

    #[test]
    fn an_unknown_deserializer_is_told_and_the_bytes_are_shown() {
        let mut warnings = Vec::new();
        let properties = [("value.deserializer".to_owned(), "no.Such".to_owned())];
        let columns = Columns::from_properties(&properties, &mut warnings);
        assert_eq!((columns.value, warnings.len()), (None, 1));
    }
}
