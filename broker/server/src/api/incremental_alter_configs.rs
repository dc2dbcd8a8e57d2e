//! IncrementalAlterConfigs (44): set, delete, append to and subtract from single keys (KIP-339).

use ottla_coordination::controller::ApiError;
use ottla_protocol::messages::incremental_alter_configs::request::AlterConfigsResource;
use ottla_protocol::messages::incremental_alter_configs::response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::config_resource::{Asked, Style, alter};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Answer<IncrementalAlterConfigsResponse> {
    let broker = context.broker.clone();
    let named: Vec<_> = request
        .resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()))
        .collect();
    let asked = request.resources.into_iter().map(asked).collect();
    Answer::later(async move {
        let verdicts = alter(&broker, asked, Style::Incremental, request.validate_only).await;
        let responses = named
            .into_iter()
            .zip(verdicts)
            .map(|((resource_type, name), verdict)| {
                let error = verdict.err();
                AlterConfigsResourceResponse {
                    error_code: error.as_ref().map_or(0, |error| error.code.code()),
                    error_message: error.as_ref().and_then(ApiError::text),
                    resource_type,
                    resource_name: name,
                    ..Default::default()
                }
            });
        IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..Default::default()
        }
    })
}

fn asked(resource: AlterConfigsResource) -> Asked {
    let change = resource
        .configs
        .into_iter()
        .map(|c| (c.name, c.config_operation, c.value));
    Asked {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        changes: change.collect(),
    }
}
