//! Stories of one consumer and what its brokers answer.

use std::time::Duration;

use bytes::Bytes;

use ottla_protocol::{
    messages::{
        MetadataResponse,
        api::{
            fetch::response::FetchableTopicResponse,
            metadata::response::{
                MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
            },
        },
    },
    records::BatchBuilder,
    types::{Millis, Offset},
};

use crate::{
    admin::Isolation,
    consumer::{partitions::Phase, settings::OffsetReset},
};

use super::*;

const BROKER: BrokerId = BrokerId(1);

struct Story {
    fetches: Fetches,
    partitions: Partitions,
    metadata: Metadata,
    now: Instant,
}

impl Story {
    /// Partitions with positions 0, all led by one broker.
    fn with(count: i32) -> Self {
        let settings = FetchSettings {
            min_bytes: 1,
            max_wait: Duration::from_millis(500),
            max_bytes: 1 << 20,
            partition_bytes_max: 1000,
            isolation: Isolation::ReadUncommitted,
            check_crcs: true,
        };
        let backoff = Backoff {
            initial: Duration::from_millis(100),
            max: Duration::from_millis(1000),
        };
        let now = Instant::now();
        let mut partitions = Partitions::default();
        partitions.assign((0..count).map(at), Phase::Reset(OffsetReset::Earliest));
        for partition in 0..count {
            partitions.place(&at(partition), 0, None);
        }
        Self {
            fetches: Fetches::new(settings, backoff),
            partitions,
            metadata: metadata(count, now),
            now,
        }
    }

    fn plan(&mut self) -> Plan {
        self.fetches
            .plan(&self.partitions, &self.metadata, self.now)
    }

    /// Partitions and offsets of the one request that is due.
    fn asks(&mut self) -> Vec<(i32, i64)> {
        let mut plan = self.plan();
        assert_eq!(plan.requests.len(), 1, "{plan:?}");
        let topics = plan.requests.remove(0).request.topics;
        let partitions = topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|p| (p.partition, p.fetch_offset)).collect()
    }

    fn is_quiet(&mut self) -> bool {
        self.plan().requests.is_empty()
    }

    fn answer(&mut self, partitions: Vec<PartitionData>) -> Vec<Trouble> {
        let response = FetchResponse {
            session_id: 9,
            responses: vec![FetchableTopicResponse {
                topic_id: 7.into(),
                partitions,
                ..Default::default()
            }],
            ..Default::default()
        };
        let (partitions, now) = (&mut self.partitions, self.now);
        self.fetches.answered(BROKER, response, partitions, now)
    }

    fn take(&mut self, records_max: usize) -> Vec<(i32, i64)> {
        let (records, error) = self.fetches.take(&mut self.partitions, records_max);
        assert_eq!(error, None);
        records
            .iter()
            .map(|record| (record.partition, record.offset))
            .collect()
    }
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn metadata(count: i32, now: Instant) -> Metadata {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: BROKER.0,
        leader_epoch: 2,
        ..Default::default()
    };
    let response = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: BROKER.0,
            host: "h".into(),
            port: 9092,
            ..Default::default()
        }],
        topics: vec![MetadataResponseTopic {
            name: Some("t".into()),
            topic_id: 7.into(),
            partitions: (0..count).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    Metadata::empty(now).merged(&response, crate::cluster::Scope::SomeTopics, now)
}

fn records(partition: i32, base: i64, count: i64) -> PartitionData {
    let mut builder = BatchBuilder::default().base_offset(Offset(base));
    for _ in 0..count {
        builder.append(Millis(1), None, Some(b"v"), &[]).unwrap();
    }
    PartitionData {
        partition_index: partition,
        high_watermark: base + count,
        records: Some(Bytes::from(builder.build().unwrap()).into()),
        ..Default::default()
    }
}

fn error(partition: i32, code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: partition,
        error_code: code.code(),
        ..Default::default()
    }
}

#[test]
fn the_next_fetch_runs_while_records_are_handed_out_and_no_further() {
    let mut story = Story::with(1);
    assert_eq!(story.asks(), [(0, 0)]);
    assert!(story.is_quiet(), "one request at a time");
    story.answer(vec![records(0, 0, 10)]);
    assert_eq!(story.asks(), [(0, 10)], "before a record was taken");
    story.answer(vec![records(0, 10, 10)]);
    assert!(story.is_quiet(), "two answers wait");
    assert_eq!(story.take(15).len(), 15);
    assert_eq!(story.asks(), [(0, 20)]);
    assert_eq!(story.take(100).last(), Some(&(0, 19)));
}

#[test]
fn answers_are_handed_out_in_the_order_they_came() {
    let mut story = Story::with(2);
    assert_eq!(story.asks(), [(0, 0), (1, 0)]);
    story.answer(vec![records(1, 0, 2), records(0, 0, 2)]);
    assert_eq!(story.take(3), [(1, 0), (1, 1), (0, 0)]);
    assert_eq!(story.take(3), [(0, 1)]);
}

#[test]
fn an_answer_from_before_a_seek_is_thrown_away() {
    let mut story = Story::with(1);
    story.asks();
    story.partitions.place(&at(0), 5, None);
    story.fetches.drop_pieces(&at(0));
    story.answer(vec![records(0, 0, 10)]);
    assert_eq!(story.take(10), []);
    assert_eq!(story.asks(), [(0, 5)]);
    story.answer(vec![records(0, 0, 10)]);
    assert_eq!(story.take(1), [(0, 5)]);
}

#[test]
fn a_paused_partition_keeps_what_it_has_and_holds_nobody_up() {
    let mut story = Story::with(2);
    story.asks();
    story.answer(vec![records(0, 0, 2), records(1, 0, 2)]);
    story.partitions.get_mut(&at(0)).unwrap().is_paused = true;
    assert_eq!(story.take(10), [(1, 0), (1, 1)]);
    assert_eq!(story.asks(), [(1, 2)], "what the pause leaves to fetch");
    story.partitions.get_mut(&at(0)).unwrap().is_paused = false;
    story.fetches.unpark(&at(0));
    assert_eq!(story.take(10), [(0, 0), (0, 1)]);
}

#[test]
fn a_partition_taken_away_is_forgotten_with_its_records() {
    let mut story = Story::with(2);
    story.asks();
    story.answer(vec![records(0, 0, 2), records(1, 0, 2)]);
    story.partitions.assign([at(1)], Phase::Committed);
    story.fetches.keep_assigned(&story.partitions);
    assert_eq!(story.take(10), [(1, 0), (1, 1)]);
}

#[test]
fn an_offset_out_of_range_is_decided_about_after_what_came_before_it() {
    let mut story = Story::with(1);
    story.asks();
    story.answer(vec![records(0, 0, 2)]);
    story.asks();
    let troubles = story.answer(vec![error(0, ErrorCode::OffsetOutOfRange)]);
    assert_eq!(troubles, []);
    assert!(story.is_quiet());
    assert_eq!(story.take(10).len(), 2);
    // Unchanged in the session, so that the request itself says nothing of it.
    assert_eq!(story.asks(), []);
    let troubles = story.answer(vec![error(0, ErrorCode::OffsetOutOfRange)]);
    assert_eq!(troubles, [Trouble::OutOfRange(at(0), 2)]);
}

#[test]
fn a_leader_that_moved_is_looked_up_and_the_partition_waits_meanwhile() {
    for code in [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::FencedLeaderEpoch,
        ErrorCode::UnknownLeaderEpoch,
        ErrorCode::UnknownTopicId,
    ] {
        let mut story = Story::with(1);
        story.asks();
        assert_eq!(story.answer(vec![error(0, code)]), [Trouble::Moved]);
        let plan = story.plan();
        assert!(plan.requests.is_empty() && plan.wake_at.is_some());
        story.now += Duration::from_millis(200);
        story.asks();
    }
}

#[test]
fn errors_that_last_reach_the_application() {
    let mut story = Story::with(1);
    story.asks();
    let troubles = story.answer(vec![error(0, ErrorCode::TopicAuthorizationFailed)]);
    assert!(
        matches!(troubles.as_slice(), [Trouble::Failed(_)]),
        "{troubles:?}"
    );
}

#[test]
fn a_broker_that_does_not_answer_is_left_alone_for_a_while() {
    let mut story = Story::with(1);
    story.asks();
    story.fetches.failed(BROKER, story.now);
    let plan = story.plan();
    assert!(plan.requests.is_empty() && plan.wake_at.is_some());
    story.now += Duration::from_millis(200);
    assert_eq!(story.asks(), [(0, 0)], "everything is said anew");
}

#[test]
fn a_session_the_broker_lost_is_opened_again_at_once() {
    let mut story = Story::with(1);
    story.asks();
    story.answer(Vec::new());
    story.asks();
    let response = FetchResponse {
        error_code: ErrorCode::FetchSessionIdNotFound.code(),
        ..Default::default()
    };
    let (partitions, now) = (&mut story.partitions, story.now);
    let troubles = story.fetches.answered(BROKER, response, partitions, now);
    assert_eq!(troubles, []);
    assert_eq!(story.asks(), [(0, 0)]);
}

#[test]
fn without_a_leader_the_metadata_is_asked() {
    let mut story = Story::with(1);
    story.metadata = Metadata::empty(story.now);
    let plan = story.plan();
    assert!(plan.requests.is_empty() && plan.lacks_leader);
}

#[test]
fn damaged_records_are_an_error_at_their_offset_and_are_fetched_again() {
    let mut story = Story::with(1);
    story.asks();
    let mut data = records(0, 0, 2);
    let mut bytes = data.records.unwrap().bytes().to_vec();
    let mut second = records(0, 2, 1).records.unwrap().bytes().to_vec();
    let last = second.len() - 2;
    second[last] ^= 1;
    bytes.extend(second);
    data.records = Some(Bytes::from(bytes).into());
    story.answer(vec![data]);
    let (taken, error) = story.fetches.take(&mut story.partitions, 10);
    assert_eq!(taken.len(), 2);
    assert!(
        matches!(error, Some(ConsumerError::Corrupt { offset: 2, .. })),
        "{error:?}"
    );
    assert_eq!(story.asks(), [(0, 2)]);
}
