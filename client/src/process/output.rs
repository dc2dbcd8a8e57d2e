//! What comes out of processing, and what becomes of a record that can't be processed.

use std::{borrow::Cow, time::SystemTime};

use bytes::Bytes;

use ottla_protocol::records::{Header, OwnedHeader};

use crate::{consumer::ConsumerRecord, producer::Record};

/// A record to be produced. It owns its bytes, as it may have to be sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub topic: String,
    /// The partitioner's choice where there is none.
    pub partition: Option<i32>,
    pub key: Option<Bytes>,
    /// None is a tombstone.
    pub value: Option<Bytes>,
    pub headers: Vec<OwnedHeader>,
    /// Milliseconds since 1970; now where there is none.
    pub timestamp: Option<i64>,
}

impl Output {
    /// A value without key and headers.
    pub fn to(topic: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            value: Some(value.into()),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn key(self, key: impl Into<Bytes>) -> Self {
        Self {
            key: Some(key.into()),
            ..self
        }
    }

    /// The headers as a producer wants them.
    pub(super) fn borrowed_headers(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter();
        headers
            .map(|header| Header {
                key: &header.key,
                value: header.value.as_deref(),
            })
            .collect()
    }

    pub(super) fn record<'a>(&'a self, headers: &'a [Header<'a>]) -> Record<'a> {
        Record {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
            timestamp: self.timestamp,
        }
    }
}

/// The record as it was, with Kafka Connect's headers that say what went wrong (KIP-298), and two of our own: how often it
/// was tried, and when it was given up (milliseconds since 1970). All values are text.
pub(super) fn dead_letter(
    topic: &str,
    record: &ConsumerRecord,
    group: &str,
    attempts: u32,
    reason: &str,
) -> Output {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_ms = now.map_or(0, |since| since.as_millis());
    let told: [(&'static str, Cow<'_, str>); 7] = [
        ("__connect.errors.topic", Cow::from(&*record.topic)),
        (
            "__connect.errors.partition",
            record.partition.to_string().into(),
        ),
        ("__connect.errors.offset", record.offset.to_string().into()),
        ("__connect.errors.connector.name", group.into()),
        ("__connect.errors.exception.message", reason.into()),
        ("__ottla.errors.attempts", attempts.to_string().into()),
        ("__ottla.errors.timestamp", now_ms.to_string().into()),
    ];
    let told = told.into_iter().map(|(key, value)| OwnedHeader {
        key: Bytes::from_static(key.as_bytes()),
        value: Some(value.into_owned().into()),
    });
    Output {
        topic: topic.to_owned(),
        partition: None,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.iter().cloned().chain(told).collect(),
        timestamp: (record.timestamp >= 0).then_some(record.timestamp),
    }
}
