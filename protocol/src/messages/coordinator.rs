//! The records of the topics that coordinators keep, as JSON: what tools show of `__consumer_offsets`,
//! `__transaction_state` and `__share_group_state`.
//!
//! A key begins with the number of its type, which picks the message of the value too; a value begins with its version.
//! One list of types for each topic.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use thiserror::Error;

use super::internal::*;
use super::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, Message};
use crate::wire::{DecodeError, Reader};

/// Which topic the records are of; each counts its types from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorTopic {
    /// `__consumer_offsets`.
    Groups,
    /// `__transaction_state`.
    Transactions,
    /// `__share_group_state`.
    ShareGroups,
}

/// One record, its parts as the reference's JSON converters write them.
#[derive(Clone, Debug, PartialEq)]
pub struct CoordinatorRecord {
    /// Number of the type within its topic.
    pub record_type: i16,
    pub key: Value,
    /// `None`: a tombstone.
    pub value: Option<VersionedValue>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VersionedValue {
    pub version: i16,
    pub data: Value,
}

/// Why a record could not be shown. The sentences are the reference's.
#[derive(Debug, Error)]
pub enum CoordinatorRecordError {
    #[error("Unknown record type {0}")]
    UnknownType(i16),
    #[error("Could not read version from {0}'s buffer.")]
    NoVersion(&'static str),
    #[error("Found an unknown record version {version} for {record_type} type")]
    UnknownVersion { version: i16, record_type: i16 },
    #[error("Could not read record with version {version} from {part}'s buffer due to: {error}.")]
    Body {
        part: &'static str,
        version: i16,
        error: DecodeError,
    },
}

/// Replaces what members of a group of consumers sent as bytes, their subscriptions and assignments, by what it means.
/// `group` is the data of a `GroupMetadataValue`. Bytes that make no sense stay.
pub fn explain_members(group: &mut Value) {
    if group["protocolType"] != "consumer" {
        return;
    }
    let Some(members) = group.get_mut("members").and_then(Value::as_array_mut) else {
        return;
    };
    for member in members {
        explain::<ConsumerProtocolSubscription>(&mut member["subscription"]);
        explain::<ConsumerProtocolAssignment>(&mut member["assignment"]);
    }
}

fn explain<M: Message>(field: &mut Value) {
    let bytes = field.as_str().and_then(|text| STANDARD.decode(text).ok());
    let mut reader = Reader::new(bytes.unwrap_or_default().into());
    let Ok(version) = reader.i16("version") else {
        return;
    };
    if let Ok(message) = M::decode(&mut reader, version) {
        *field = message.to_json(version);
    }
}

/// Reads key and value of a record.
pub fn read(
    topic: CoordinatorTopic,
    key: Bytes,
    value: Option<Bytes>,
) -> Result<CoordinatorRecord, CoordinatorRecordError> {
    let mut key = Reader::new(key);
    let record_type = key
        .i16("type")
        .map_err(|_| CoordinatorRecordError::NoVersion("key"))?;
    match topic {
        CoordinatorTopic::Groups => group_record(record_type, key, value),
        CoordinatorTopic::Transactions => transaction_record(record_type, key, value),
        CoordinatorTopic::ShareGroups => share_group_record(record_type, key, value),
    }
}

/// A function that reads the records of one topic, from the list of its types.
macro_rules! types {
    ($name:ident: $($key:ident => $value:ident),+ $(,)?) => {
        fn $name(
            record_type: i16,
            key: Reader,
            value: Option<Bytes>,
        ) -> Result<CoordinatorRecord, CoordinatorRecordError> {
            match record_type {
                $($key::API_KEY => pair::<$key, $value>(key, value),)+
                other => Err(CoordinatorRecordError::UnknownType(other)),
            }
        }
    };
}

types! { group_record:
    LegacyOffsetCommitKey => LegacyOffsetCommitValue,
    OffsetCommitKey => OffsetCommitValue,
    GroupMetadataKey => GroupMetadataValue,
    ConsumerGroupMetadataKey => ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey => ConsumerGroupPartitionMetadataValue,
    ConsumerGroupMemberMetadataKey => ConsumerGroupMemberMetadataValue,
    ConsumerGroupTargetAssignmentMetadataKey => ConsumerGroupTargetAssignmentMetadataValue,
    ConsumerGroupTargetAssignmentMemberKey => ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupCurrentMemberAssignmentKey => ConsumerGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey => ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey => ShareGroupMetadataValue,
    ShareGroupTargetAssignmentMetadataKey => ShareGroupTargetAssignmentMetadataValue,
    ShareGroupTargetAssignmentMemberKey => ShareGroupTargetAssignmentMemberValue,
    ShareGroupCurrentMemberAssignmentKey => ShareGroupCurrentMemberAssignmentValue,
    ShareGroupStatePartitionMetadataKey => ShareGroupStatePartitionMetadataValue,
    ConsumerGroupRegularExpressionKey => ConsumerGroupRegularExpressionValue,
    StreamsGroupMetadataKey => StreamsGroupMetadataValue,
    StreamsGroupMemberMetadataKey => StreamsGroupMemberMetadataValue,
    StreamsGroupTargetAssignmentMetadataKey => StreamsGroupTargetAssignmentMetadataValue,
    StreamsGroupTargetAssignmentMemberKey => StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupCurrentMemberAssignmentKey => StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupTopologyKey => StreamsGroupTopologyValue,
}

types! { transaction_record: TransactionLogKey => TransactionLogValue }

types! { share_group_record:
    ShareSnapshotKey => ShareSnapshotValue,
    ShareUpdateKey => ShareUpdateValue,
}

/// Since the type is what tells keys apart, all of them are in their only version.
fn pair<K: Message, V: Message>(
    mut key: Reader,
    value: Option<Bytes>,
) -> Result<CoordinatorRecord, CoordinatorRecordError> {
    let key_json = K::decode(&mut key, 0)
        .map_err(|error| CoordinatorRecordError::Body {
            part: "key",
            version: K::API_KEY,
            error,
        })?
        .to_json(0);
    let value = value.map(versioned::<V>).transpose()?;
    Ok(CoordinatorRecord {
        record_type: K::API_KEY,
        key: key_json,
        value,
    })
}

fn versioned<V: Message>(value: Bytes) -> Result<VersionedValue, CoordinatorRecordError> {
    let mut value = Reader::new(value);
    let version = value
        .i16("version")
        .map_err(|_| CoordinatorRecordError::NoVersion("value"))?;
    if !(V::MIN_VERSION..=V::MAX_VERSION).contains(&version) {
        return Err(CoordinatorRecordError::UnknownVersion {
            version,
            record_type: V::API_KEY,
        });
    }
    let data = V::decode(&mut value, version)
        .map_err(|error| CoordinatorRecordError::Body {
            part: "value",
            version,
            error,
        })?
        .to_json(version);
    Ok(VersionedValue { version, data })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(topic: CoordinatorTopic, key: &[u8], value: Option<&[u8]>) -> Result<String, String> {
        let value = value.map(Bytes::copy_from_slice);
        match read(topic, Bytes::copy_from_slice(key), value) {
            Ok(r) => Ok(json!([
                r.record_type,
                r.key,
                r.value.map(|v| json!([v.version, v.data]))
            ])
            .to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_committed_offset_and_its_tombstone_are_read() {
        let key = b"\0\x01\0\x01g\0\x01t\0\0\0\x02";
        let value = b"\0\x03\0\0\0\0\0\0\0\x07\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\x09";
        assert_eq!(
            record(CoordinatorTopic::Groups, key, Some(value)).unwrap(),
            r#"[1,{"group":"g","topic":"t","partition":2},[3,{"offset":7,"leaderEpoch":-1,"metadata":"","commitTimestamp":9}]]"#
        );
        assert_eq!(
            record(CoordinatorTopic::Groups, key, None).unwrap(),
            r#"[1,{"group":"g","topic":"t","partition":2},null]"#
        );
    }

    #[test]
    fn types_belong_to_their_topic() {
        let refused = |topic, key: &[u8]| record(topic, key, None).unwrap_err();
        assert_eq!(
            refused(CoordinatorTopic::Transactions, b"\0\x01\0\x01g"),
            "Unknown record type 1"
        );
        assert_eq!(
            refused(CoordinatorTopic::Groups, b"\0"),
            "Could not read version from key's buffer."
        );
        let cut = refused(CoordinatorTopic::Groups, b"\0\x02\0\x09g");
        assert!(
            cut.starts_with("Could not read record with version 2 from key's buffer due to: "),
            "{cut}"
        );
        let version = record(CoordinatorTopic::Groups, b"\0\x02\0\x01g", Some(b"\0\x63"));
        assert_eq!(
            version.unwrap_err(),
            "Found an unknown record version 99 for 2 type"
        );
    }
}
