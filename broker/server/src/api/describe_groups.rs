//! DescribeGroups (15), of classic groups.
//!
//! - v3: what the client may do. v4: static members (KIP-345).
//! - v6: a group that is not there is GROUP_ID_NOT_FOUND (KIP-1043).

use std::collections::BTreeSet;

use ottla_coordination::group::{Command, Response, UnknownGroup, describe_groups_error};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::access::group_operations;
use super::group::{error_of, reply_all};
use super::{Answer, Context};

const NOT_FOUND_FROM: i16 = 6;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeGroupsRequest,
) -> Answer<DescribeGroupsResponse> {
    let unknown_group = if context.version >= NOT_FOUND_FROM {
        UnknownGroup::NotFound
    } else {
        UnknownGroup::Legacy
    };
    let operations = group_operations(request.include_authorized_operations);
    let groups = &context.broker.groups;
    // Each is described once: an answer must not grow by repeating one large group.
    let mut seen = BTreeSet::new();
    let mut wanted = request.groups;
    wanted.retain(|group_id| seen.insert(group_id.clone()));
    let asked = groups.ask_each(&wanted, |group_ids| Command::DescribeGroups {
        group_ids,
        unknown_group,
    });
    reply_all(asked, move |answers| {
        let mut groups = Vec::new();
        for (group_ids, answer) in answers {
            groups.extend(match answer {
                Ok(Response::DescribeGroups(described)) => described,
                other => describe_groups_error(&group_ids, error_of(other)),
            });
        }
        for group in &mut groups {
            group.authorized_operations = match ErrorCode::from_code(group.error_code) {
                ErrorCode::None => operations,
                _ => group_operations(false),
            };
        }
        DescribeGroupsResponse {
            groups,
            ..Default::default()
        }
    })
}
