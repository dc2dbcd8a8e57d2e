//! DescribeQuorum (55): who votes on the metadata log, and how far each is (KIP-595).
//!
//! - v1: times of replicas (KIP-836).
//! - v2: directories and endpoints of voters, errors in words (KIP-853).
//!
//! A quorum of one: this node leads, and is as far as the log.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_quorum::response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::clock;
use crate::exec::metadata_log::TOPIC;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeQuorumRequest,
) -> Answer<DescribeQuorumResponse> {
    let asked = request.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|partition| (&topic.topic_name, partition.partition_index))
    });
    let asked: Vec<(&StrBytes, i32)> = asked.collect();
    if !matches!(&asked[..], [(topic, 0)] if topic.as_str() == TOPIC) {
        let unknown = |(topic, index): &(&StrBytes, i32)| topic_of(topic, unknown(*index));
        return Answer::now(DescribeQuorumResponse {
            topics: asked.iter().map(unknown).collect(),
            ..Default::default()
        });
    }
    let Some(partition) = described(context) else {
        return Answer::now(DescribeQuorumResponse {
            error_code: ErrorCode::NotLeaderOrFollower.code(),
            ..Default::default()
        });
    };
    let listeners = context.broker.controller_endpoints();
    let listener = |endpoint: &crate::settings::Endpoint| Listener {
        name: endpoint.name.as_str().into(),
        host: endpoint.host.as_str().into(),
        port: endpoint.port,
        ..Default::default()
    };
    let node = Node {
        node_id: context.broker.settings.node_id.0,
        listeners: listeners.map(listener).collect(),
        ..Default::default()
    };
    Answer::now(DescribeQuorumResponse {
        topics: vec![topic_of(&TOPIC.into(), partition)],
        nodes: vec![node],
        ..Default::default()
    })
}

/// None where the metadata log has failed.
fn described(context: &Context<'_>) -> Option<PartitionData> {
    let quorum = context.broker.controller.quorum()?;
    let now_ms = clock::now().0;
    let leader = ReplicaState {
        replica_id: quorum.leader.0,
        replica_directory_id: quorum.directory_id.unwrap_or_default(),
        log_end_offset: quorum.log_end.0,
        last_fetch_timestamp: now_ms,
        last_caught_up_timestamp: now_ms,
        ..Default::default()
    };
    Some(PartitionData {
        leader_id: quorum.leader.0,
        leader_epoch: quorum.epoch.0,
        high_watermark: quorum.high_watermark.0,
        current_voters: vec![leader],
        ..Default::default()
    })
}

fn topic_of(name: &StrBytes, partition: PartitionData) -> TopicData {
    TopicData {
        topic_name: name.clone(),
        partitions: vec![partition],
        ..Default::default()
    }
}

fn unknown(index: i32) -> PartitionData {
    PartitionData {
        partition_index: index,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
        ..Default::default()
    }
}
