//! The tables, as the reference prints them. Pure.

use ottla_client::admin::{ProducerState, TransactionDescription};

use super::ask::Listed;
use super::hanging::Open;
use crate::java_order;
use crate::table::{known_as, tabbed};

const MS_PER_MINUTE: i64 = 60_000;

/// The states that the reference knows; it shows any other as unknown.
const STATES: [&str; 7] = [
    "Ongoing",
    "PrepareAbort",
    "PrepareCommit",
    "CompleteAbort",
    "CompleteCommit",
    "Empty",
    "PrepareEpochFence",
];

pub(super) fn listed(found: &[Listed]) -> String {
    let heads = [
        "TransactionalId",
        "Coordinator",
        "ProducerId",
        "TransactionState",
    ];
    let row = |(coordinator, listing): &Listed| {
        [
            listing.id.clone(),
            coordinator.to_string(),
            listing.producer_id.to_string(),
            state(&listing.state).to_owned(),
        ]
    };
    tabbed(heads, found.iter().map(row))
}

pub(super) fn described(found: &TransactionDescription, now_ms: i64) -> String {
    let heads = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    let duration = found.started_at_ms.map(|at| now_ms.saturating_sub(at));
    let mut partitions = found.partitions.clone();
    java_order::sort_by_hash(&mut partitions, None, java_order::hash_of);
    let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    let row = [
        found.coordinator.to_string(),
        found.id.clone(),
        found.producer_id.to_string(),
        found.producer_epoch.to_string(),
        state(&found.state).to_owned(),
        found.timeout_ms.to_string(),
        or_none(found.started_at_ms),
        or_none(duration),
        partitions.join(","),
    ];
    tabbed(heads, [row])
}

pub(super) fn producers(found: &[ProducerState]) -> String {
    let heads = [
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    let row = |state: &ProducerState| {
        [
            state.producer_id.to_string(),
            state.producer_epoch.to_string(),
            state.coordinator_epoch.unwrap_or(-1).to_string(),
            state.last_sequence.to_string(),
            state.last_timestamp_ms.to_string(),
            or_none(state.open_since),
        ]
    };
    tabbed(heads, found.iter().map(row))
}

pub(super) fn hanging(found: &[Open], now_ms: i64) -> String {
    let heads = [
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ];
    let row = |Open { at, state }: &Open| {
        let lasts_ms = now_ms.saturating_sub(state.last_timestamp_ms);
        [
            at.topic.clone(),
            at.partition.to_string(),
            state.producer_id.to_string(),
            state.producer_epoch.to_string(),
            state.coordinator_epoch.unwrap_or(-1).to_string(),
            state.open_since.unwrap_or(-1).to_string(),
            state.last_timestamp_ms.to_string(),
            (lasts_ms / MS_PER_MINUTE).to_string(),
        ]
    };
    tabbed(heads, found.iter().map(row))
}

pub(super) fn state(name: &str) -> &'static str {
    known_as(name, &STATES).unwrap_or("Unknown")
}

fn or_none(number: Option<i64>) -> String {
    number.map_or_else(|| "None".to_owned(), |number| number.to_string())
}
