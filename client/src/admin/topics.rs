//! Topics: list, describe, create, delete, more partitions.

use std::sync::Arc;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
        DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest,
        MetadataResponse,
        api::{
            create_partitions::request::{CreatePartitionsAssignment, CreatePartitionsTopic},
            create_topics::request::{
                CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
            },
            delete_topics::request::DeleteTopicState,
            describe_topic_partitions::{
                request::{Cursor, TopicRequest},
                response::{
                    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
                },
            },
            metadata::request::MetadataRequestTopic,
            metadata::response::{MetadataResponsePartition, MetadataResponseTopic},
        },
    },
    types::BrokerId,
    wire::Uuid,
};

use crate::{
    cluster::{Target, Topic, broker_ids},
    conn::RequestError,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, in_order, misdirected, no_error};

/// What brokers put into one answer by default (`max.request.partition.size.limit`), and the reference's tools ask for.
pub const PARTITIONS_PER_REQUEST: i32 = 2000;

/// A topic as listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicListing {
    pub name: String,
    pub id: Uuid,
    pub is_internal: bool,
}

/// A topic to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// The broker's default where none is given.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    /// For each partition the brokers to place it on; then the two numbers above stay empty.
    pub assignments: Vec<Vec<BrokerId>>,
    pub configs: Vec<(String, String)>,
}

/// What the broker made; -1 and zeros where it is too old to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    pub id: Uuid,
    pub partitions: i32,
    pub replication_factor: i16,
}

/// A topic that is to have more partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPartitions {
    pub topic: String,
    /// Partitions afterwards.
    pub total: i32,
    /// For each added partition the brokers to place it on; the broker places them where nobody does.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// A topic with its partitions in the order of their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    pub name: String,
    pub id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<PartitionDescription>,
}

/// A partition's placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    pub index: i32,
    pub leader: Option<BrokerId>,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    /// None where the broker does not say (KIP-966).
    pub elr: Option<Vec<BrokerId>>,
    pub last_known_elr: Option<Vec<BrokerId>>,
    pub offline: Vec<BrokerId>,
}

impl Admin {
    /// Every topic, sorted by name.
    pub async fn list_topics(&self) -> Result<Vec<TopicListing>, ClientError> {
        let mut listing: Vec<TopicListing> = match self.cluster.take_first_look() {
            Some(seen) => {
                let usable = seen.topics().filter(|topic| topic.error.is_none());
                let listing = |topic: &Arc<Topic>| TopicListing {
                    name: topic.name.to_string(),
                    id: topic.id,
                    is_internal: topic.is_internal,
                };
                usable.map(listing).collect()
            }
            None => self.listed_topics().await?,
        };
        listing.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    async fn listed_topics(&self) -> Result<Vec<TopicListing>, ClientError> {
        let request = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.metadata(&request).await?;
        let usable = response.topics.iter().filter(|topic| topic.error_code == 0);
        let listing = |topic: &MetadataResponseTopic| TopicListing {
            name: topic.name.as_deref().unwrap_or_default().to_owned(),
            id: topic.topic_id,
            is_internal: topic.is_internal,
        };
        Ok(usable.map(listing).collect())
    }

    /// Describes topics, so many partitions per request at most. Brokers without DescribeTopicPartitions are asked
    /// for Metadata.
    pub async fn describe_topics(
        &self,
        names: &[String],
        partitions_per_request: i32,
    ) -> Result<Outcomes<String, TopicDescription>, ClientError> {
        // Brokers are not asked for what cannot be a name.
        let (unnamed, asked): (Vec<String>, Vec<String>) =
            names.iter().cloned().partition(String::is_empty);
        let mut answers: Outcomes<String, TopicDescription> = unnamed
            .into_iter()
            .map(|name| (name, Err(no_name())))
            .collect();
        if !asked.is_empty() {
            answers.extend(
                match self.describe_by_pages(&asked, partitions_per_request).await {
                    Err(ClientError::Request(RequestError::Version { .. })) => {
                        self.describe_by_metadata(&asked).await?
                    }
                    other => other?,
                },
            );
        }
        Ok(in_order(names.iter().cloned(), answers))
    }

    /// Describes topics by id; an unknown id is an error in its place.
    pub async fn describe_topics_by_id(
        &self,
        ids: &[Uuid],
    ) -> Result<Outcomes<Uuid, TopicDescription>, ClientError> {
        let topic = |id: &Uuid| MetadataRequestTopic {
            topic_id: *id,
            name: None,
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: Some(ids.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        // The first version with ids in requests that brokers honour (KIP-516).
        let call = self.call().versions(12..=i16::MAX);
        let response = self
            .cluster
            .call(&self.anyone, &request, call, no_error)
            .await?;
        let answers = response
            .topics
            .iter()
            .map(|topic| (topic.topic_id, of_metadata(topic)))
            .collect();
        Ok(in_order(ids.iter().copied(), answers))
    }

    /// Creates topics, or with `validate_only` says what would become of it.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Outcomes<String, CreatedTopic>, ClientError> {
        let request = CreateTopicsRequest {
            topics: topics.iter().map(creatable).collect::<Result<_, _>>()?,
            timeout_ms: self.broker_timeout_ms(),
            validate_only,
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&Target::Controller, &request, self.call(), |response| {
                misdirected(response.topics.iter().map(|topic| topic.error_code))
            })
            .await?;
        let answers = response
            .topics
            .iter()
            .map(|topic| {
                let outcome = ApiError::check(topic.error_code, topic.error_message.as_deref());
                let created = CreatedTopic {
                    id: topic.topic_id,
                    partitions: topic.num_partitions,
                    replication_factor: topic.replication_factor,
                };
                (topic.name.to_string(), outcome.map(|()| created))
            })
            .collect();
        Ok(in_order(
            topics.iter().map(|topic| topic.name.clone()),
            answers,
        ))
    }

    /// Deletes topics with everything in them.
    pub async fn delete_topics(&self, names: &[String]) -> Result<Outcomes<String>, ClientError> {
        let texts = names
            .iter()
            .map(|name| wire_text("the topic name", name))
            .collect::<Result<Vec<_>, _>>()?;
        let state = |name| DeleteTopicState {
            name: Some(name),
            ..Default::default()
        };
        let request = DeleteTopicsRequest {
            topics: texts.iter().cloned().map(state).collect(),
            // Versions before 6 have the names alone.
            topic_names: texts,
            timeout_ms: self.broker_timeout_ms(),
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&Target::Controller, &request, self.call(), |response| {
                misdirected(response.responses.iter().map(|topic| topic.error_code))
            })
            .await?;
        let answers = response
            .responses
            .iter()
            .map(|topic| {
                let name = topic.name.as_deref().unwrap_or_default().to_owned();
                (
                    name,
                    ApiError::check(topic.error_code, topic.error_message.as_deref()),
                )
            })
            .collect();
        Ok(in_order(names.iter().cloned(), answers))
    }

    /// Adds partitions to topics.
    pub async fn create_partitions(
        &self,
        topics: &[NewPartitions],
        validate_only: bool,
    ) -> Result<Outcomes<String>, ClientError> {
        let request = CreatePartitionsRequest {
            topics: topics
                .iter()
                .map(with_more_partitions)
                .collect::<Result<_, _>>()?,
            timeout_ms: self.broker_timeout_ms(),
            validate_only,
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&Target::Controller, &request, self.call(), |response| {
                misdirected(response.results.iter().map(|topic| topic.error_code))
            })
            .await?;
        let answers = response
            .results
            .iter()
            .map(|topic| {
                let outcome = ApiError::check(topic.error_code, topic.error_message.as_deref());
                (topic.name.to_string(), outcome)
            })
            .collect();
        Ok(in_order(
            topics.iter().map(|topic| topic.topic.clone()),
            answers,
        ))
    }

    async fn metadata(&self, request: &MetadataRequest) -> Result<MetadataResponse, ClientError> {
        self.cluster
            .call(&self.anyone, request, self.call(), |response| {
                ErrorCode::from_code(response.error_code)
            })
            .await
    }

    async fn describe_by_metadata(
        &self,
        names: &[String],
    ) -> Result<Outcomes<String, TopicDescription>, ClientError> {
        let mut topics = Vec::with_capacity(names.len());
        for name in names {
            let name = Some(wire_text("the topic name", name)?);
            topics.push(MetadataRequestTopic {
                name,
                ..Default::default()
            });
        }
        let request = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.metadata(&request).await?;
        Ok(response
            .topics
            .iter()
            .map(|topic| {
                (
                    topic.name.as_deref().unwrap_or_default().to_owned(),
                    of_metadata(topic),
                )
            })
            .collect())
    }

    async fn describe_by_pages(
        &self,
        names: &[String],
        partitions_per_request: i32,
    ) -> Result<Outcomes<String, TopicDescription>, ClientError> {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        let mut topics = Vec::with_capacity(sorted.len());
        for name in sorted {
            topics.push(TopicRequest {
                name: wire_text("the topic name", name)?,
                ..Default::default()
            });
        }
        let mut request = DescribeTopicPartitionsRequest {
            topics,
            response_partition_limit: partitions_per_request.max(1),
            ..Default::default()
        };
        let mut answers = Outcomes::new();
        loop {
            let response = self.ask_any(&request).await?;
            let got = add_page(&mut answers, &response);
            let Some(next) = response.next_cursor else {
                return Ok(answers);
            };
            if got == 0 {
                // A broker that names a next page without giving anything would keep us here for ever.
                return Ok(answers);
            }
            request
                .topics
                .retain(|topic| topic.name.as_str() >= next.topic_name.as_str());
            request.cursor = Some(Cursor {
                topic_name: next.topic_name.clone(),
                partition_index: next.partition_index,
                ..Default::default()
            });
        }
    }
}

/// Adds a page's topics; the first may be the rest of the last page's last. Returns how much there was.
fn add_page(
    answers: &mut Outcomes<String, TopicDescription>,
    response: &DescribeTopicPartitionsResponse,
) -> usize {
    let mut got = 0;
    for topic in &response.topics {
        got += 1 + topic.partitions.len();
        let name = topic.name.as_deref().unwrap_or_default();
        let fresh = of_page(topic);
        match (answers.last_mut(), fresh) {
            (Some((last, Ok(known))), Ok(fresh)) if last == name => {
                known.partitions.extend(fresh.partitions)
            }
            (_, fresh) => answers.push((name.to_owned(), fresh)),
        }
    }
    got
}

fn of_page(topic: &DescribeTopicPartitionsResponseTopic) -> Result<TopicDescription, ApiError> {
    ApiError::check(topic.error_code, None)?;
    let partition = |partition: &DescribeTopicPartitionsResponsePartition| PartitionDescription {
        index: partition.partition_index,
        leader: leader(partition.leader_id),
        replicas: broker_ids(&partition.replica_nodes),
        isr: broker_ids(&partition.isr_nodes),
        elr: partition
            .eligible_leader_replicas
            .as_deref()
            .map(broker_ids),
        last_known_elr: partition.last_known_elr.as_deref().map(broker_ids),
        offline: broker_ids(&partition.offline_replicas),
    };
    Ok(TopicDescription {
        name: topic.name.as_deref().unwrap_or_default().to_owned(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions: topic.partitions.iter().map(partition).collect(),
    })
}

fn of_metadata(topic: &MetadataResponseTopic) -> Result<TopicDescription, ApiError> {
    ApiError::check(topic.error_code, None)?;
    let partition = |partition: &MetadataResponsePartition| PartitionDescription {
        index: partition.partition_index,
        leader: leader(partition.leader_id),
        replicas: broker_ids(&partition.replica_nodes),
        isr: broker_ids(&partition.isr_nodes),
        elr: None,
        last_known_elr: None,
        offline: broker_ids(&partition.offline_replicas),
    };
    let mut partitions: Vec<PartitionDescription> =
        topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.index);
    Ok(TopicDescription {
        name: topic.name.as_deref().unwrap_or_default().to_owned(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions,
    })
}

/// What the reference's client says of a name without a character.
fn no_name() -> ApiError {
    ApiError {
        code: ErrorCode::InvalidTopicException,
        message: Some("The given topic name '' cannot be represented in a request.".to_owned()),
    }
}

fn leader(id: i32) -> Option<BrokerId> {
    (id >= 0).then_some(BrokerId(id))
}

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

fn creatable(topic: &NewTopic) -> Result<CreatableTopic, ClientError> {
    let assigned = topic.assignments.iter().zip(0..);
    Ok(CreatableTopic {
        name: wire_text("the topic name", &topic.name)?,
        // -1: the broker's default (KIP-464), or an assignment that says it all.
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: assigned
            .map(|(brokers, partition_index)| CreatableReplicaAssignment {
                partition_index,
                broker_ids: ids(brokers),
                ..Default::default()
            })
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|(name, value)| {
                Ok(CreatableTopicConfig {
                    name: wire_text("the config's name", name)?,
                    value: Some(wire_text("the config's value", value)?),
                    ..Default::default()
                })
            })
            .collect::<Result<_, ClientError>>()?,
        ..Default::default()
    })
}

fn with_more_partitions(topic: &NewPartitions) -> Result<CreatePartitionsTopic, ClientError> {
    let assignment = |brokers: &Vec<BrokerId>| CreatePartitionsAssignment {
        broker_ids: ids(brokers),
        ..Default::default()
    };
    Ok(CreatePartitionsTopic {
        name: wire_text("the topic name", &topic.topic)?,
        count: topic.total,
        assignments: topic
            .assignments
            .as_ref()
            .map(|brokers| brokers.iter().map(assignment).collect()),
        ..Default::default()
    })
}
