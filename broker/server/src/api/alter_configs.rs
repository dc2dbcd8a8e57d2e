//! AlterConfigs (33): what is given replaces all that was set. Superseded by IncrementalAlterConfigs.

use ottla_coordination::controller::ApiError;
use ottla_protocol::messages::alter_configs::request::AlterConfigsResource;
use ottla_protocol::messages::alter_configs::response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::config_resource::{Asked, Style, alter};
use super::{Answer, Context};

/// The number of the operation that every change here is.
const SET: i8 = 0;

pub(crate) fn handle(
    context: &Context<'_>,
    request: AlterConfigsRequest,
) -> Answer<AlterConfigsResponse> {
    let broker = context.broker.clone();
    let named: Vec<_> = request
        .resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()))
        .collect();
    let asked = request.resources.into_iter().map(asked).collect();
    Answer::later(async move {
        let verdicts = alter(&broker, asked, Style::Replacing, request.validate_only).await;
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
        AlterConfigsResponse {
            responses: responses.collect(),
            ..Default::default()
        }
    })
}

fn asked(resource: AlterConfigsResource) -> Asked {
    let change = resource.configs.into_iter().map(|c| (c.name, SET, c.value));
    Asked {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        changes: change.collect(),
    }
}
