//! The results as JSON: docs/json/transactions.md. Pure.
//!
//! Always: one object that tells its version. Fields may be added within a version; none changes its meaning or goes.

use ottla_client::admin::{AbortSpec, ProducerState, TopicPartition, TransactionDescription};
use serde_json::{Value, json};

use super::ask::Listed;
use super::hanging::Open;
use super::render::state;
use crate::output::{Report, Rows};

const VERSION: u32 = 1;

pub(super) fn listed(found: &[Listed]) -> Report {
    let transaction = |(coordinator, listing): &Listed| {
        json!({
            "transactionalId": listing.id,
            "coordinator": coordinator.0,
            "producerId": listing.producer_id,
            "state": state(&listing.state),
        })
    };
    let transactions: Vec<Value> = found.iter().map(transaction).collect();
    Report {
        value: json!({ "version": VERSION, "transactions": transactions }),
        rows: Rows {
            within: &["transactions"],
            columns: &["transactionalId", "coordinator", "producerId", "state"],
        },
    }
}

pub(super) fn described(found: &TransactionDescription, now_ms: i64) -> Report {
    let partitions = found.partitions.iter();
    let partitions: Vec<Value> = partitions.map(partition).collect();
    let value = json!({
        "version": VERSION,
        "transactionalId": found.id,
        "coordinator": found.coordinator.0,
        "producerId": found.producer_id,
        "producerEpoch": found.producer_epoch,
        "state": state(&found.state),
        "timeoutMs": found.timeout_ms,
        "startTimeMs": found.started_at_ms,
        "durationMs": found.started_at_ms.map(|at| now_ms.saturating_sub(at)),
        "partitions": partitions,
    });
    let rows = Rows {
        within: &[],
        columns: &[
            "transactionalId",
            "coordinator",
            "producerId",
            "producerEpoch",
            "state",
            "timeoutMs",
            "startTimeMs",
            "durationMs",
            "partitions",
        ],
    };
    Report { value, rows }
}

pub(super) fn producers(at: &TopicPartition, found: &[ProducerState]) -> Report {
    let producers: Vec<Value> = found.iter().map(producer).collect();
    let value = json!({
        "version": VERSION,
        "topic": at.topic,
        "partition": at.partition,
        "producers": producers,
    });
    let rows = Rows {
        within: &["producers"],
        columns: &[
            "topic",
            "partition",
            "producerId",
            "producerEpoch",
            "coordinatorEpoch",
            "lastSequence",
            "lastTimestampMs",
            "startOffset",
        ],
    };
    Report { value, rows }
}

pub(super) fn hanging(found: &[Open], now_ms: i64) -> Report {
    let transaction = |Open { at, state }: &Open| {
        let mut value = producer(state);
        value["topic"] = at.topic.as_str().into();
        value["partition"] = at.partition.into();
        value["durationMs"] = now_ms.saturating_sub(state.last_timestamp_ms).into();
        value
    };
    let transactions: Vec<Value> = found.iter().map(transaction).collect();
    let value = json!({ "version": VERSION, "transactions": transactions });
    let rows = Rows {
        within: &["transactions"],
        columns: &[
            "topic",
            "partition",
            "durationMs",
            "producerId",
            "producerEpoch",
            "coordinatorEpoch",
            "lastSequence",
            "lastTimestampMs",
            "startOffset",
        ],
    };
    Report { value, rows }
}

/// `start` is where the transaction began, where that was said.
pub(super) fn aborted(spec: &AbortSpec, start: Option<i64>) -> Report {
    let value = json!({
        "version": VERSION,
        "topic": spec.at.topic,
        "partition": spec.at.partition,
        "startOffset": start,
        "producerId": spec.producer_id,
        "producerEpoch": spec.producer_epoch,
        "coordinatorEpoch": spec.coordinator_epoch,
    });
    let columns = &[
        "topic",
        "partition",
        "startOffset",
        "producerId",
        "producerEpoch",
        "coordinatorEpoch",
    ];
    Report::of_one(value, columns)
}

pub(super) fn terminated(transactional_id: &str) -> Report {
    let value = json!({ "version": VERSION, "transactionalId": transactional_id });
    Report::of_one(value, &["transactionalId"])
}

fn producer(state: &ProducerState) -> Value {
    json!({
        "producerId": state.producer_id,
        "producerEpoch": state.producer_epoch,
        "coordinatorEpoch": state.coordinator_epoch,
        "lastSequence": state.last_sequence,
        "lastTimestampMs": state.last_timestamp_ms,
        "startOffset": state.open_since,
    })
}

fn partition(at: &TopicPartition) -> Value {
    json!({ "topic": at.topic, "partition": at.partition })
}
