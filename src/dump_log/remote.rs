//! Records of `__remote_log_metadata`, in the text form that the reference's objects have.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_protocol::messages::Message;
use ottla_protocol::messages::internal::{
    RemoteLogSegmentMetadataRecord, RemoteLogSegmentMetadataSnapshotRecord,
    RemoteLogSegmentMetadataUpdateRecord, RemotePartitionDeleteMetadataRecord,
};
use ottla_protocol::wire::Reader;

use super::decoders::frame;

/// A record's value as text, or why there is none.
pub(super) fn show(value: Option<&[u8]>) -> Result<String, String> {
    // The reference does not expect this, and shows what its virtual machine says.
    let value = value.ok_or(
        "Cannot invoke \"java.nio.ByteBuffer.remaining()\" because the return value of \
         \"org.apache.kafka.common.record.internal.Record.value()\" is null",
    )?;
    let mut r = Reader::new(Bytes::copy_from_slice(value));
    let (kind, version) = frame(&mut r)?;
    let text = match kind as i16 {
        RemoteLogSegmentMetadataRecord::API_KEY => segment(&decode(&mut r, kind, version)?)?,
        RemoteLogSegmentMetadataUpdateRecord::API_KEY => update(&decode(&mut r, kind, version)?)?,
        RemotePartitionDeleteMetadataRecord::API_KEY => deletion(&decode(&mut r, kind, version)?)?,
        RemoteLogSegmentMetadataSnapshotRecord::API_KEY => {
            snapshot(&decode(&mut r, kind, version)?)?
        }
        _ => {
            return Err(format!(
                "org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id {kind}"
            ));
        }
    };
    match r.left() {
        0 => Ok(text),
        left => Err(format!("Found {left} byte(s) of garbage after {kind}")),
    }
}

fn decode<M: Message>(r: &mut Reader, kind: u32, version: i16) -> Result<M, String> {
    M::decode(r, version).map_err(|_| format!("Failed to deserialize record with type {kind}"))
}

macro_rules! segment_id {
    ($id:expr) => {{
        let id = &$id;
        let p = &id.topic_id_partition;
        format!(
            "RemoteLogSegmentId{{topicIdPartition={}:{}-{}, id={}}}",
            p.id,
            p.name.as_str(),
            p.partition,
            id.id
        )
    }};
}

fn segment(m: &RemoteLogSegmentMetadataRecord) -> Result<String, String> {
    let epochs = epochs(
        m.segment_leader_epochs
            .iter()
            .map(|e| (e.leader_epoch, e.offset)),
    );
    Ok(format!(
        "RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, maxTimestampMs={}, \
         eventTimestampMs={}, segmentLeaderEpochs={epochs}, segmentSizeInBytes={}, customMetadata={}, state={}, \
         txnIdxEmpty={}}}",
        segment_id!(m.remote_log_segment_id),
        m.start_offset,
        m.end_offset,
        m.broker_id,
        m.max_timestamp_ms,
        m.event_timestamp_ms,
        m.segment_size_in_bytes,
        custom(m.custom_metadata.as_ref()),
        segment_state(m.remote_log_segment_state)?,
        m.txn_index_empty,
    ))
}

fn update(m: &RemoteLogSegmentMetadataUpdateRecord) -> Result<String, String> {
    Ok(format!(
        "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, \
         brokerId={}}}",
        segment_id!(m.remote_log_segment_id),
        custom(m.custom_metadata.as_ref()),
        segment_state(m.remote_log_segment_state)?,
        m.event_timestamp_ms,
        m.broker_id,
    ))
}

fn deletion(m: &RemotePartitionDeleteMetadataRecord) -> Result<String, String> {
    let p = &m.topic_id_partition;
    let state = match m.remote_partition_delete_state {
        0 => "DELETE_PARTITION_MARKED",
        1 => "DELETE_PARTITION_STARTED",
        2 => "DELETE_PARTITION_FINISHED",
        other => return Err(format!("{other} is no state of a deletion")),
    };
    Ok(format!(
        "RemotePartitionDeleteMetadata{{topicPartition={}:{}-{}, state={state}, eventTimestampMs={}, brokerId={}}}",
        p.id,
        p.name.as_str(),
        p.partition,
        m.event_timestamp_ms,
        m.broker_id,
    ))
}

fn snapshot(m: &RemoteLogSegmentMetadataSnapshotRecord) -> Result<String, String> {
    let epochs = epochs(
        m.segment_leader_epochs
            .iter()
            .map(|e| (e.leader_epoch, e.offset)),
    );
    Ok(format!(
        "RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, maxTimestampMs={}, \
         segmentLeaderEpochs={epochs}, segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={}}}",
        m.segment_id,
        m.start_offset,
        m.end_offset,
        m.max_timestamp_ms,
        m.segment_size_in_bytes,
        custom(m.custom_metadata.as_ref()),
        segment_state(m.remote_log_segment_state)?,
        m.txn_index_empty,
    ))
}

/// A sorted map of the reference.
fn epochs(entries: impl Iterator<Item = (i32, i64)>) -> String {
    let entries: BTreeMap<i32, i64> = entries.collect();
    let shown: Vec<String> = entries
        .iter()
        .map(|(epoch, offset)| format!("{epoch}={offset}"))
        .collect();
    format!("{{{}}}", shown.join(", "))
}

fn custom(bytes: Option<&Bytes>) -> String {
    match bytes {
        Some(bytes) => format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
        None => "Optional.empty".to_owned(),
    }
}

fn segment_state(id: i8) -> Result<&'static str, String> {
    match id {
        0 => Ok("COPY_SEGMENT_STARTED"),
        1 => Ok("COPY_SEGMENT_FINISHED"),
        2 => Ok("DELETE_SEGMENT_STARTED"),
        3 => Ok("DELETE_SEGMENT_FINISHED"),
        other => Err(format!("{other} is no state of a segment")),
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::wire::Uuid;

    use super::*;

    fn framed<M: Message>(message: &M) -> Vec<u8> {
        let mut bytes = vec![1, M::API_KEY as u8, 0];
        bytes.extend_from_slice(&message.to_bytes(0));
        bytes
    }

    #[test]
    fn records_are_shown_as_the_references_objects_show_themselves() {
        let mut m = RemotePartitionDeleteMetadataRecord::default();
        m.topic_id_partition.name = "t".into();
        m.topic_id_partition.id = Uuid::METADATA_TOPIC;
        m.topic_id_partition.partition = 3;
        m.broker_id = 1;
        m.event_timestamp_ms = 5;
        assert_eq!(
            show(Some(&framed(&m))).unwrap(),
            "RemotePartitionDeleteMetadata{topicPartition=AAAAAAAAAAAAAAAAAAAAAQ:t-3, state=DELETE_PARTITION_MARKED, \
             eventTimestampMs=5, brokerId=1}"
        );
        let segment = RemoteLogSegmentMetadataRecord {
            custom_metadata: Some(Bytes::from_static(b"abc")),
            ..Default::default()
        };
        let shown = show(Some(&framed(&segment))).unwrap();
        assert!(
            shown.contains("segmentLeaderEpochs={}, segmentSizeInBytes=0, customMetadata=Optional[CustomMetadata{3 bytes}], state=COPY_SEGMENT_STARTED, txnIdxEmpty=false}"),
            "{shown}"
        );
        assert!(show(Some(&[1, 9, 0])).is_err());
        assert!(show(None).is_err());
    }
}
