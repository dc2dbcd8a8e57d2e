//! Committed offsets of groups: read, set, delete.

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse,
        api::{
            offset_commit::request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_delete::request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
            offset_fetch::request::{
                OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
            },
            offset_fetch::response::OffsetFetchResponseGroup,
        },
    },
    types::BrokerId,
    wire::StrBytes,
};

use crate::{
    cluster::Target,
    conn::RequestError,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, grouped, in_order, misdirected, no_error};

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: i64,
    pub leader_epoch: Option<i32>,
    pub metadata: String,
}

impl CommittedOffset {
    /// None where nothing is committed.
    fn of_wire(offset: i64, epoch: i32, metadata: Option<&str>) -> Option<Self> {
        (offset >= 0).then(|| Self {
            offset,
            leader_epoch: (epoch >= 0).then_some(epoch),
            metadata: metadata.unwrap_or_default().to_owned(),
        })
    }
}

/// What a group is to have committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffset {
    pub offset: i64,
    pub leader_epoch: Option<i32>,
    pub metadata: String,
}

/// Offsets as requests that commit them have them: topic by topic.
pub(crate) fn commit_topics(
    offsets: &[(TopicPartition, NewOffset)],
) -> Result<Vec<OffsetCommitRequestTopic>, ClientError> {
    let by_topic = grouped(offsets.iter().map(|(at, new)| {
        let place = (at.partition, new);
        (at.topic.as_str(), place)
    }));
    let topic = |(topic, partitions): (&str, Vec<(i32, &NewOffset)>)| {
        let partition = |(partition_index, new): (i32, &NewOffset)| {
            Ok(OffsetCommitRequestPartition {
                partition_index,
                committed_offset: new.offset,
                committed_leader_epoch: new.leader_epoch.unwrap_or(-1),
                committed_metadata: Some(wire_text("the offset's metadata", &new.metadata)?),
                ..Default::default()
            })
        };
        Ok(OffsetCommitRequestTopic {
            name: wire_text("the topic name", topic)?,
            partitions: partitions
                .into_iter()
                .map(partition)
                .collect::<Result<_, ClientError>>()?,
            ..Default::default()
        })
    };
    by_topic.into_iter().map(topic).collect()
}

impl NewOffset {
    pub fn at(offset: i64) -> Self {
        Self {
            offset,
            leader_epoch: None,
            metadata: String::new(),
        }
    }
}

/// The last versions that name topics; later ones want topic ids.
const FETCH_BY_NAME_MAX: i16 = 9;
/// The first version that asks for several groups (KIP-709).
const FETCH_GROUPS: i16 = 8;
/// The first version in which a member says its epoch.
const FETCH_WITH_EPOCH: i16 = 9;
const COMMIT_BY_NAME_MAX: i16 = 9;

impl Admin {
    /// The committed offsets of a group: of these partitions, or of all that have one. A partition without a
    /// committed offset is not in the answer.
    ///
    /// With `require_stable` (KIP-447), an offset that an open transaction is about to commit is waited for, and not
    /// told where that takes too long. Brokers before Kafka 2.5 tell what was committed before it.
    pub async fn group_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<Outcomes<TopicPartition, CommittedOffset>, ClientError> {
        let mut request = fetch_request(group, partitions)?;
        request.require_stable = require_stable;
        // Version 2 is the first that can ask for all partitions.
        self.fetch_offsets(group, &request, 2).await
    }

    /// What groups that a broker coordinates have committed, each for all its partitions, in one request. Brokers before
    /// Kafka 3.0 are asked group by group.
    pub async fn group_offsets_of(
        &self,
        coordinator: BrokerId,
        groups: &[String],
    ) -> Result<Outcomes<String, Outcomes<TopicPartition, CommittedOffset>>, ClientError> {
        let group = |id: &String| {
            Ok(OffsetFetchRequestGroup {
                group_id: wire_text("the group id", id)?,
                topics: None,
                ..Default::default()
            })
        };
        let request = OffsetFetchRequest {
            groups: groups
                .iter()
                .map(group)
                .collect::<Result<_, ClientError>>()?,
            ..Default::default()
        };
        let call = self.call().versions(FETCH_GROUPS..=FETCH_BY_NAME_MAX);
        let response = self
            .cluster
            .call(&Target::Broker(coordinator), &request, call, no_error)
            .await;
        let response = match response {
            Err(ClientError::Request(RequestError::Version { .. })) => {
                return self.group_offsets_one_by_one(groups).await;
            }
            response => response?,
        };
        let mut outcomes = Outcomes::new();
        for group in &response.groups {
            let outcome = ApiError::check(group.error_code, None);
            let outcome = outcome.map(|()| committed_of_group(group));
            outcomes.push((group.group_id.to_string(), outcome));
        }
        Ok(in_order(groups.iter().cloned(), outcomes))
    }

    async fn group_offsets_one_by_one(
        &self,
        groups: &[String],
    ) -> Result<Outcomes<String, Outcomes<TopicPartition, CommittedOffset>>, ClientError> {
        let mut outcomes = Outcomes::new();
        for group in groups {
            let outcome = match self.group_offsets(group, None, false).await {
                Ok(offsets) => Ok(offsets),
                Err(ClientError::Api(error)) => Err(error),
                Err(error) => return Err(error),
            };
            outcomes.push((group.clone(), outcome));
        }
        Ok(outcomes)
    }

    /// The same as a member of a group whose coordinator assigns sees them: a member that is none any more, or has
    /// another epoch by now, is refused (KIP-848).
    pub(crate) async fn group_offsets_of_member(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        member_id: StrBytes,
        member_epoch: i32,
    ) -> Result<Outcomes<TopicPartition, CommittedOffset>, ClientError> {
        let mut request = fetch_request(group, Some(partitions))?;
        request.require_stable = true;
        for group in &mut request.groups {
            group.member_id = Some(member_id.clone());
            group.member_epoch = member_epoch;
        }
        self.fetch_offsets(group, &request, FETCH_WITH_EPOCH).await
    }

    async fn fetch_offsets(
        &self,
        group: &str,
        request: &OffsetFetchRequest,
        first_version: i16,
    ) -> Result<Outcomes<TopicPartition, CommittedOffset>, ClientError> {
        let call = self.call().versions(first_version..=FETCH_BY_NAME_MAX);
        let response = self
            .cluster
            .call(
                &Target::Group(group.to_owned()),
                request,
                call,
                |response| match is_unstable(response) {
                    true => ErrorCode::UnstableOffsetCommit,
                    false => fetch_error(response),
                },
            )
            .await?;
        committed(&response)
    }

    /// Sets committed offsets. The group must have no active members of its own.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, NewOffset)],
    ) -> Result<Outcomes<TopicPartition>, ClientError> {
        let request = OffsetCommitRequest {
            group_id: wire_text("the group id", group)?,
            topics: commit_topics(offsets)?,
            ..Default::default()
        };
        let call = self.call().versions(2..=COMMIT_BY_NAME_MAX);
        let response = self
            .cluster
            .call(
                &Target::Group(group.to_owned()),
                &request,
                call,
                |response| {
                    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                    misdirected(partitions.map(|partition| partition.error_code))
                },
            )
            .await?;
        let mut answers = Outcomes::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                answers.push((at, ApiError::check(partition.error_code, None)));
            }
        }
        Ok(in_order(offsets.iter().map(|(at, _)| at.clone()), answers))
    }

    /// Forgets committed offsets of topics the group does not subscribe to.
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Outcomes<TopicPartition>, ClientError> {
        let mut topics = Vec::new();
        for (topic, indexes) in grouped(
            partitions
                .iter()
                .map(|at| (at.topic.as_str(), at.partition)),
        ) {
            let partition = |partition_index| OffsetDeleteRequestPartition {
                partition_index,
                ..Default::default()
            };
            topics.push(OffsetDeleteRequestTopic {
                name: wire_text("the topic name", topic)?,
                partitions: indexes.into_iter().map(partition).collect(),
                ..Default::default()
            });
        }
        let request = OffsetDeleteRequest {
            group_id: wire_text("the group id", group)?,
            topics,
            ..Default::default()
        };
        let response = self
            .cluster
            .call(
                &Target::Group(group.to_owned()),
                &request,
                self.call(),
                |response| ErrorCode::from_code(response.error_code),
            )
            .await?;
        ApiError::check(response.error_code, None)?;
        let mut answers = Outcomes::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                answers.push((at, ApiError::check(partition.error_code, None)));
            }
        }
        Ok(in_order(partitions.iter().cloned(), answers))
    }
}

/// Versions before 8 ask for one group, later ones for a list (KIP-709); both forms are filled in.
fn fetch_request(
    group: &str,
    partitions: Option<&[TopicPartition]>,
) -> Result<OffsetFetchRequest, ClientError> {
    let group_id = wire_text("the group id", group)?;
    let mut by_topic: Option<Vec<(StrBytes, Vec<i32>)>> = None;
    if let Some(partitions) = partitions {
        let mut list = Vec::new();
        for (topic, indexes) in grouped(
            partitions
                .iter()
                .map(|at| (at.topic.as_str(), at.partition)),
        ) {
            list.push((wire_text("the topic name", topic)?, indexes));
        }
        by_topic = Some(list);
    }
    let single = |(name, partition_indexes): &(StrBytes, Vec<i32>)| OffsetFetchRequestTopic {
        name: name.clone(),
        partition_indexes: partition_indexes.clone(),
        ..Default::default()
    };
    let listed = |(name, partition_indexes): &(StrBytes, Vec<i32>)| OffsetFetchRequestTopics {
        name: name.clone(),
        partition_indexes: partition_indexes.clone(),
        ..Default::default()
    };
    Ok(OffsetFetchRequest {
        group_id: group_id.clone(),
        topics: by_topic
            .as_ref()
            .map(|list| list.iter().map(single).collect()),
        groups: vec![OffsetFetchRequestGroup {
            group_id,
            topics: by_topic
                .as_ref()
                .map(|list| list.iter().map(listed).collect()),
            ..Default::default()
        }],
        ..Default::default()
    })
}

fn fetch_error(response: &OffsetFetchResponse) -> ErrorCode {
    let code = response
        .groups
        .first()
        .map_or(response.error_code, |group| group.error_code);
    ErrorCode::from_code(code)
}

/// Only who has asked for stable offsets is told so.
fn is_unstable(response: &OffsetFetchResponse) -> bool {
    let single = response.topics.iter().flat_map(|topic| &topic.partitions);
    let listed = response.groups.iter().flat_map(|group| &group.topics);
    let listed = listed.flat_map(|topic| &topic.partitions);
    let codes = single.map(|partition| partition.error_code);
    codes
        .chain(listed.map(|partition| partition.error_code))
        .any(|code| ErrorCode::from_code(code) == ErrorCode::UnstableOffsetCommit)
}

fn committed(
    response: &OffsetFetchResponse,
) -> Result<Outcomes<TopicPartition, CommittedOffset>, ClientError> {
    ApiError::check(fetch_error(response).code(), None)?;
    let mut outcomes = Outcomes::new();
    for topic in &response.topics {
        for p in &topic.partitions {
            let committed = CommittedOffset::of_wire(
                p.committed_offset,
                p.committed_leader_epoch,
                p.metadata.as_deref(),
            );
            add(
                &mut outcomes,
                TopicPartition::new(&*topic.name, p.partition_index),
                committed,
                p.error_code,
            );
        }
    }
    outcomes.extend(response.groups.iter().flat_map(committed_of_group));
    Ok(outcomes)
}

fn committed_of_group(
    group: &OffsetFetchResponseGroup,
) -> Outcomes<TopicPartition, CommittedOffset> {
    let mut outcomes = Outcomes::new();
    for topic in &group.topics {
        for p in &topic.partitions {
            let committed = CommittedOffset::of_wire(
                p.committed_offset,
                p.committed_leader_epoch,
                p.metadata.as_deref(),
            );
            add(
                &mut outcomes,
                TopicPartition::new(&*topic.name, p.partition_index),
                committed,
                p.error_code,
            );
        }
    }
    outcomes
}

fn add(
    outcomes: &mut Outcomes<TopicPartition, CommittedOffset>,
    at: TopicPartition,
    committed: Option<CommittedOffset>,
    code: i16,
) {
    match (ApiError::check(code, None), committed) {
        (Err(error), _) => outcomes.push((at, Err(error))),
        (Ok(()), Some(committed)) => outcomes.push((at, Ok(committed))),
        (Ok(()), None) => {}
    }
}
