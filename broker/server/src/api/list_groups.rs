//! ListGroups (16).
//!
//! - v4: states, and a filter by them (KIP-518). v5: types, and a filter by them (KIP-848).

use ottla_coordination::group::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::group::{error_of, reply_all};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: ListGroupsRequest,
) -> Answer<ListGroupsResponse> {
    let asked = context.broker.groups.ask_all(|| Command::ListGroups {
        states_filter: request.states_filter.clone(),
        types_filter: request.types_filter.clone(),
    });
    let asked = asked.into_iter().map(|asked| ((), asked)).collect();
    reply_all(asked, |answers| {
        let mut groups = Vec::new();
        for ((), answer) in answers {
            match answer {
                Ok(Response::ListGroups(listed)) => groups.extend(listed),
                Err(ErrorCode::NotCoordinator) => {}
                other => {
                    return ListGroupsResponse {
                        error_code: error_of(other).code(),
                        ..Default::default()
                    };
                }
            }
        }
        ListGroupsResponse {
            groups,
            ..Default::default()
        }
    })
}
