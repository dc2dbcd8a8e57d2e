//! Writes records and answers the way scripts show them.

use std::fmt::Write as _;

use bytes::Bytes;
use ottla_coordination::Answer;
use ottla_coordination::group::{Change, ConsumerRecord, GroupRecord, Response, TransactionRecord};
use ottla_coordination::txn::coordinator::Outcome;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_describe::response::{
    Assignment as DescribedAssignment, DescribedGroup as ConsumerDescribedGroup,
};
use ottla_protocol::messages::internal::consumer_group_current_member_assignment_value::TopicPartitions as CurrentTopicPartitions;
use ottla_protocol::messages::internal::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue, OffsetCommitKey,
    OffsetCommitValue,
};
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatResponse, ConsumerProtocolAssignment, JoinGroupResponse, Message as _,
    SyncGroupResponse,
};
use ottla_protocol::wire::{Reader, StrBytes, Uuid};

use super::command::topic_name;

pub(super) fn record(record: &GroupRecord) -> String {
    match record {
        GroupRecord::GroupMetadata { key, value: None } => {
            format!("append group {} gone", key.group)
        }
        GroupRecord::GroupMetadata {
            key,
            value: Some(value),
        } => {
            let mut line = format!("append group {} generation={}", key.group, value.generation);
            if let Some(protocol) = &value.protocol {
                let _ = write!(line, " {}/{protocol}", value.protocol_type);
            }
            if let Some(leader) = &value.leader {
                let _ = write!(line, " leader={leader}");
            }
            for member in &value.members {
                let _ = write!(line, " {}", member.member_id);
                if let Some(instance) = &member.group_instance_id {
                    let _ = write!(line, "/{instance}");
                }
                let _ = write!(line, ":{}", text(&member.assignment));
            }
            line
        }
        GroupRecord::Consumer(record) => consumer_record(record),
        GroupRecord::Transaction(TransactionRecord::Offset {
            producer_id,
            producer_epoch,
            key,
            value,
        }) => format!(
            "append {} producer={producer_id}/{producer_epoch}",
            offset(key, Some(value))
        ),
        GroupRecord::Transaction(TransactionRecord::End(end)) => {
            let outcome = match end.outcome {
                Outcome::Commit => "commit",
                Outcome::Abort => "abort",
            };
            let (producer_id, producer_epoch) = (end.producer_id, end.producer_epoch);
            format!("append {outcome} marker producer={producer_id}/{producer_epoch}")
        }
        GroupRecord::OffsetCommit { key, value } => {
            format!("append {}", offset(key, value.as_ref()))
        }
    }
}

fn offset(key: &OffsetCommitKey, value: Option<&OffsetCommitValue>) -> String {
    let topic_id = value.map_or(Uuid::ZERO, |value| value.topic_id);
    let place = format!(
        "offset {} {}{}-{}",
        key.group,
        key.topic,
        numbered(topic_id),
        key.partition
    );
    match value {
        None => format!("{place} gone"),
        Some(value) if value.expire_timestamp >= 0 => {
            format!("{place}={} with expiry", value.offset)
        }
        Some(value) => format!("{place}={}", value.offset),
    }
}

/// The id of a topic, where it has one.
fn numbered(topic_id: Uuid) -> String {
    if topic_id.is_zero() {
        return String::new();
    }
    format!("@{}", u128::from_be_bytes(topic_id.0))
}

fn consumer_record(record: &ConsumerRecord) -> String {
    let group = &record.group_id;
    let (what, value) = match &record.change {
        Change::Group(value) => (
            "epoch".to_owned(),
            value.as_ref().map(|value| {
                let hash = if value.metadata_hash == 0 {
                    "no topics"
                } else {
                    "topics"
                };
                format!("{} {hash}", value.epoch)
            }),
        ),
        Change::SubscriptionMetadata(value) => {
            ("metadata".to_owned(), value.as_ref().map(|_| String::new()))
        }
        Change::Member(id, value) => (format!("member {id}"), value.as_ref().map(subscribed)),
        Change::TargetEpoch(value) => (
            "target epoch".to_owned(),
            value
                .as_ref()
                .map(|value| value.assignment_epoch.to_string()),
        ),
        Change::Target(id, value) => (
            format!("target {id}"),
            value.as_ref().map(|value| {
                let topics = value.topic_partitions.iter();
                partitions(topics.map(|topic| (topic.topic_id, &topic.partitions)))
            }),
        ),
        Change::Current(id, value) => (format!("current {id}"), value.as_ref().map(current)),
        Change::Regex(regex, value) => (
            format!("regex {regex}"),
            value.as_ref().map(|value| joined(&value.topics)),
        ),
    };
    let value = value.unwrap_or_else(|| "gone".to_owned());
    format!("append consumers {group} {what}: {value}")
}

fn subscribed(value: &ConsumerGroupMemberMetadataValue) -> String {
    let mut line = joined(&value.subscribed_topic_names);
    let options = [
        (
            "regex",
            value
                .subscribed_topic_regex
                .as_deref()
                .filter(|text| !text.is_empty()),
        ),
        ("instance", value.instance_id.as_deref()),
        ("rack", value.rack_id.as_deref()),
        ("assignor", value.server_assignor.as_deref()),
    ];
    for (name, text) in options {
        if let Some(text) = text {
            let _ = write!(line, " {name}={text}");
        }
    }
    if let Some(classic) = &value.classic_member_metadata {
        let protocols = classic.supported_protocols.iter();
        let names: Vec<&str> = protocols.map(|protocol| protocol.name.as_str()).collect();
        let _ = write!(line, " classic={}", names.join(","));
    }
    line
}

fn current(value: &ConsumerGroupCurrentMemberAssignmentValue) -> String {
    let state = match value.state {
        0 => "stable",
        1 => "unrevoked",
        _ => "unreleased",
    };
    let owned = |topics: &[CurrentTopicPartitions]| {
        let topics = topics.iter();
        partitions(topics.map(|topic| (topic.topic_id, &topic.partitions)))
    };
    let mut line = format!(
        "epoch={} previous={} {state} owns {}",
        value.member_epoch,
        value.previous_member_epoch,
        owned(&value.assigned_partitions)
    );
    if !value.partitions_pending_revocation.is_empty() {
        let _ = write!(
            line,
            " revokes {}",
            owned(&value.partitions_pending_revocation)
        );
    }
    line
}

fn beat(response: &ConsumerGroupHeartbeatResponse) -> String {
    if response.error_code != 0 {
        let message = response.error_message.as_deref().unwrap_or_default();
        return format!("{} {message}", outcome(response.error_code));
    }
    let member = response.member_id.as_deref().unwrap_or_default();
    let mut line = format!("{member} epoch={}", response.member_epoch);
    if let Some(assignment) = &response.assignment {
        let topics = assignment.topic_partitions.iter();
        let topics = topics.map(|topic| (topic.topic_id, &topic.partitions));
        let _ = write!(line, " assigned {}", partitions(topics));
    }
    line
}

fn consumers_described(group: &ConsumerDescribedGroup) -> String {
    if group.error_code != 0 {
        let message = group.error_message.as_deref().unwrap_or_default();
        return format!("{} {message}", outcome(group.error_code));
    }
    let mut line = format!(
        "{} {} epoch={} target epoch={}",
        group.group_state, group.assignor_name, group.group_epoch, group.assignment_epoch
    );
    for member in &group.members {
        let has = |assignment: &DescribedAssignment| {
            let topics = assignment.topic_partitions.iter();
            partitions(topics.map(|topic| (topic.topic_id, &topic.partitions)))
        };
        let _ = write!(
            line,
            " {}{}@{}[{} target {}]",
            member.member_id,
            if member.member_type == 0 {
                "/classic"
            } else {
                ""
            },
            member.member_epoch,
            has(&member.assignment),
            has(&member.target_assignment)
        );
    }
    line
}

fn partitions<'a>(topics: impl Iterator<Item = (Uuid, &'a Vec<i32>)>) -> String {
    let mut list = Vec::new();
    for (id, indexes) in topics {
        list.extend(
            indexes
                .iter()
                .map(|index| format!("{}-{index}", topic_name(id))),
        );
    }
    if list.is_empty() {
        return "nothing".to_owned();
    }
    list.join(",")
}

fn joined(names: &[StrBytes]) -> String {
    let names: Vec<&str> = names.iter().map(StrBytes::as_str).collect();
    names.join(",")
}

pub(super) fn answer(asked: &str, answer: &Answer<Response>) -> String {
    match answer {
        Err(error) => format!("{asked}: {}", error.name()),
        Ok(response) => format!("{asked}: {}", body(response)),
    }
}

fn body(response: &Response) -> String {
    match response {
        Response::JoinGroup(response) => join(response),
        Response::SyncGroup(response) => sync(response),
        Response::Heartbeat(response) => outcome(response.error_code),
        Response::LeaveGroup(response) if response.error_code != 0 => outcome(response.error_code),
        Response::LeaveGroup(response) => {
            let members = response
                .members
                .iter()
                .map(|member| format!("{}={}", member.member_id, outcome(member.error_code)));
            members.collect::<Vec<_>>().join(" ")
        }
        Response::DescribeGroups(groups) => groups.iter().map(described).collect(),
        Response::ConsumerGroupHeartbeat(response) => beat(response),
        Response::ConsumerGroupDescribe(groups) => groups
            .iter()
            .map(consumers_described)
            .collect::<Vec<_>>()
            .join(" "),
        Response::ClusterChanged => "ok".to_owned(),
        Response::ListGroups(groups) => {
            let groups = groups.iter().map(|group| {
                format!(
                    "{}[{} {} {}]",
                    group.group_id, group.group_state, group.protocol_type, group.group_type
                )
            });
            groups.collect::<Vec<_>>().join(" ")
        }
        Response::DeleteGroups(results) => {
            let results = results
                .iter()
                .map(|result| format!("{}={}", result.group_id, outcome(result.error_code)));
            results.collect::<Vec<_>>().join(" ")
        }
        Response::OffsetCommit(response) => {
            let partitions = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    let index = partition.partition_index;
                    format!("{}-{index}={}", topic.name, outcome(partition.error_code))
                })
            });
            partitions.collect::<Vec<_>>().join(" ")
        }
        Response::OffsetFetch(response) if response.error_code != 0 => outcome(response.error_code),
        Response::OffsetFetch(response) => {
            let partitions = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    let metadata = partition.metadata.as_deref().unwrap_or_default();
                    let (index, offset) = (partition.partition_index, partition.committed_offset);
                    let error = match partition.error_code {
                        0 => String::new(),
                        code => format!(" {}", outcome(code)),
                    };
                    format!("{}-{index}={offset}{metadata}{error}", topic.name)
                })
            });
            partitions.collect::<Vec<_>>().join(" ")
        }
        Response::OffsetDelete(response) if response.error_code != 0 => {
            outcome(response.error_code)
        }
        Response::OffsetDelete(response) => {
            let partitions = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    let index = partition.partition_index;
                    format!("{}-{index}={}", topic.name, outcome(partition.error_code))
                })
            });
            partitions.collect::<Vec<_>>().join(" ")
        }
        Response::TransactionEnded | Response::TopicsDeleted => "done".to_owned(),
    }
}

fn join(response: &JoinGroupResponse) -> String {
    if response.error_code != 0 {
        return format!("{} id={}", outcome(response.error_code), response.member_id);
    }
    let mut line = format!(
        "generation={} {}/{} leader={} id={}",
        response.generation_id,
        response.protocol_type.as_deref().unwrap_or("-"),
        response.protocol_name.as_deref().unwrap_or("-"),
        response.leader,
        response.member_id
    );
    if !response.members.is_empty() {
        let members: Vec<&str> = response
            .members
            .iter()
            .map(|member| member.member_id.as_str())
            .collect();
        let _ = write!(line, " members={}", members.join(","));
    }
    if response.skip_assignment {
        line.push_str(" skip");
    }
    line
}

fn sync(response: &SyncGroupResponse) -> String {
    if response.error_code != 0 {
        return outcome(response.error_code);
    }
    format!("assignment={}", text(&response.assignment))
}

fn described(
    group: &ottla_protocol::messages::describe_groups::response::DescribedGroup,
) -> String {
    let mut line = format!("{} {}", outcome(group.error_code), group.group_state);
    if let Some(message) = &group.error_message {
        let _ = write!(line, " ({message})");
    }
    if !group.protocol_type.is_empty() {
        let _ = write!(line, " {}/{}", group.protocol_type, group.protocol_data);
    }
    for member in &group.members {
        let metadata = if member.member_metadata.is_empty() {
            ""
        } else {
            "+metadata"
        };
        let assignment = text(&member.member_assignment);
        let _ = write!(line, " {}{metadata}:{assignment}", member.member_id);
    }
    line
}

fn outcome(code: i16) -> String {
    match ErrorCode::from_code(code) {
        ErrorCode::None => "ok".to_owned(),
        error => error.name().to_owned(),
    }
}

/// Partitions where it is an assignment of consumers.
fn text(bytes: &Bytes) -> String {
    if bytes.first() == Some(&0) {
        let mut reader = Reader::new(bytes.slice(2..));
        let assignment = ConsumerProtocolAssignment::decode(&mut reader, 0).expect("an assignment");
        let topics = assignment.assigned_partitions.iter().flat_map(|topic| {
            let indexes = topic.partitions.iter();
            indexes.map(|index| format!("{}-{index}", topic.topic))
        });
        return format!("@{}", topics.collect::<Vec<_>>().join("+"));
    }
    String::from_utf8_lossy(bytes).into_owned()
}
