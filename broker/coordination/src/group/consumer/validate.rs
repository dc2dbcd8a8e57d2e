//! What a ConsumerGroupHeartbeat must be, whatever group it is for, and what its group must allow.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ConsumerGroupHeartbeatRequest;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;

use super::group::ConsumerGroup;
use super::member::{ConsumerMember, LEFT, LEFT_FOR_NOW, Owned};
use super::settings::ConsumerSettings;
use super::{ConsumerHeartbeat, Refusal};

fn invalid(message: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn must_not_be_empty(text: Option<&str>, message: &str) -> Result<(), Refusal> {
    match text {
        Some(text) if text.trim().is_empty() => Err(invalid(message)),
        _ => Ok(()),
    }
}

pub(super) fn request(
    heartbeat: &ConsumerHeartbeat,
    settings: &ConsumerSettings,
) -> Result<(), Refusal> {
    let request = &heartbeat.request;
    let epoch = request.member_epoch;
    if heartbeat.candidate_member_id.is_none() || epoch > 0 || epoch == LEFT {
        must_not_be_empty(Some(&request.member_id), "MemberId can't be empty.")?;
    }
    must_not_be_empty(Some(&request.group_id), "GroupId can't be empty.")?;
    must_not_be_empty(request.instance_id.as_deref(), "InstanceId can't be empty.")?;
    must_not_be_empty(request.rack_id.as_deref(), "RackId can't be empty.")?;
    if epoch == 0 {
        first_request(request)?;
    } else if epoch == LEFT_FOR_NOW && request.instance_id.is_none() {
        return Err(invalid("InstanceId can't be null."));
    } else if epoch < LEFT_FOR_NOW {
        return Err(invalid("MemberEpoch is invalid."));
    }
    match request.server_assignor.as_deref() {
        Some(name)
            if settings
                .assignors
                .iter()
                .all(|assignor| assignor.name() != name) =>
        {
            let supported: Vec<&str> = settings.assignors.iter().map(|one| one.name()).collect();
            let supported = supported.join(", ");
            Err(Refusal::new(
                ErrorCode::UnsupportedAssignor,
                format!(
                    "ServerAssignor {name} is not supported. Supported assignors: {supported}."
                ),
            ))
        }
        _ => Ok(()),
    }
}

fn first_request(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    if request.rebalance_timeout_ms == -1 {
        return Err(invalid(
            "RebalanceTimeoutMs must be provided in first request.",
        ));
    }
    if request
        .topic_partitions
        .as_ref()
        .is_none_or(|owned| !owned.is_empty())
    {
        return Err(invalid("TopicPartitions must be empty when (re-)joining."));
    }
    if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
        return Err(invalid(
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ));
    }
    Ok(())
}

/// Whether there is room; who is in has it.
pub(super) fn room(
    group: &ConsumerGroup,
    member_id: &str,
    settings: &ConsumerSettings,
) -> Result<(), Refusal> {
    let size_max = settings.size_max;
    if group.members.len() >= size_max && !group.members.contains_key(member_id) {
        return Err(Refusal::new(
            ErrorCode::GroupMaxSizeReached,
            format!("The consumer group has reached its maximum capacity of {size_max} members."),
        ));
    }
    Ok(())
}

/// Whether the member is in the epoch that it says. The epoch before is good enough for one that owns no more than it
/// may: it has missed an answer.
pub(super) fn epoch(
    member: &ConsumerMember,
    received: i32,
    reported: Option<&[TopicPartitions]>,
) -> Result<(), Refusal> {
    let fenced = |which: &str| {
        let known = member.epoch;
        Refusal::new(
            ErrorCode::FencedMemberEpoch,
            format!(
                "The consumer group member has a {which} member epoch ({received}) than the one known by the group \
                 coordinator ({known}). The member must abandon all its partitions and rejoin."
            ),
        )
    };
    if received == 0 {
        return Ok(());
    }
    if received > member.epoch {
        return Err(fenced("greater"));
    }
    if received < member.epoch
        && (received != member.previous_epoch || !is_within(reported, &member.assigned))
    {
        return Err(fenced("smaller"));
    }
    Ok(())
}

fn is_within(reported: Option<&[TopicPartitions]>, owned: &Owned) -> bool {
    let Some(reported) = reported else {
        return false;
    };
    reported.iter().all(|topic| {
        owned.get(&topic.topic_id).is_some_and(|partitions| {
            let mut told = topic.partitions.iter();
            told.all(|partition| partitions.contains_key(partition))
        })
    })
}

/// The member that holds an instance id, which the one who asks must be.
pub(super) fn holder<'a>(
    group: &'a ConsumerGroup,
    instance_id: &str,
    member_id: &str,
) -> Result<&'a ConsumerMember, Refusal> {
    let holder = group
        .member_of_instance(instance_id)
        .ok_or_else(|| unknown_instance(instance_id))?;
    if holder.id != member_id {
        return Err(Refusal::new(
            ErrorCode::FencedInstanceId,
            format!(
                "Static member {member_id} with instance id {instance_id} was fenced by member {}.",
                holder.id
            ),
        ));
    }
    Ok(holder)
}

pub(super) fn unknown_instance(instance_id: &str) -> Refusal {
    let message = format!("Instance id {instance_id} is unknown.");
    Refusal::new(ErrorCode::UnknownMemberId, message)
}

pub(super) fn unknown_member(group_id: &str, member_id: &str) -> Refusal {
    Refusal::new(
        ErrorCode::UnknownMemberId,
        format!("Member {member_id} is not a member of group {group_id}."),
    )
}
