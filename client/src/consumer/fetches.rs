//! What is to be fetched from whom, and what has been fetched and waits to be handed out.
//!
//! Pure. Always: one request per broker is under way at most; a broker is asked again as soon as each of its partitions
//! has no more than one piece waiting, so that the next fetch runs while records are handed out, and memory stays
//! within two answers per broker. Not here: sockets, looking offsets up.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{FetchRequest, FetchResponse, api::fetch::response::PartitionData},
    types::{BrokerId, PartitionIndex},
};

use crate::{
    admin::TopicPartition,
    cluster::{Backoff, Metadata},
    error::ApiError,
};

use super::{
    error::ConsumerError,
    partitions::{LogEnd, Partitions},
    piece::{Piece, extent},
    record::ConsumerRecords,
    session::{Asked, Session},
    settings::FetchSettings,
};

/// Pieces of one partition that may wait before its broker is left alone.
const PIECES_AHEAD: usize = 2;

#[derive(Debug)]
pub(super) struct Fetches {
    settings: FetchSettings,
    backoff: Backoff,
    brokers: HashMap<BrokerId, Broker>,
    /// In the order in which they came.
    queue: VecDeque<Piece>,
    /// Pieces of paused partitions that have been come across.
    parked: Vec<Piece>,
}

#[derive(Debug, Default)]
struct Broker {
    session: Session,
    is_asked: bool,
    failures: u32,
    not_before: Option<Instant>,
}

/// A request to be sent.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) broker: BrokerId,
    pub(super) request: FetchRequest,
    pub(super) version_max: i16,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) requests: Vec<Planned>,
    /// A partition can't be fetched before the metadata names its leader.
    pub(super) lacks_leader: bool,
    /// When there may be more to do.
    pub(super) wake_at: Option<Instant>,
}

/// Something in an answer that the consumer must look into.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The metadata may be out of date.
    Moved,
    /// The offset asked for is not in the log.
    OutOfRange(TopicPartition, i64),
    Failed(ConsumerError),
}

impl Fetches {
    pub(super) fn new(settings: FetchSettings, backoff: Backoff) -> Self {
        Self {
            settings,
            backoff,
            brokers: HashMap::new(),
            queue: VecDeque::new(),
            parked: Vec::new(),
        }
    }

    /// The requests that make sense now; each counts as under way from here on.
    pub(super) fn plan(
        &mut self,
        partitions: &Partitions,
        metadata: &Metadata,
        now: Instant,
    ) -> Plan {
        let mut plan = Plan::default();
        for (broker, wanted) in self.wanted(partitions, metadata, now, &mut plan) {
            let state = self.brokers.entry(broker).or_default();
            if state.is_asked {
                continue;
            }
            if let Some(at) = state.not_before.filter(|at| *at > now) {
                wake(&mut plan.wake_at, at);
                continue;
            }
            let mut request = FetchRequest {
                replica_id: -1,
                max_wait_ms: i32::try_from(self.settings.max_wait.as_millis()).unwrap_or(i32::MAX),
                min_bytes: self.settings.min_bytes,
                max_bytes: self.settings.max_bytes,
                isolation_level: self.settings.isolation.on_wire(),
                // No rack: a leader that knows it may send the consumer to a near replica instead of answering (KIP-392),
                // and this consumer reads from leaders only.
                ..Default::default()
            };
            let version_max = state.session.build(wanted, &mut request);
            state.is_asked = true;
            plan.requests.push(Planned {
                broker,
                request,
                version_max,
            });
        }
        plan
    }

    /// What each broker with room is to be asked.
    fn wanted(
        &self,
        partitions: &Partitions,
        metadata: &Metadata,
        now: Instant,
        plan: &mut Plan,
    ) -> BTreeMap<BrokerId, BTreeMap<TopicPartition, Asked>> {
        let mut wanted: BTreeMap<BrokerId, BTreeMap<TopicPartition, Asked>> = BTreeMap::new();
        let mut full = Vec::new();
        for (at, partition) in partitions.iter() {
            let Some(fetch_offset) = partition.to_fetch(now) else {
                if let Some(at) = partition.retry_at(now) {
                    wake(&mut plan.wake_at, at);
                }
                continue;
            };
            let topic = metadata.topic(&at.topic);
            let known = topic.and_then(|topic| topic.partition(PartitionIndex(at.partition)));
            let (Some(topic), Some(known)) = (topic, known) else {
                plan.lacks_leader = true;
                continue;
            };
            let Some(leader) = known.leader.filter(|id| metadata.broker(*id).is_some()) else {
                plan.lacks_leader = true;
                continue;
            };
            if partition.pieces >= PIECES_AHEAD {
                full.push(leader);
            }
            let asked = Asked {
                topic_id: topic.id,
                fetch_offset,
                leader_epoch: known.leader_epoch.0,
                bytes_max: self.settings.partition_bytes_max,
            };
            wanted.entry(leader).or_default().insert(at.clone(), asked);
        }
        for leader in full {
            wanted.remove(&leader);
        }
        wanted
    }

    /// Requests that close all sessions.
    pub(super) fn farewells(&self) -> Vec<Planned> {
        let brokers = self.brokers.iter();
        let farewell = brokers.filter_map(|(broker, state)| {
            let mut request = FetchRequest {
                replica_id: -1,
                ..Default::default()
            };
            let version_max = state.session.close(&mut request)?;
            Some(Planned {
                broker: *broker,
                request,
                version_max,
            })
        });
        farewell.collect()
    }

    /// No answer came.
    pub(super) fn failed(&mut self, broker: BrokerId, now: Instant) {
        let state = self.brokers.entry(broker).or_default();
        state.is_asked = false;
        state.session.start_over();
        state.failures = state.failures.saturating_add(1);
        state.not_before = Some(now + self.backoff.after(state.failures));
    }

    /// Takes an answer in.
    pub(super) fn answered(
        &mut self,
        broker: BrokerId,
        response: FetchResponse,
        partitions: &mut Partitions,
        now: Instant,
    ) -> Vec<Trouble> {
        let state = self.brokers.entry(broker).or_default();
        state.is_asked = false;
        if let Err(error) = state.session.answered(&response) {
            tracing::debug!(%broker, error = error.name(), "the fetch session starts over");
            return self.refused(broker, error, now);
        }
        state.failures = 0;
        state.not_before = None;
        let mut troubles = Vec::new();
        for answered in response.responses {
            let by_id = state.session.name_of(answered.topic_id);
            let name = match by_id.filter(|_| !answered.topic_id.is_zero()) {
                Some(name) => name.clone(),
                None => Arc::from(answered.topic.as_str()),
            };
            for data in answered.partitions {
                let at = TopicPartition::new(&*name, data.partition_index);
                let Some(asked) = state.session.asked(&at) else {
                    continue;
                };
                // Since the request was sent the application may have sought elsewhere.
                let fetch_offset = asked.fetch_offset;
                let awaiting = partitions.get(&at);
                if !awaiting.is_some_and(|partition| partition.awaits(fetch_offset)) {
                    continue;
                }
                let mut taking = Taking {
                    partitions: &mut *partitions,
                    queue: &mut self.queue,
                    backoff: &self.backoff,
                    now,
                };
                troubles.extend(taking.take_in(at, &name, fetch_offset, data));
            }
        }
        troubles
    }

    fn refused(&mut self, broker: BrokerId, error: ErrorCode, now: Instant) -> Vec<Trouble> {
        match error {
            // The next request says everything anew; waiting would help nobody.
            ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch => Vec::new(),
            _ => {
                self.failed(broker, now);
                vec![Trouble::Moved]
            }
        }
    }

    /// Up to so many records, oldest answers first.
    pub(super) fn take(
        &mut self,
        partitions: &mut Partitions,
        records_max: usize,
    ) -> (ConsumerRecords, Option<ConsumerError>) {
        let mut records = ConsumerRecords::new();
        while records.len() < records_max {
            let Some(piece) = self.queue.front_mut() else {
                break;
            };
            let Some(partition) = partitions.get_mut(&piece.at) else {
                self.queue.pop_front();
                continue;
            };
            if partition.is_paused {
                self.parked.extend(self.queue.pop_front());
                continue;
            }
            let Some(position) = partition.position() else {
                self.queue.pop_front();
                continue;
            };
            if records.is_empty() {
                records.reserve(records_max.min(RECORDS_RESERVED_MAX));
            }
            let before = records.len();
            match piece.take(position, &self.settings, records_max, &mut records) {
                Ok(progress) => {
                    partition.advance(progress.offset, progress.epoch);
                    if progress.is_drained {
                        partition.drained();
                        self.queue.pop_front();
                    }
                }
                Err(error) => {
                    if let Some(last) = records.get(before..).and_then(<[_]>::last) {
                        partition.advance(last.offset.saturating_add(1), last.leader_epoch);
                    }
                    let error = ConsumerError::Corrupt {
                        partition: piece.at.clone(),
                        offset: partition.position().unwrap_or(position),
                        reason: error.to_string(),
                    };
                    // Read again by the next poll: what was damaged on its way may come whole.
                    partition.refetch();
                    let at = piece.at.clone();
                    self.drop_pieces(&at);
                    return (records, Some(error));
                }
            }
        }
        (records, None)
    }

    /// Forgets what was fetched of a partition.
    pub(super) fn drop_pieces(&mut self, at: &TopicPartition) {
        self.queue.retain(|piece| piece.at != *at);
        self.parked.retain(|piece| piece.at != *at);
    }

    /// Forgets what was fetched of partitions that are no longer assigned.
    pub(super) fn keep_assigned(&mut self, partitions: &Partitions) {
        self.queue
            .retain(|piece| partitions.get(&piece.at).is_some());
        self.parked
            .retain(|piece| partitions.get(&piece.at).is_some());
    }

    /// Brings back what was come across while a partition was paused.
    pub(super) fn unpark(&mut self, at: &TopicPartition) {
        // Before whatever else is there of the partition, as they are older.
        for piece in self
            .parked
            .extract_if(.., |piece| piece.at == *at)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            self.queue.push_front(piece);
        }
    }
}

/// `max.poll.records` may be any number; room is made for what is likely.
const RECORDS_RESERVED_MAX: usize = 10_000;

struct Taking<'a> {
    partitions: &'a mut Partitions,
    queue: &'a mut VecDeque<Piece>,
    backoff: &'a Backoff,
    now: Instant,
}

impl Taking<'_> {
    fn take_in(
        &mut self,
        at: TopicPartition,
        name: &Arc<str>,
        fetch_offset: i64,
        data: PartitionData,
    ) -> Option<Trouble> {
        match ErrorCode::from_code(data.error_code) {
            ErrorCode::None => self.records(at, name, fetch_offset, data),
            ErrorCode::OffsetOutOfRange => {
                let partition = self.partitions.get_mut(&at)?;
                if partition.pieces > 0 {
                    // What is there is handed out first; then the same answer decides.
                    partition.is_blocked = true;
                    return None;
                }
                Some(Trouble::OutOfRange(at, fetch_offset))
            }
            error => {
                self.partitions.retry(&at, self.backoff, self.now);
                if means_moved(error) {
                    return Some(Trouble::Moved);
                }
                if error.is_retriable() && error != ErrorCode::CorruptMessage
                    || error == ErrorCode::UnknownServerError
                {
                    tracing::warn!(partition = %at, error = error.name(), "fetching failed");
                    return None;
                }
                let error = ApiError::of_code(error);
                Some(Trouble::Failed(ConsumerError::Partition {
                    partition: at,
                    error,
                }))
            }
        }
    }

    fn records(
        &mut self,
        at: TopicPartition,
        name: &Arc<str>,
        fetch_offset: i64,
        data: PartitionData,
    ) -> Option<Trouble> {
        let partition = self.partitions.get_mut(&at)?;
        partition.end = Some(LogEnd {
            high_watermark: data.high_watermark,
            last_stable: data.last_stable_offset,
        });
        let records = data
            .records
            .map(|records| records.bytes())
            .unwrap_or_default();
        if records.is_empty() {
            partition.settle();
            return None;
        }
        let extent = extent(&records);
        partition.fetched(extent.next_offset.unwrap_or(fetch_offset));
        partition.is_blocked = !extent.is_sound;
        let aborted = data.aborted_transactions.unwrap_or_default();
        self.queue
            .push_back(Piece::new(at, name.clone(), records, &aborted));
        None
    }
}

/// Errors that say the metadata is older than the broker's knowledge, or the other way round.
fn means_moved(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
    )
}

pub(super) fn wake(wake_at: &mut Option<Instant>, at: Instant) {
    *wake_at = Some(wake_at.map_or(at, |before| before.min(at)));
}

#[cfg(test)]
#[path = "fetches_tests.rs"]
mod tests;
