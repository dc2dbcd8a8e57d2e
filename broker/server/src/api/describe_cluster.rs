//! DescribeCluster (60): the brokers (KIP-700).
//!
//! - v1: brokers or controllers (KIP-919). v2: fenced brokers too (KIP-1073).

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_cluster::response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::access::cluster_operations;
use super::{Answer, Context};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeClusterRequest,
) -> Answer<DescribeClusterResponse> {
    let refuse = |code: ErrorCode, message: &str| {
        Answer::now(DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(message.into()),
            endpoint_type: request.endpoint_type,
            ..Default::default()
        })
    };
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refuse(
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
            );
        }
        other => {
            return refuse(
                ErrorCode::UnsupportedEndpointType,
                &format!("Unsupported endpoint type {other}"),
            );
        }
    }
    let broker = context.broker;
    let (host, port) = broker.address_for(context.peer);
    let this_broker = DescribeClusterBroker {
        broker_id: broker.identity.node_id.0,
        host: host.into(),
        port,
        rack: broker.settings.rack.as_deref().map(Into::into),
        ..Default::default()
    };
    Answer::now(DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: broker.identity.cluster_id.as_str().into(),
        controller_id: broker.identity.node_id.0,
        brokers: vec![this_broker],
        cluster_authorized_operations: cluster_operations(
            request.include_cluster_authorized_operations,
        ),
        ..Default::default()
    })
}
