//! The reference's formatters of internal topics: a JSON object per record, one behind the other without a newline.

use bytes::Bytes;
use serde_json::{Value, json};

use ottla_client::consumer::ConsumerRecord;
use ottla_protocol::messages::Message;
use ottla_protocol::messages::internal::{
    GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey, LegacyOffsetCommitValue,
    OffsetCommitKey, OffsetCommitValue, TransactionLogKey, TransactionLogValue,
};
use ottla_protocol::wire::{DecodeError, Reader};

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
    ) -> Result<(), DecodeError> {
        let Some(key) = &record.key else {
            return Ok(());
        };
        let mut key = Reader::new(key.clone());
        let kind = key.i16("type")?;
        let value = record.value.clone();
        let shown = match (self, kind) {
            (Self::Offsets, LegacyOffsetCommitKey::API_KEY) => {
                pair::<LegacyOffsetCommitKey, LegacyOffsetCommitValue>(&mut key, value)?
            }
            (Self::Offsets, OffsetCommitKey::API_KEY) => {
                pair::<OffsetCommitKey, OffsetCommitValue>(&mut key, value)?
            }
            (Self::GroupMetadata, GroupMetadataKey::API_KEY) => {
                pair::<GroupMetadataKey, GroupMetadataValue>(&mut key, value)?
            }
            (Self::TransactionLog, TransactionLogKey::API_KEY) => {
                pair::<TransactionLogKey, TransactionLogValue>(&mut key, value)?
            }
            _ => return Ok(()),
        };
        out.extend_from_slice(shown.to_string().as_bytes());
        Ok(())
    }
}

/// A record whose key begins with its type, and whose value with its version.
fn pair<K: Message, V: Message>(
    key: &mut Reader,
    value: Option<Bytes>,
) -> Result<Value, DecodeError> {
    // Since the type is what tells keys apart, all of them are in their only version.
    let key_json = K::decode(key, 0)?.to_json(0);
    let value_json = match value {
        None => Value::Null,
        Some(value) => {
            let mut value = Reader::new(value);
            let version = value.i16("version")?;
            json!({ "version": version, "data": V::decode(&mut value, version)?.to_json(version) })
        }
    };
    Ok(json!({ "key": { "type": K::API_KEY, "data": key_json }, "value": value_json }))
}
