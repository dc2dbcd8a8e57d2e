//! The cluster itself: nodes, controller, and what each broker speaks.

use ottla_protocol::{
    messages::{DescribeClusterRequest, UnregisterBrokerRequest},
    types::BrokerId,
};

use crate::{
    cluster::{Broker, EndpointType, Lane},
    conn::{PeerVersions, RequestError},
    error::{ApiError, ClientError},
};

use super::Admin;

/// A cluster and its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    pub id: Option<String>,
    /// The node to send controller requests to; with KRaft any broker, which passes them on, or the active controller.
    pub controller: Option<BrokerId>,
    /// Brokers, or controllers where those are talked to, by id.
    pub nodes: Vec<ClusterNode>,
    pub endpoint_type: EndpointType,
}

/// A node, and whether it is shut out for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNode {
    pub broker: Broker,
    pub is_fenced: bool,
}

impl Admin {
    /// Describes the cluster; fenced brokers are included on request where the broker can tell (KIP-1073).
    pub async fn describe_cluster(
        &self,
        include_fenced: bool,
    ) -> Result<ClusterDescription, ClientError> {
        let endpoint_type = self.cluster.settings().endpoint_type;
        let request = DescribeClusterRequest {
            include_fenced_brokers: include_fenced,
            endpoint_type: endpoint_type.on_wire(),
            ..Default::default()
        };
        let response = match self.ask_any(&request).await {
            Err(ClientError::Request(RequestError::Version { .. }))
                if endpoint_type == EndpointType::Broker =>
            {
                return self.describe_by_snapshot().await;
            }
            other => other?,
        };
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        let node = |b: &ottla_protocol::messages::api::describe_cluster::response::DescribeClusterBroker| {
            let broker = Broker::of_wire(b.broker_id, &b.host, b.port, b.rack.as_deref())?;
            Some(ClusterNode { broker, is_fenced: b.is_fenced })
        };
        let mut nodes: Vec<ClusterNode> = response.brokers.iter().filter_map(node).collect();
        nodes.sort_by_key(|node| node.broker.id);
        Ok(ClusterDescription {
            id: Some(response.cluster_id.to_string()),
            controller: Some(BrokerId(response.controller_id)).filter(|id| id.0 >= 0),
            nodes,
            endpoint_type,
        })
    }

    /// Brokers before 2.8 have no DescribeCluster.
    async fn describe_by_snapshot(&self) -> Result<ClusterDescription, ClientError> {
        let metadata = self.cluster.refresh(self.deadline()).await?;
        let node = |broker: &Broker| ClusterNode {
            broker: broker.clone(),
            is_fenced: false,
        };
        Ok(ClusterDescription {
            id: metadata.cluster_id.clone(),
            controller: metadata.controller,
            nodes: metadata.brokers().map(node).collect(),
            endpoint_type: EndpointType::Broker,
        })
    }

    /// Takes a broker that is gone for good out of the cluster (KIP-631).
    pub async fn unregister_broker(&self, id: BrokerId) -> Result<(), ClientError> {
        let request = UnregisterBrokerRequest {
            broker_id: id.0,
            ..Default::default()
        };
        let response = self.ask_controller(&request).await?;
        let message = response.error_message.as_deref();
        Ok(ApiError::check(response.error_code, message)?)
    }

    /// What every broker speaks, by broker id; a broker that can't be reached is an error in its place.
    pub async fn broker_versions(
        &self,
    ) -> Result<Vec<(Broker, Result<PeerVersions, ClientError>)>, ClientError> {
        let metadata = self.cluster.refresh(self.deadline()).await?;
        let mut answers = Vec::new();
        for broker in metadata.brokers() {
            let connection = self
                .cluster
                .connection_to(broker.id, Lane::Control, self.deadline())
                .await;
            answers.push((
                broker.clone(),
                connection.map(|connection| connection.versions().clone()),
            ));
        }
        Ok(answers)
    }
}
