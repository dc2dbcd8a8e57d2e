//! DeleteGroups (42): groups without members, with their offsets.

use std::collections::HashSet;

use ottla_coordination::group::{Command, Response, delete_groups_error};
use ottla_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::group::{error_of, reply_all};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: DeleteGroupsRequest,
) -> Answer<DeleteGroupsResponse> {
    let mut seen = HashSet::new();
    let mut group_ids = request.groups_names;
    group_ids.retain(|group_id| seen.insert(group_id.clone()));
    let groups = &context.broker.groups;
    let asked = groups.ask_each(&group_ids, |group_ids| Command::DeleteGroups { group_ids });
    reply_all(asked, |answers| {
        let mut results = Vec::new();
        for (group_ids, answer) in answers {
            results.extend(match answer {
                Ok(Response::DeleteGroups(deleted)) => deleted,
                other => delete_groups_error(&group_ids, error_of(other)),
            });
        }
        DeleteGroupsResponse {
            results,
            ..Default::default()
        }
    })
}
