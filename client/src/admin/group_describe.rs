//! A group in detail: state, members, who has which partitions.
//!
//! Groups of the new protocol (KIP-848) and classic ones are described by different requests; the type of a group is
//! only known after asking, so the new request is tried first, as the reference does.

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DescribeGroupsRequest, Message,
        api::{
            consumer_group_describe::response::{
                Assignment, DescribedGroup as NewGroup, Member as NewMember,
            },
            describe_groups::response::{DescribedGroup as ClassicGroup, DescribedGroupMember},
        },
    },
    wire::Reader,
};

use crate::{
    cluster::{Broker, CoordinatorKind, Target},
    conn::RequestError,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, in_order, misdirected, no_error};

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    pub id: String,
    /// `Stable`, `Empty`, `Dead`, …
    pub state: String,
    /// `Classic` or `Consumer`.
    pub kind: &'static str,
    /// Of classic groups: `consumer` where members are consumers.
    pub protocol_type: String,
    /// The assignor: `range`, `uniform`, …
    pub assignor: String,
    pub coordinator: Broker,
    pub members: Vec<MemberDescription>,
    /// Only groups of the new protocol have epochs.
    pub epochs: Option<GroupEpochs>,
}

/// What a group's members speak, and so what describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    Classic,
    /// KIP-848.
    Consumer,
}

/// How far a group of the new protocol is with its assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEpochs {
    pub group: i32,
    pub target_assignment: i32,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub host: String,
    /// By topic name; partitions in the order the assignor gave them.
    pub assignment: Vec<TopicPartitions>,
    pub epochs: Option<MemberEpochs>,
}

/// What only members of new groups have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEpochs {
    pub member: i32,
    pub target_assignment: Vec<TopicPartitions>,
    /// False for a member that still speaks the classic protocol; none where the broker does not say.
    pub is_upgraded: Option<bool>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPartitions {
    pub topic: String,
    pub partitions: Vec<i32>,
}

impl Admin {
    /// Describes groups. One that does not exist is an error (GROUP_ID_NOT_FOUND) where the broker says so, and a
    /// group in state `Dead` where it is too old to.
    pub async fn describe_groups(
        &self,
        ids: &[String],
    ) -> Result<Outcomes<String, GroupDescription>, ClientError> {
        let mut outcomes = Outcomes::new();
        for id in ids {
            let outcome = match self.describe_group(id).await {
                Ok(description) => Ok(description),
                Err(ClientError::Api(error)) => Err(error),
                Err(error) => return Err(error),
            };
            outcomes.push((id.clone(), outcome));
        }
        Ok(outcomes)
    }

    /// Describes groups of one kind that a broker coordinates, in one request. One that has moved away meanwhile is an
    /// error in its place.
    pub async fn describe_groups_of(
        &self,
        coordinator: &Broker,
        kind: GroupKind,
        ids: &[String],
    ) -> Result<Outcomes<String, GroupDescription>, ClientError> {
        let texts: Result<Vec<_>, _> = ids.iter().map(|id| wire_text("the group id", id)).collect();
        let target = Target::Broker(coordinator.id);
        let mut outcomes = Outcomes::new();
        match kind {
            GroupKind::Classic => {
                let request = DescribeGroupsRequest {
                    groups: texts?,
                    ..Default::default()
                };
                let call = self.call();
                let response = self.cluster.call(&target, &request, call, no_error).await?;
                for group in &response.groups {
                    let outcome = ApiError::check(group.error_code, group.error_message.as_deref());
                    let outcome = outcome.map(|()| of_classic(group, coordinator.clone()));
                    outcomes.push((group.group_id.to_string(), outcome));
                }
            }
            GroupKind::Consumer => {
                let request = ConsumerGroupDescribeRequest {
                    group_ids: texts?,
                    ..Default::default()
                };
                let call = self.call();
                let response = self.cluster.call(&target, &request, call, no_error).await?;
                for group in &response.groups {
                    let outcome = ApiError::check(group.error_code, group.error_message.as_deref());
                    let outcome = outcome.map(|()| of_new(group, coordinator.clone()));
                    outcomes.push((group.group_id.to_string(), outcome));
                }
            }
        }
        Ok(in_order(ids.iter().cloned(), outcomes))
    }

    async fn describe_group(&self, id: &str) -> Result<GroupDescription, ClientError> {
        match self.describe_new_group(id).await {
            // Not of the new protocol, or a broker without it.
            Err(ClientError::Api(error))
                if matches!(
                    error.code,
                    ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion
                ) =>
            {
                self.describe_classic_group(id).await
            }
            Err(ClientError::Request(RequestError::Version { .. })) => {
                self.describe_classic_group(id).await
            }
            other => other,
        }
    }

    async fn describe_new_group(&self, id: &str) -> Result<GroupDescription, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![wire_text("the group id", id)?],
            ..Default::default()
        };
        let response = self
            .cluster
            .call(
                &Target::Group(id.to_owned()),
                &request,
                self.call(),
                |response| misdirected(response.groups.iter().map(|group| group.error_code)),
            )
            .await?;
        let group = response.groups.first().ok_or_else(super::left_out)?;
        ApiError::check(group.error_code, group.error_message.as_deref())?;
        Ok(of_new(group, self.coordinator_of(id).await?))
    }

    async fn describe_classic_group(&self, id: &str) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest {
            groups: vec![wire_text("the group id", id)?],
            ..Default::default()
        };
        let response = self
            .cluster
            .call(
                &Target::Group(id.to_owned()),
                &request,
                self.call(),
                |response| misdirected(response.groups.iter().map(|group| group.error_code)),
            )
            .await?;
        let group = response.groups.first().ok_or_else(super::left_out)?;
        ApiError::check(group.error_code, group.error_message.as_deref())?;
        Ok(of_classic(group, self.coordinator_of(id).await?))
    }

    async fn coordinator_of(&self, id: &str) -> Result<Broker, ClientError> {
        self.cluster
            .coordinator(CoordinatorKind::Group, id, self.deadline())
            .await
    }
}

fn of_new(group: &NewGroup, coordinator: Broker) -> GroupDescription {
    let member = |member: &NewMember| MemberDescription {
        id: member.member_id.to_string(),
        instance_id: member.instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: assigned(&member.assignment),
        epochs: Some(MemberEpochs {
            member: member.member_epoch,
            target_assignment: assigned(&member.target_assignment),
            is_upgraded: match member.member_type {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
        }),
    };
    GroupDescription {
        id: group.group_id.to_string(),
        state: group.group_state.to_string(),
        kind: "Consumer",
        protocol_type: "consumer".to_owned(),
        assignor: group.assignor_name.to_string(),
        coordinator,
        members: group.members.iter().map(member).collect(),
        epochs: Some(GroupEpochs {
            group: group.group_epoch,
            target_assignment: group.assignment_epoch,
        }),
    }
}

fn assigned(assignment: &Assignment) -> Vec<TopicPartitions> {
    let topics = assignment.topic_partitions.iter();
    topics
        .map(|t| TopicPartitions {
            topic: t.topic_name.to_string(),
            partitions: t.partitions.clone(),
        })
        .collect()
}

fn of_classic(group: &ClassicGroup, coordinator: Broker) -> GroupDescription {
    let is_consumers = group.protocol_type.is_empty() || group.protocol_type == "consumer";
    let member = |member: &DescribedGroupMember| MemberDescription {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: if is_consumers {
            decode_assignment(&member.member_assignment)
        } else {
            Vec::new()
        },
        epochs: None,
    };
    GroupDescription {
        id: group.group_id.to_string(),
        state: group.group_state.to_string(),
        kind: "Classic",
        protocol_type: group.protocol_type.to_string(),
        assignor: group.protocol_data.to_string(),
        coordinator,
        members: group.members.iter().map(member).collect(),
        epochs: None,
    }
}

/// What an assignor wrote: a version, then the assignment. What can't be read is shown as no partitions: it is
/// another client's data and no reason to hide the rest of the group.
fn decode_assignment(bytes: &bytes::Bytes) -> Vec<TopicPartitions> {
    let mut reader = Reader::new(bytes.clone());
    let Ok(version) = reader.i16("version") else {
        return Vec::new();
    };
    // Later versions only add fields behind those we know.
    let version = version.min(ConsumerProtocolAssignment::MAX_VERSION);
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut reader, version) else {
        return Vec::new();
    };
    let topics = assignment.assigned_partitions.iter();
    topics
        .map(|t| TopicPartitions {
            topic: t.topic.to_string(),
            partitions: t.partitions.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_assignment_is_read_and_garbage_is_no_partitions() {
        // Version 3, one topic "t" with partitions 0 and 1, no user data.
        let bytes = b"\0\x03\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\xff\xff";
        let expected = [TopicPartitions {
            topic: "t".to_owned(),
            partitions: vec![0, 1],
        }];
        assert_eq!(decode_assignment(&Bytes::from_static(bytes)), expected);
        assert_eq!(decode_assignment(&Bytes::from_static(b"")), []);
        assert_eq!(
            decode_assignment(&Bytes::from_static(b"\0\x01\x7f\xff\xff\xff")),
            []
        );
        assert_eq!(
            decode_assignment(&Bytes::from_static(b"\xff\xff\0\0\0\0")),
            []
        );
    }
}
