//! ConsumerGroupDescribe (69), of the consumer protocol (KIP-848).
//!
//! - v1: which protocol a member speaks (KIP-1099).

use std::collections::BTreeSet;

use ottla_coordination::group::{Command, Response, consumer_group_describe_error};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::access::group_operations;
use super::group::{error_of, reply_all, speaks_consumer_protocol};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: ConsumerGroupDescribeRequest,
) -> Answer<ConsumerGroupDescribeResponse> {
    // Each is described once: an answer must not grow by repeating one large group.
    let mut seen = BTreeSet::new();
    let mut wanted = request.group_ids;
    wanted.retain(|group_id| seen.insert(group_id.clone()));
    if !speaks_consumer_protocol(context) {
        return Answer::now(ConsumerGroupDescribeResponse {
            groups: consumer_group_describe_error(&wanted, ErrorCode::UnsupportedVersion),
            ..Default::default()
        });
    }
    let operations = group_operations(request.include_authorized_operations);
    let (nameless, named): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|id| id.is_empty());
    let groups = &context.broker.groups;
    let asked = groups.ask_each(&named, |group_ids| Command::ConsumerGroupDescribe {
        group_ids,
    });
    reply_all(asked, move |answers| {
        let mut groups = consumer_group_describe_error(&nameless, ErrorCode::InvalidGroupId);
        for (group_ids, answer) in answers {
            groups.extend(match answer {
                Ok(Response::ConsumerGroupDescribe(described)) => described,
                other => consumer_group_describe_error(&group_ids, error_of(other)),
            });
        }
        for group in &mut groups {
            group.authorized_operations = match ErrorCode::from_code(group.error_code) {
                ErrorCode::None => operations,
                _ => group_operations(false),
            };
        }
        ConsumerGroupDescribeResponse {
            groups,
            ..Default::default()
        }
    })
}
