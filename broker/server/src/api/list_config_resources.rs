//! ListConfigResources (74): what can have a configuration of its own.
//!
//! - v0: client metrics only (KIP-714), when the API had another name.
//! - v1: every type that is asked for, or all (KIP-1142).

use ottla_coordination::controller::{ConfigResourceType, MetadataImage};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::list_config_resources::response::ConfigResource;
use ottla_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use ottla_protocol::types::BrokerId;

use super::config_resource::BROKER_LOGGER;
use super::{Answer, Context};

/// First version in which the client says which types it wants.
const TYPES_FROM: i16 = 1;
const TOPIC: i8 = ConfigResourceType::Topic.number();
const BROKER: i8 = ConfigResourceType::Broker.number();
const CLIENT_METRICS: i8 = ConfigResourceType::ClientMetrics.number();
const GROUP: i8 = ConfigResourceType::Group.number();
const ALL: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(crate) fn handle(
    context: &Context<'_>,
    request: ListConfigResourcesRequest,
) -> Answer<ListConfigResourcesResponse> {
    let types = match context.version {
        ..TYPES_FROM => vec![CLIENT_METRICS],
        _ if request.resource_types.is_empty() => ALL.to_vec(),
        _ => request.resource_types,
    };
    if !types.iter().all(|wanted| ALL.contains(wanted)) {
        return Answer::now(ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..Default::default()
        });
    }
    let image = context.broker.image.load();
    let node_id = context.broker.settings.node_id;
    let mut config_resources = Vec::new();
    for resource_type in ALL.into_iter().filter(|known| types.contains(known)) {
        let resource = |name: String| ConfigResource {
            resource_name: name.into(),
            resource_type,
            ..Default::default()
        };
        config_resources.extend(
            names(&image, node_id, resource_type)
                .into_iter()
                .map(resource),
        );
    }
    Answer::now(ListConfigResourcesResponse {
        config_resources,
        ..Default::default()
    })
}

fn names(image: &MetadataImage, node_id: BrokerId, resource_type: i8) -> Vec<String> {
    match resource_type {
        TOPIC => image
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .collect(),
        BROKER | BROKER_LOGGER => vec![node_id.to_string()],
        CLIENT_METRICS => configured(image, ConfigResourceType::ClientMetrics),
        _ => configured(image, ConfigResourceType::Group),
    }
}

fn configured(image: &MetadataImage, resource_type: ConfigResourceType) -> Vec<String> {
    image
        .configs()
        .names(resource_type)
        .map(str::to_owned)
        .collect()
}
