//! ListOffsets (2): offsets by time, and the special times that stand for the ends of the log.
//!
//! - v1: one offset per partition. v2: isolation levels. v4: leader epochs (KIP-320).
//! - v7: the largest timestamp (KIP-734). v8 to v11: offsets of tiered storage, which there is none of here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_log::{Log, ReadError};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::list_offsets::request::ListOffsetsPartition;
use ottla_protocol::messages::list_offsets::response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::clock;
use crate::exec::partition::{Bounds, Isolation, Partition};
use crate::exec::waits::AckWait;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Each special time and the first version that knows it.
const SPECIAL_TIMES: &[(i64, i16)] = &[
    (LATEST, 1),
    (EARLIEST, 1),
    (MAX_TIMESTAMP, 7),
    (EARLIEST_LOCAL, 8),
    (LATEST_TIERED, 9),
    (EARLIEST_PENDING_UPLOAD, 11),
];

/// How long the end of a log may take to become durable before it is told as it is.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

const NOTHING: i64 = -1;
const READ_COMMITTED: i8 = 1;

/// One partition's question, detached from the request.
struct Question {
    index: i32,
    current_leader_epoch: LeaderEpoch,
    time: i64,
    to: Result<Arc<Partition>, ErrorCode>,
}

type Questions = Vec<(StrBytes, Vec<Question>)>;

pub(crate) fn handle(
    context: &Context<'_>,
    request: ListOffsetsRequest,
) -> Answer<ListOffsetsResponse> {
    let questions = questions(context.broker, context.version, &request);
    // What was appended and is not flushed yet would be missing from the answer, although the producer knows of it.
    let wait = AckWait::new();
    let now = clock::now();
    let mut is_behind = false;
    for partition in questions
        .iter()
        .flat_map(|(_, of_topic)| of_topic)
        .filter_map(|question| question.to.as_ref().ok())
    {
        is_behind |= partition.make_visible(&wait, now).unwrap_or(false);
    }
    let isolation = if request.isolation_level == READ_COMMITTED {
        Isolation::ReadCommitted
    } else {
        Isolation::ReadUncommitted
    };
    if !is_behind {
        return Answer::now(answer(&questions, isolation));
    }
    Answer::later(async move {
        wait.release();
        drop(tokio::time::timeout(VISIBLE_WITHIN, wait.settled()).await);
        answer(&questions, isolation)
    })
}

fn questions(broker: &Broker, version: i16, request: &ListOffsetsRequest) -> Questions {
    let mut seen = HashSet::new();
    let mut twice = HashSet::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            if !seen.insert((topic.name.as_str(), partition.partition_index)) {
                twice.insert((topic.name.as_str(), partition.partition_index));
            }
        }
    }
    let topics = request.topics.iter();
    let of_topic = topics.map(|topic| {
        let known = broker.storage.topics.by_name(&topic.name);
        let question = |partition: &ListOffsetsPartition| {
            let to = if twice.contains(&(topic.name.as_str(), partition.partition_index)) {
                Err(ErrorCode::InvalidRequest)
            } else if !is_known_time(partition.timestamp, version) {
                Err(ErrorCode::UnsupportedVersion)
            } else {
                let found = known
                    .as_ref()
                    .and_then(|topic| topic.get(partition.partition_index));
                found.ok_or(ErrorCode::UnknownTopicOrPartition)
            };
            Question {
                index: partition.partition_index,
                current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
                time: partition.timestamp,
                to,
            }
        };
        (
            topic.name.detached(),
            topic.partitions.iter().map(question).collect(),
        )
    });
    of_topic.collect()
}

fn is_known_time(time: i64, version: i16) -> bool {
    time >= 0
        || SPECIAL_TIMES
            .iter()
            .any(|(special, from)| *special == time && version >= *from)
}

fn answer(questions: &Questions, isolation: Isolation) -> ListOffsetsResponse {
    let topics = questions
        .iter()
        .map(|(name, questions)| ListOffsetsTopicResponse {
            name: name.clone(),
            partitions: questions
                .iter()
                .map(|question| answer_one(question, isolation))
                .collect(),
            ..Default::default()
        });
    ListOffsetsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn answer_one(question: &Question, isolation: Isolation) -> ListOffsetsPartitionResponse {
    let mut response = ListOffsetsPartitionResponse {
        partition_index: question.index,
        timestamp: NOTHING,
        offset: NOTHING,
        leader_epoch: NOTHING as i32,
        ..Default::default()
    };
    match look_up(question, isolation) {
        Ok(Some(position)) => {
            response.timestamp = position.timestamp.0;
            response.offset = position.offset.0;
            response.leader_epoch = position
                .leader_epoch
                .map_or(NOTHING as i32, |epoch| epoch.0);
        }
        Ok(None) => {}
        Err(code) => response.error_code = code.code(),
    }
    response
}

struct Position {
    timestamp: Millis,
    offset: Offset,
    leader_epoch: Option<LeaderEpoch>,
}

fn look_up(question: &Question, isolation: Isolation) -> Result<Option<Position>, ErrorCode> {
    let partition = question.to.as_ref().map_err(|code| *code)?;
    partition.check_leader_epoch(question.current_leader_epoch)?;
    if partition.was_never_used() {
        return Ok(find_in_empty(partition.leader_epoch(), question.time));
    }
    partition.with_log(clock::now(), |log, bounds| {
        find(log, bounds, bounds.readable_end(isolation), question.time)
    })
}

/// What `find` says of a log that nobody has written to.
fn find_in_empty(leader_epoch: LeaderEpoch, time: i64) -> Option<Position> {
    matches!(time, LATEST | EARLIEST | EARLIEST_LOCAL).then_some(Position {
        timestamp: Millis(NOTHING),
        offset: Offset::ZERO,
        leader_epoch: Some(leader_epoch),
    })
}

fn find(
    log: &Log,
    bounds: Bounds,
    readable_end: Offset,
    time: i64,
) -> Result<Option<Position>, ReadError> {
    let end_of_log = |offset, leader_epoch| {
        Some(Position {
            timestamp: Millis(NOTHING),
            offset,
            leader_epoch,
        })
    };
    let found = match time {
        LATEST => return Ok(end_of_log(readable_end, log.epochs().latest())),
        EARLIEST | EARLIEST_LOCAL => {
            return Ok(end_of_log(
                bounds.log_start,
                log.epochs().at(bounds.log_start),
            ));
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok(None),
        MAX_TIMESTAMP => log.max_timestamp()?,
        time => log.offset_for_timestamp(Millis(time), bounds.log_start)?,
    };
    // A record that readers cannot see yet is not told either.
    Ok(found
        .filter(|found| found.offset < readable_end)
        .map(|found| Position {
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: Some(found.leader_epoch),
        }))
}
