//! The reference's formatters of internal topics: a JSON object per record, one behind the other without a newline.

use serde_json::{Value, json};

use ottla_client::consumer::ConsumerRecord;
use ottla_protocol::messages::coordinator::{self, CoordinatorRecordError, CoordinatorTopic};
use ottla_protocol::messages::internal::{
    GroupMetadataKey, LegacyOffsetCommitKey, OffsetCommitKey, TransactionLogKey,
};
use ottla_protocol::messages::{Message, json_text};

/// Which records of an internal topic are shown; the others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tools::console_consumer) enum Internal {
    Offsets,
    GroupMetadata,
    TransactionLog,
}

impl Internal {
    pub(super) fn write(
        self,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), CoordinatorRecordError> {
        let Some(key) = &record.key else {
            return Ok(());
        };
        let (topic, shown): (_, &[i16]) = match self {
            Self::Offsets => (
                CoordinatorTopic::Groups,
                &[LegacyOffsetCommitKey::API_KEY, OffsetCommitKey::API_KEY],
            ),
            Self::GroupMetadata => (CoordinatorTopic::Groups, &[GroupMetadataKey::API_KEY]),
            Self::TransactionLog => (
                CoordinatorTopic::Transactions,
                &[TransactionLogKey::API_KEY],
            ),
        };
        let kind = key.first_chunk().map(|kind| i16::from_be_bytes(*kind));
        if kind.is_some_and(|kind| !shown.contains(&kind)) {
            return Ok(());
        }
        let record = coordinator::read(topic, key.clone(), record.value.clone())?;
        let value = record.value.map_or(
            Value::Null,
            |value| json!({ "version": value.version, "data": value.data }),
        );
        let shown =
            json!({ "key": { "type": record.record_type, "data": record.key }, "value": value });
        out.extend_from_slice(json_text(&shown).as_bytes());
        Ok(())
    }
}
