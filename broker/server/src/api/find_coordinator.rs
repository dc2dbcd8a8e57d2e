//! FindCoordinator (10): which broker looks after a group or a transactional id.
//!
//! - v1: the key has a type.
//! - v4: several keys at once (KIP-699).
//! - v5: TRANSACTION_ABORTABLE is possible. v6: share groups' state (KIP-932).

use std::sync::Arc;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::find_coordinator::response::Coordinator;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::exec::auto_create::{self, OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::net::Peer;

/// First version with a list of keys.
const KEYS_FROM: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: FindCoordinatorRequest,
) -> Answer<FindCoordinatorResponse> {
    let version = context.version;
    let (broker, peer) = (context.broker, context.peer);
    let topic = match request.key_type {
        GROUP => OFFSETS_TOPIC,
        TRANSACTION => TRANSACTIONS_TOPIC,
        _ => {
            return Answer::now(respond(
                broker,
                peer,
                version,
                request,
                ErrorCode::InvalidRequest,
            ));
        }
    };
    if broker.image.load().topics().by_name(topic).is_some() {
        return Answer::now(respond(broker, peer, version, request, ErrorCode::None));
    }
    let (broker, peer) = (broker.clone(), peer.clone());
    Answer::later(async move {
        // The first of all brings the topic into being.
        let refused = auto_create::create(&broker, vec![topic.into()]).await;
        let error = match refused.is_empty() {
            true => ErrorCode::None,
            false => ErrorCode::CoordinatorNotAvailable,
        };
        respond(&broker, &peer, version, request, error)
    })
}

fn respond(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    version: i16,
    request: FindCoordinatorRequest,
    error: ErrorCode,
) -> FindCoordinatorResponse {
    let key_type = request.key_type;
    let found = |key: StrBytes| {
        let is_there = match key_type {
            TRANSACTION => broker.transactions.has_coordinator(&key),
            _ => broker.groups.has_coordinator(&key),
        };
        let error = match error {
            ErrorCode::None if !is_there => ErrorCode::CoordinatorNotAvailable,
            other => other,
        };
        coordinator(broker, peer, key, error)
    };
    if version >= KEYS_FROM {
        return FindCoordinatorResponse {
            coordinators: request.coordinator_keys.into_iter().map(found).collect(),
            ..Default::default()
        };
    }
    let only = found(request.key);
    FindCoordinatorResponse {
        error_code: only.error_code,
        error_message: Some(error.text().into()),
        node_id: only.node_id,
        host: only.host,
        port: only.port,
        ..Default::default()
    }
}

fn coordinator(broker: &Broker, peer: &Peer, key: StrBytes, error: ErrorCode) -> Coordinator {
    if error != ErrorCode::None {
        return Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: error.code(),
            error_message: Some(error.text().into()),
            ..Default::default()
        };
    }
    let (host, port) = broker.address_for(peer);
    Coordinator {
        key,
        node_id: broker.settings.node_id.0,
        host: host.into(),
        port,
        ..Default::default()
    }
}
