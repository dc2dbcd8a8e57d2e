//! The quorum of the metadata log: its voters, and how far they are.

use ottla_protocol::{
    messages::{
        AddRaftVoterRequest, DescribeQuorumRequest, DescribeQuorumResponse, RemoveRaftVoterRequest,
        add_raft_voter::request::Listener,
        describe_quorum::{
            request::{PartitionData, TopicData},
            response::ReplicaState,
        },
    },
    types::BrokerId,
    wire::Uuid,
};

use crate::error::{ApiError, ClientError, wire_text};

use super::{Admin, left_out};

const TOPIC: &str = "__cluster_metadata";

/// The quorum as its leader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumDescription {
    pub leader: BrokerId,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub voters: Vec<QuorumReplica>,
    pub observers: Vec<QuorumReplica>,
    /// Where voters are reached, by node; nothing from before KIP-853.
    pub endpoints: Vec<(BrokerId, Vec<QuorumEndpoint>)>,
}

/// A node that has the metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumReplica {
    pub id: BrokerId,
    /// Zero where the quorum does not know it.
    pub directory_id: Uuid,
    pub log_end: i64,
    pub last_fetch_ms: Option<i64>,
    pub last_caught_up_ms: Option<i64>,
}

/// A listener of a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumEndpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
}

impl std::fmt::Display for QuorumEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, host, port } = self;
        match host.contains(':') {
            true => write!(f, "{name}://[{host}]:{port}"),
            false => write!(f, "{name}://{host}:{port}"),
        }
    }
}

impl Admin {
    /// The quorum of the metadata log; any broker passes the question on.
    pub async fn describe_quorum(&self) -> Result<QuorumDescription, ClientError> {
        let partition = PartitionData {
            partition_index: 0,
            ..Default::default()
        };
        let request = DescribeQuorumRequest {
            topics: vec![TopicData {
                topic_name: wire_text("the topic name", TOPIC)?,
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = self.ask_controller(&request).await?;
        described(&response)
    }

    /// Adds a controller to the quorum (KIP-853).
    pub async fn add_raft_voter(
        &self,
        id: i32,
        directory_id: Uuid,
        endpoints: &[QuorumEndpoint],
    ) -> Result<(), ClientError> {
        let listener = |endpoint: &QuorumEndpoint| {
            Ok(Listener {
                name: wire_text("the listener's name", &endpoint.name)?,
                host: wire_text("the host", &endpoint.host)?,
                port: endpoint.port,
                ..Default::default()
            })
        };
        let request = AddRaftVoterRequest {
            cluster_id: None,
            timeout_ms: self.broker_timeout_ms(),
            voter_id: id,
            voter_directory_id: directory_id,
            listeners: endpoints
                .iter()
                .map(listener)
                .collect::<Result<_, ClientError>>()?,
            ..Default::default()
        };
        let response = self.ask_controller(&request).await?;
        let message = response.error_message.as_deref();
        Ok(ApiError::check(response.error_code, message)?)
    }

    /// Takes a controller out of the quorum (KIP-853).
    pub async fn remove_raft_voter(&self, id: i32, directory_id: Uuid) -> Result<(), ClientError> {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: id,
            voter_directory_id: directory_id,
            ..Default::default()
        };
        let response = self.ask_controller(&request).await?;
        let message = response.error_message.as_deref();
        Ok(ApiError::check(response.error_code, message)?)
    }
}

fn described(response: &DescribeQuorumResponse) -> Result<QuorumDescription, ClientError> {
    ApiError::check(response.error_code, response.error_message.as_deref())?;
    let topic = response
        .topics
        .iter()
        .find(|topic| &*topic.topic_name == TOPIC);
    let partition = topic.and_then(|topic| topic.partitions.first());
    let partition = partition.ok_or_else(left_out)?;
    ApiError::check(partition.error_code, partition.error_message.as_deref())?;
    let endpoints = response.nodes.iter().map(|node| {
        let endpoint =
            |listener: &ottla_protocol::messages::describe_quorum::response::Listener| {
                QuorumEndpoint {
                    name: listener.name.to_string(),
                    host: listener.host.to_string(),
                    port: listener.port,
                }
            };
        let listeners = node.listeners.iter().map(endpoint).collect();
        (BrokerId(node.node_id), listeners)
    });
    Ok(QuorumDescription {
        leader: BrokerId(partition.leader_id),
        leader_epoch: partition.leader_epoch,
        high_watermark: partition.high_watermark,
        voters: partition.current_voters.iter().map(replica).collect(),
        observers: partition.observers.iter().map(replica).collect(),
        endpoints: endpoints.collect(),
    })
}

fn replica(state: &ReplicaState) -> QuorumReplica {
    let time = |ms: i64| Some(ms).filter(|ms| *ms >= 0);
    QuorumReplica {
        id: BrokerId(state.replica_id),
        directory_id: state.replica_directory_id,
        log_end: state.log_end_offset,
        last_fetch_ms: time(state.last_fetch_timestamp),
        last_caught_up_ms: time(state.last_caught_up_timestamp),
    }
}
