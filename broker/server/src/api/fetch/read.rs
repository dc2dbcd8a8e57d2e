//! Reading one partition for a Fetch, and turning what was found into the response.

use std::sync::Arc;

use ottla_coordination::fetch_session::{
    FetchPartition, Finished, PartitionKey, PartitionResult, TopicRef,
};
use ottla_log::txn_index::AbortedTxn;
use ottla_log::{FileSlice, MinimumRead};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::FetchResponse;
use ottla_protocol::messages::fetch::response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use ottla_protocol::wire::{Records, StrBytes, Uuid};

use crate::api::Reply;
use crate::broker::Broker;
use crate::exec::partition::{Bounds, Isolation, Partition};
use crate::exec::watch::Watch;

/// "Unknown" in offsets of a response.
const NO_OFFSET: i64 = -1;

/// Where a partition of the request is read from.
pub(super) enum Source {
    Here(Arc<Partition>),
    Nowhere(ErrorCode),
}

/// What was found there.
pub(super) struct Found {
    error: ErrorCode,
    bounds: Option<Bounds>,
    diverging: Option<(LeaderEpoch, Offset)>,
    slice: Option<FileSlice>,
    aborted: Vec<AbortedTxn>,
}

impl Found {
    fn error(error: ErrorCode) -> Self {
        Self {
            error,
            bounds: None,
            diverging: None,
            slice: None,
            aborted: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.slice.as_ref().map_or(0, |slice| slice.len)
    }

    /// The client should hear of it without waiting for records.
    pub(super) fn is_urgent(&self) -> bool {
        self.error.is_err() || self.diverging.is_some()
    }

    /// There is nothing to read, whatever the isolation, until the high watermark moves.
    pub(super) fn is_at_end(&self, wanted: &FetchPartition) -> bool {
        let end = self.bounds.map(|bounds| bounds.high_watermark);
        self.error == ErrorCode::None
            && self.slice.is_none()
            && end == Some(Offset(wanted.fetch_offset))
            // What it says of its own log has to be compared each time.
            && wanted.last_fetched_epoch < 0
    }

    pub(super) fn result(&self, is_settled: bool) -> PartitionResult {
        PartitionResult {
            has_records: self.bytes() > 0,
            high_watermark: self
                .bounds
                .map_or(NO_OFFSET, |bounds| bounds.high_watermark.0),
            log_start_offset: self.bounds.map_or(NO_OFFSET, |bounds| bounds.log_start.0),
            error: self.error,
            must_tell: self.diverging.is_some(),
            is_settled,
        }
    }
}

impl Source {
    pub(super) fn find(broker: &Broker, key: &PartitionKey) -> Self {
        let topics = &broker.storage.topics;
        let topic = match &key.topic {
            TopicRef::Name(name) => topics
                .by_name(name)
                .ok_or(ErrorCode::UnknownTopicOrPartition),
            TopicRef::Id(id) => topics.by_id(id).ok_or(ErrorCode::UnknownTopicId),
        };
        let partition = topic.and_then(|topic| {
            topic
                .get(key.partition)
                .ok_or(ErrorCode::UnknownTopicOrPartition)
        });
        partition.map_or_else(Self::Nowhere, Self::Here)
    }

    /// Reads one partition. The first records of a response come whole, whatever their size, so that every consumer
    /// makes progress.
    pub(super) fn read(
        &self,
        wanted: &FetchPartition,
        isolation: Isolation,
        bytes_left: usize,
        has_records: bool,
        now: Millis,
    ) -> Found {
        let partition = match self {
            Self::Here(partition) => partition,
            Self::Nowhere(code) => return Found::error(*code),
        };
        if let Err(code) = partition.check_leader_epoch(LeaderEpoch(wanted.current_leader_epoch)) {
            return Found::error(code);
        }
        let minimum = if has_records {
            MinimumRead::Nothing
        } else {
            MinimumRead::OneBatch
        };
        let bytes_max = usize::try_from(wanted.max_bytes)
            .unwrap_or(0)
            .min(bytes_left);
        let from = Offset(wanted.fetch_offset);
        match diverging(partition, wanted, now) {
            Ok(None) => {}
            Ok(Some((epoch, end, bounds))) => {
                let diverging = Some((epoch, end));
                return Found {
                    error: ErrorCode::None,
                    bounds: Some(bounds),
                    diverging,
                    slice: None,
                    aborted: Vec::new(),
                };
            }
            Err(code) => return Found::error(code),
        }
        match partition.read(from, bytes_max, minimum, isolation, now) {
            Ok(read) => Found {
                error: ErrorCode::None,
                bounds: Some(read.bounds),
                diverging: None,
                slice: read.slice,
                aborted: read.aborted,
            },
            Err(code) => Found::error(code),
        }
    }

    /// Has a reader told of changes from what was found on. False if there are some already.
    pub(super) fn watch(
        &self,
        watch: &Arc<Watch>,
        place: Option<u64>,
        wanted: &FetchPartition,
        found: &Found,
        now: Millis,
    ) -> bool {
        let (Self::Here(partition), Some(seen)) = (self, found.bounds) else {
            return true;
        };
        let epoch = LeaderEpoch(wanted.current_leader_epoch);
        // In this order: the epoch changes without the lock, before the readers are told.
        partition.watch(watch, place, seen, now) && partition.check_leader_epoch(epoch).is_ok()
    }
}

/// Where the client's log parts from this one, if it says which epoch it read last (KIP-595).
fn diverging(
    partition: &Partition,
    wanted: &FetchPartition,
    now: Millis,
) -> Result<Option<(LeaderEpoch, Offset, Bounds)>, ErrorCode> {
    if wanted.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let last_fetched = LeaderEpoch(wanted.last_fetched_epoch);
    partition.with_log(now, |log, bounds| {
        let end = log.epochs().end_of(last_fetched, log.end());
        Ok(end.and_then(|end| {
            let parts = end.epoch < last_fetched || end.end < Offset(wanted.fetch_offset);
            parts.then_some((end.epoch, end.end, bounds))
        }))
    })
}

/// Puts the partitions that are to be told into a response; their records stay in the segment files.
pub(super) fn respond(
    partitions: &[FetchPartition],
    found: Vec<Found>,
    finished: &Finished,
    isolation: Isolation,
) -> Reply<FetchResponse> {
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    let mut files = Vec::new();
    let mut current: Option<&TopicRef> = None;
    for ((partition, found), include) in partitions.iter().zip(found).zip(&finished.include) {
        if !include {
            continue;
        }
        if current != Some(&partition.key.topic) {
            current = Some(&partition.key.topic);
            responses.push(topic_response(&partition.key.topic));
        }
        let records = match &found.slice {
            Some(slice) => Records::External {
                len: slice.len,
                token: files.len() as u64,
            },
            None => Records::Bytes(bytes::Bytes::new()),
        };
        if let Some(topic) = responses.last_mut() {
            topic.partitions.push(partition_data(
                partition.key.partition,
                &found,
                isolation,
                records,
            ));
        }
        files.extend(found.slice);
    }
    let body = FetchResponse {
        session_id: finished.session_id,
        responses,
        ..Default::default()
    };
    Reply { body, files }
}

fn topic_response(topic: &TopicRef) -> FetchableTopicResponse {
    let (name, topic_id) = match topic {
        TopicRef::Name(name) => (name.clone(), Uuid::ZERO),
        TopicRef::Id(id) => (StrBytes::new(), *id),
    };
    FetchableTopicResponse {
        topic: name,
        topic_id,
        ..Default::default()
    }
}

fn partition_data(
    index: i32,
    found: &Found,
    isolation: Isolation,
    records: Records,
) -> PartitionData {
    let offset = |of: fn(&Bounds) -> Offset| {
        found
            .bounds
            .as_ref()
            .map_or(NO_OFFSET, |bounds| of(bounds).0)
    };
    let diverging_epoch = found
        .diverging
        .map_or_else(EpochEndOffset::default, |(epoch, end)| EpochEndOffset {
            epoch: epoch.0,
            end_offset: end.0,
            ..Default::default()
        });
    PartitionData {
        partition_index: index,
        error_code: found.error.code(),
        high_watermark: offset(|bounds| bounds.high_watermark),
        last_stable_offset: offset(|bounds| bounds.last_stable),
        log_start_offset: offset(|bounds| bounds.log_start),
        diverging_epoch,
        aborted_transactions: (isolation == Isolation::ReadCommitted && found.bounds.is_some())
            .then(|| found.aborted.iter().map(aborted_transaction).collect()),
        records: Some(records),
        ..Default::default()
    }
}

fn aborted_transaction(txn: &AbortedTxn) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: txn.producer_id.0,
        first_offset: txn.first_offset.0,
        ..Default::default()
    }
}
