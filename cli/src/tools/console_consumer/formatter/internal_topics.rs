//! The reference's formatters of internal topics: a JSON object per record, one behind the other without a newline.

use serde_json::{Value, json};

use ottla_client::consumer::ConsumerRecord;
use ottla_protocol::messages::coordinator::{self, CoordinatorRecordError, CoordinatorTopic};
use ottla_protocol::messages::internal::{
    GroupMetadataKey, LegacyOffsetCommitKey, OffsetCommitKey, ShareGroupCurrentMemberAssignmentKey,
    ShareGroupMemberMetadataKey, ShareGroupMetadataKey, ShareGroupStatePartitionMetadataKey,
    ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMetadataKey,
};
use ottla_protocol::messages::{Message, json_text};

/// Which records of an internal topic are shown; the others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tools::console_consumer) enum Internal {
    Offsets,
    GroupMetadata,
    TransactionLog,
    ShareGroup,
    ShareGroupState,
}

/// With a topic's types of records that are shown, or none where all are.
const SHOWN: [(Internal, CoordinatorTopic, &[i16]); 5] = [
    (
        Internal::Offsets,
        CoordinatorTopic::Groups,
        &[LegacyOffsetCommitKey::API_KEY, OffsetCommitKey::API_KEY],
    ),
    (
        Internal::GroupMetadata,
        CoordinatorTopic::Groups,
        &[GroupMetadataKey::API_KEY],
    ),
    (
        Internal::ShareGroup,
        CoordinatorTopic::Groups,
        &[
            ShareGroupMemberMetadataKey::API_KEY,
            ShareGroupMetadataKey::API_KEY,
            ShareGroupTargetAssignmentMetadataKey::API_KEY,
            ShareGroupTargetAssignmentMemberKey::API_KEY,
            ShareGroupCurrentMemberAssignmentKey::API_KEY,
            ShareGroupStatePartitionMetadataKey::API_KEY,
        ],
    ),
    (
        Internal::TransactionLog,
        CoordinatorTopic::Transactions,
        &[],
    ),
    (
        Internal::ShareGroupState,
        CoordinatorTopic::ShareGroups,
        &[],
    ),
];

impl Internal {
    pub(super) fn write(
        self,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), CoordinatorRecordError> {
        let Some(key) = &record.key else {
            return Ok(());
        };
        let mut all = SHOWN.iter();
        let Some((_, topic, shown)) = all.find(|(internal, ..)| *internal == self) else {
            return Ok(());
        };
        let record = match coordinator::read(*topic, key.clone(), record.value.clone()) {
            Err(CoordinatorRecordError::UnknownType(_)) => return Ok(()),
            read => read?,
        };
        if !shown.is_empty() && !shown.contains(&record.record_type) {
            return Ok(());
        }
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
