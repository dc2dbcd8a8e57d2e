//! A cluster found through its controllers (KIP-919): `bootstrap.controllers` instead of `bootstrap.servers`.
//!
//! Always: controllers are never asked for Metadata, which they do not serve, and of the other APIs only for those that
//! the reference's client asks them for. Whoever is at hand is the active controller then.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        AddRaftVoterRequest, AlterPartitionReassignmentsRequest, CreateAclsRequest,
        DeleteAclsRequest, DescribeAclsRequest, DescribeClusterRequest, DescribeConfigsRequest,
        DescribeQuorumRequest, IncrementalAlterConfigsRequest, ListPartitionReassignmentsRequest,
        Message, RemoveRaftVoterRequest, Request, UnregisterBrokerRequest, UpdateFeaturesRequest,
    },
    types::BrokerId,
};

use crate::{
    conn::Connection,
    error::{ApiError, ClientError},
};

use super::{Broker, Cluster, Deadline, Metadata, lock};

/// On which side a cluster is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointType {
    Broker,
    Controller,
}

/// What the reference's client asks controllers for.
const ASKED_OF_CONTROLLERS: [i16; 13] = [
    AddRaftVoterRequest::API_KEY,
    AlterPartitionReassignmentsRequest::API_KEY,
    CreateAclsRequest::API_KEY,
    DeleteAclsRequest::API_KEY,
    DescribeAclsRequest::API_KEY,
    DescribeClusterRequest::API_KEY,
    DescribeConfigsRequest::API_KEY,
    DescribeQuorumRequest::API_KEY,
    IncrementalAlterConfigsRequest::API_KEY,
    ListPartitionReassignmentsRequest::API_KEY,
    RemoveRaftVoterRequest::API_KEY,
    UnregisterBrokerRequest::API_KEY,
    UpdateFeaturesRequest::API_KEY,
];

impl EndpointType {
    /// What nodes on this side are asked about the cluster.
    pub(super) fn describing_api(self) -> &'static str {
        match self {
            Self::Broker => "Metadata",
            Self::Controller => "DescribeCluster",
        }
    }

    pub(crate) fn on_wire(self) -> i8 {
        match self {
            Self::Broker => 1,
            Self::Controller => 2,
        }
    }

    /// Whether nodes on this side are asked for that at all.
    pub(super) fn check<R: Request>(self) -> Result<(), ClientError> {
        if self == Self::Broker || ASKED_OF_CONTROLLERS.contains(&R::API_KEY) {
            return Ok(());
        }
        let message = "This Admin API is not yet supported when communicating directly with the controller quorum.";
        Err(ClientError::Api(ApiError {
            code: ErrorCode::UnsupportedEndpointType,
            message: Some(message.to_owned()),
        }))
    }
}

impl Cluster {
    /// Who the controllers are, and which of them is active, as one of them says.
    pub(super) async fn fetch_controllers(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<Arc<Metadata>, ClientError> {
        let asked_at = Instant::now();
        let request = DescribeClusterRequest {
            endpoint_type: EndpointType::Controller.on_wire(),
            ..Default::default()
        };
        // Version 0 knows brokers only.
        let response = self
            .ask(connection, &request, 1..=i16::MAX, deadline)
            .await?;
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        self.note_told_by(connection);
        let nodes = response.brokers.iter();
        let nodes: BTreeMap<BrokerId, Broker> = nodes
            .filter_map(|node| Broker::of_wire(node.broker_id, &node.host, node.port, None))
            .map(|node| (node.id, node))
            .collect();
        let active = Some(BrokerId(response.controller_id)).filter(|id| nodes.contains_key(id));
        let cluster_id = response.cluster_id.to_string();
        let found = Arc::new(Metadata::of_controllers(
            cluster_id, active, nodes, asked_at,
        ));
        *lock(&self.inner.metadata) = found.clone();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ottla_protocol::messages::{
        DescribeClusterResponse, MetadataRequest, UnregisterBrokerResponse,
        describe_cluster::response::DescribeClusterBroker,
    };

    use crate::{
        admin::Admin,
        cluster::ClusterSettings,
        conn::Endpoint,
        testing::{Answer, Incoming, count, fake_broker, quick_cluster},
    };

    use super::*;

    fn through_controllers(endpoint: Endpoint) -> ClusterSettings {
        ClusterSettings {
            endpoint_type: EndpointType::Controller,
            ..quick_cluster(vec![endpoint])
        }
    }

    /// Two controllers, of which the second is active.
    fn quorum(endpoints: &[Endpoint]) -> DescribeClusterResponse {
        let node = |(id, endpoint): (i32, &Endpoint)| DescribeClusterBroker {
            broker_id: id,
            host: endpoint.host.as_str().into(),
            port: i32::from(endpoint.port),
            ..Default::default()
        };
        DescribeClusterResponse {
            endpoint_type: EndpointType::Controller.on_wire(),
            cluster_id: "fake".into(),
            controller_id: 2,
            brokers: (1..).zip(endpoints).map(node).collect(),
            ..Default::default()
        }
    }

    type Seen = Arc<Mutex<Vec<Incoming>>>;

    async fn two_controllers() -> [(Endpoint, Seen); 2] {
        let known: Arc<Mutex<Vec<Endpoint>>> = Arc::default();
        let controller = async || {
            let known = known.clone();
            let answer = move |request: &Incoming| match request.is::<DescribeClusterRequest>() {
                true => request.answer(&quorum(&lock(&known))),
                false => request.answer(&UnregisterBrokerResponse::default()),
            };
            fake_broker(answer).await
        };
        let both = [controller().await, controller().await];
        lock(&known).extend(both.iter().map(|(endpoint, _)| endpoint.clone()));
        both
    }

    #[tokio::test]
    async fn the_active_controller_is_found_without_a_word_of_metadata() {
        let [(first, at_first), (second, at_second)] = two_controllers().await;
        let admin = Admin::connect(through_controllers(first)).await.unwrap();
        let described = admin.describe_cluster(false).await.unwrap();
        assert_eq!(described.endpoint_type, EndpointType::Controller);
        assert_eq!(described.controller, Some(BrokerId(2)));
        let ids: Vec<i32> = described
            .nodes
            .iter()
            .map(|node| node.broker.id.0)
            .collect();
        assert_eq!(ids, [1, 2]);
        assert_eq!(described.nodes[1].broker.endpoint, second);
        admin.unregister_broker(BrokerId(7)).await.unwrap();
        assert_eq!(count::<UnregisterBrokerRequest>(&at_first), 0);
        assert_eq!(count::<UnregisterBrokerRequest>(&at_second), 1);
        for seen in [at_first, at_second] {
            assert_eq!(count::<MetadataRequest>(&seen), 0);
        }
    }

    #[tokio::test]
    async fn what_only_brokers_answer_is_not_asked_of_controllers() {
        let [(first, at_first), (_, at_second)] = two_controllers().await;
        let admin = Admin::connect(through_controllers(first)).await.unwrap();
        let error = admin.list_topics().await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::UnsupportedEndpointType));
        let asked = lock(&at_first).len() + lock(&at_second).len();
        assert_eq!(asked, 1, "who the controllers are");
    }

    #[tokio::test]
    async fn a_broker_that_is_taken_for_a_controller_says_so() {
        let (broker, _) = fake_broker(|request: &Incoming| -> Answer {
            request.answer(&DescribeClusterResponse {
                error_code: ErrorCode::MismatchedEndpointType.code(),
                ..Default::default()
            })
        })
        .await;
        let error = Admin::connect(through_controllers(broker))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::MismatchedEndpointType));
    }
}
