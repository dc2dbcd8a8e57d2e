//! Carries a plan out: first the cluster is asked whether it takes all of it, then it is told.
//!
//! Always: where the cluster would refuse a part that it can judge beforehand, nothing is changed at all.

use std::collections::BTreeMap;

use ottla_client::admin::{
    Admin, AlterOp, AlterResource, ConfigResource, NewOffset, NewPartitions, NewTopic, Outcomes,
    ResourceType, TopicPartition,
};
use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;

use super::file::Topic;
use super::plan::{GroupChange, Plan, TopicChange};
use super::replacement;
use crate::connect::failed;
use crate::progress::Progress;
use crate::settling::until_altered;
use crate::stop::Failure;

/// Topics in one request: a controller takes all of a request, or none of it, at once.
const TOPICS_AT_ONCE: usize = 100;

/// Partitions in one request.
const MOVES_AT_ONCE: usize = 1000;

/// What the cluster said no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `topic` or `group`.
    pub kind: &'static str,
    pub name: String,
    pub error: ApiError,
}

/// A plan as the requests have it.
struct Requests<'a> {
    new: Vec<NewTopic>,
    larger: Vec<NewPartitions>,
    altered: Vec<AlterResource>,
    deleted: Vec<String>,
    replaced: Vec<NewTopic>,
    groups: &'a [GroupChange],
}

/// Asks whether the cluster would do it; empty where it would. Deletions and offsets cannot be asked about.
pub(super) async fn validate(admin: &Admin, plan: &Plan) -> Result<Vec<Refusal>, Failure> {
    let mut refusals = Vec::new();
    let unseen = Progress::hidden();
    let requests = requests(plan);
    requests.topics(admin, true, &mut refusals, &unseen).await?;
    refusals.extend(replacement::validate(admin, &requests.replaced).await?);
    Ok(refusals)
}

/// What a bar counts while a plan is carried out.
pub fn steps(plan: &Plan) -> usize {
    let requests = requests(plan);
    let topics = requests.new.len() + requests.larger.len() + requests.altered.len();
    topics + requests.deleted.len() + requests.replaced.len() + requests.groups.len()
}

/// Does it. What is refused does not keep the rest from being done.
pub(super) async fn execute(
    admin: &Admin,
    plan: &Plan,
    progress: &Progress,
) -> Result<Vec<Refusal>, Failure> {
    let mut refusals = Vec::new();
    let requests = requests(plan);
    // First, as partitions that are added get as many replicas as the others have.
    refusals.extend(reassign(admin, &plan.moves()).await?);
    requests
        .topics(admin, false, &mut refusals, progress)
        .await?;
    if refusals.is_empty() {
        until_altered(&requests.altered, admin).await;
    }
    for names in requests.deleted.chunks(TOPICS_AT_ONCE) {
        let outcomes = admin.delete_topics(names).await;
        add(
            "topic",
            outcomes.map_err(failed("deleteTopics"))?,
            &mut refusals,
        );
        progress.add(names.len());
    }
    for topic in &requests.replaced {
        refusals.extend(replacement::replace(admin, topic).await?);
        progress.add_one();
    }
    for change in requests.groups {
        set_offsets(admin, change, &mut refusals).await?;
        progress.add_one();
    }
    Ok(refusals)
}

impl Requests<'_> {
    async fn topics(
        &self,
        admin: &Admin,
        validate_only: bool,
        refusals: &mut Vec<Refusal>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        for topics in self.new.chunks(TOPICS_AT_ONCE) {
            let outcomes = admin.create_topics(topics, validate_only).await;
            add("topic", outcomes.map_err(failed("createTopics"))?, refusals);
            progress.add(topics.len());
        }
        for topics in self.larger.chunks(TOPICS_AT_ONCE) {
            let outcomes = admin.create_partitions(topics, validate_only).await;
            add(
                "topic",
                outcomes.map_err(failed("createPartitions"))?,
                refusals,
            );
            progress.add(topics.len());
        }
        for changes in self.altered.chunks(TOPICS_AT_ONCE) {
            let outcomes = admin.alter_configs(changes, validate_only).await;
            let outcomes = outcomes.map_err(failed("incrementalAlterConfigs"))?;
            let outcomes = outcomes.into_iter().map(|(at, outcome)| (at.name, outcome));
            add("topic", outcomes.collect(), refusals);
            progress.add(changes.len());
        }
        Ok(())
    }
}

/// Begins to move replicas. Of a topic's refusals the first is told.
pub(super) async fn reassign(
    admin: &Admin,
    moves: &BTreeMap<TopicPartition, Vec<BrokerId>>,
) -> Result<Vec<Refusal>, Failure> {
    let moves = moves.iter().map(|(at, to)| (at.clone(), Some(to.clone())));
    let moves: Vec<_> = moves.collect();
    let mut refusals: Vec<Refusal> = Vec::new();
    for moves in moves.chunks(MOVES_AT_ONCE) {
        let outcomes = admin.alter_partition_reassignments(moves, true).await;
        for (at, outcome) in outcomes.map_err(failed("alterPartitionReassignments"))? {
            if let Err(error) = outcome
                && !refusals.iter().any(|refusal| refusal.name == at.topic)
            {
                let (kind, name) = ("topic", at.topic);
                refusals.push(Refusal { kind, name, error });
            }
        }
    }
    Ok(refusals)
}

fn add<T>(kind: &'static str, outcomes: Outcomes<String, T>, refusals: &mut Vec<Refusal>) {
    refusals.extend(outcomes.into_iter().filter_map(|(name, outcome)| {
        let error = outcome.err()?;
        Some(Refusal { kind, name, error })
    }));
}

/// Brokers learn of new topics a little after the controller has made them.
async fn set_offsets(
    admin: &Admin,
    change: &GroupChange,
    refusals: &mut Vec<Refusal>,
) -> Result<(), Failure> {
    let offsets: Vec<_> = change
        .offsets
        .iter()
        .map(|offset| (offset.at.clone(), NewOffset::at(offset.to)))
        .collect();
    let mut waits = super::waits();
    loop {
        let outcomes = admin.alter_group_offsets(&change.group, &offsets).await;
        let outcomes = match outcomes {
            Err(ClientError::Api(error)) => {
                let (kind, name) = ("group", change.group.clone());
                refusals.push(Refusal { kind, name, error });
                return Ok(());
            }
            outcomes => outcomes.map_err(failed("alterConsumerGroupOffsets"))?,
        };
        let refused = outcomes.into_iter().find_map(|(_, outcome)| outcome.err());
        let Some(error) = refused else {
            return Ok(());
        };
        if error.code != ErrorCode::UnknownTopicOrPartition || !waits.wait().await {
            let (kind, name) = ("group", change.group.clone());
            refusals.push(Refusal { kind, name, error });
            return Ok(());
        }
    }
}

fn requests(plan: &Plan) -> Requests<'_> {
    let mut requests = Requests {
        new: Vec::new(),
        larger: Vec::new(),
        altered: Vec::new(),
        deleted: Vec::new(),
        replaced: Vec::new(),
        groups: &plan.groups,
    };
    for change in &plan.topics {
        match change {
            TopicChange::Create { name, topic } => requests.new.push(new_topic(name, topic)),
            TopicChange::Delete { name } => requests.deleted.push(name.clone()),
            TopicChange::Replace { name, topic, .. } => {
                requests.replaced.push(new_topic(name, topic));
            }
            TopicChange::Alter {
                name,
                partitions,
                configs,
                ..
            } => {
                if let Some(growth) = partitions {
                    requests.larger.push(NewPartitions {
                        topic: name.clone(),
                        total: growth.to,
                        assignments: None,
                    });
                }
                let changes = configs.iter().map(|change| {
                    let op = change.to.clone().map_or(AlterOp::Delete, AlterOp::Set);
                    (change.key.clone(), op)
                });
                if !configs.is_empty() {
                    requests.altered.push(AlterResource {
                        resource: ConfigResource::new(ResourceType::Topic, name),
                        changes: changes.collect(),
                    });
                }
            }
        }
    }
    requests
}

fn new_topic(name: &str, topic: &Topic) -> NewTopic {
    let configs = topic.configs.clone().unwrap_or_default();
    NewTopic {
        name: name.to_owned(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs: configs.into_iter().collect(),
        ..NewTopic::default()
    }
}
