//! Requests as tests write them: one topic, one partition, by name.

use bytes::Bytes;
use ottla_protocol::messages::create_topics::request::CreatableTopic;
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce::request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest};
use ottla_protocol::wire::Records;

use crate::wire::Wire;

/// The last version with topics by name.
pub(crate) const PRODUCE: i16 = 12;
pub(crate) const FETCH: i16 = 12;

const FETCH_BYTES: i32 = 1 << 20;

pub(crate) fn create_topic(address: &str, name: &str, partitions: i32) {
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 10_000,
        ..Default::default()
    };
    let response = Wire::connect(address).unwrap().call(&request, 7).unwrap();
    assert_eq!(
        response.topics[0].error_code, 0,
        "{:?}",
        response.topics[0].error_message
    );
}

pub(crate) fn produce(topic: &str, partition: i32, acks: i16, batch: Vec<u8>) -> ProduceRequest {
    let records = Some(Records::Bytes(Bytes::from(batch)));
    let partition = PartitionProduceData {
        index: partition,
        records,
        ..Default::default()
    };
    let topic = TopicProduceData {
        name: topic.into(),
        partition_data: vec![partition],
        ..Default::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..Default::default()
    }
}

/// Outside any fetch session, without waiting.
pub(crate) fn fetch(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: FETCH_BYTES,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: topic.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    FetchRequest {
        max_bytes: FETCH_BYTES,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}
