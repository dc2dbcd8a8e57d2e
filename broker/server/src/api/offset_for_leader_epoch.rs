//! OffsetForLeaderEpoch (23): where an epoch ended, for consumers that look whether their log was cut (KIP-320).
//!
//! - v2: the client's leader epoch. v4: flexible.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::offset_for_leader_epoch::request::OffsetForLeaderPartition;
use ottla_protocol::messages::offset_for_leader_epoch::response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use ottla_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use ottla_protocol::types::LeaderEpoch;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::clock;

const UNDEFINED_EPOCH: i32 = -1;
const UNDEFINED_OFFSET: i64 = -1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Answer<OffsetForLeaderEpochResponse> {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|asked| end(context.broker, &topic.topic, asked))
                .collect(),
            ..Default::default()
        });
    Answer::now(OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..Default::default()
    })
}

fn end(broker: &Broker, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let looked_up = look_up(broker, topic, asked);
    let (leader_epoch, end_offset) = match looked_up {
        Ok(Some(found)) => found,
        _ => (UNDEFINED_EPOCH, UNDEFINED_OFFSET),
    };
    EpochEndOffset {
        error_code: looked_up.err().unwrap_or(ErrorCode::None).code(),
        partition: asked.partition,
        leader_epoch,
        end_offset,
        ..Default::default()
    }
}

fn look_up(
    broker: &Broker,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    let partition = broker.storage.topics.partition(topic, asked.partition);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    partition.check_leader_epoch(LeaderEpoch(asked.current_leader_epoch))?;
    partition.with_log(clock::now(), |log, _| {
        let end = log
            .epochs()
            .end_of(LeaderEpoch(asked.leader_epoch), log.end());
        Ok(end.map(|end| (end.epoch.0, end.end.0)))
    })
}
