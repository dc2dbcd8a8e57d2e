//! DescribeCluster (60): the brokers (KIP-700), or the controllers where those are talked to.
//!
//! - v1: brokers or controllers (KIP-919). v2: fenced brokers too (KIP-1073).

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_cluster::response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::access::cluster_operations;
use super::{Answer, Context};
use crate::net::Role;

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
    let role = context.peer.role;
    let wanted = match request.endpoint_type {
        BROKERS => Role::Broker,
        CONTROLLERS => Role::Controller,
        other => {
            let words = format!("Unsupported endpoint type {other}");
            return refuse(ErrorCode::UnsupportedEndpointType, &words);
        }
    };
    if role != wanted {
        let [role, wanted] = [role, wanted].map(|role| role.to_string().to_uppercase());
        let words = format!(
            "The request was sent to an endpoint of type {role}, but we wanted an endpoint of type {wanted}"
        );
        return refuse(ErrorCode::MismatchedEndpointType, &words);
    }
    let broker = context.broker;
    let (host, port) = broker.address_for(context.peer);
    let rack = broker.settings.rack.as_deref();
    // The broker and the controller of this node.
    let this_node = DescribeClusterBroker {
        broker_id: broker.identity.node_id.0,
        host: host.into(),
        port,
        rack: rack.filter(|_| role == Role::Broker).map(Into::into),
        ..Default::default()
    };
    Answer::now(DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: broker.identity.cluster_id.as_str().into(),
        controller_id: broker.identity.node_id.0,
        brokers: vec![this_node],
        cluster_authorized_operations: cluster_operations(
            request.include_cluster_authorized_operations,
        ),
        ..Default::default()
    })
}
