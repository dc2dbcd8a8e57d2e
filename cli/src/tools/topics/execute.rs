//! Carries a plan out: asks the cluster, writes what there is to say to standard output.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;

use ottla_client::admin::{
    Admin, ConfigResource, DescribeDetail, NewPartitions, NewTopic, ResourceType, TopicDescription,
};
use ottla_client::cluster::{Call, Target};
use ottla_client::conn::RequestError;
use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ListPartitionReassignmentsRequest;
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;

use super::configs::Configs;
use super::json;
use super::plan::{Alteration, Creation, Description, Plan, Selection};
use super::render::{self, Reassignment, Topic};
use super::settle;
use crate::connect::{failed, refused};
use crate::context::Context;
use crate::java_order;
use crate::nearest;
use crate::output::Format;
use crate::stop::{Failure, Stop};

pub(super) async fn execute(
    plan: &Plan,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Stop> {
    match plan {
        Plan::List(topics) => {
            let listing = admin.list_topics().await.map_err(failed("listTopics"))?;
            let chosen = listing
                .iter()
                .filter(|topic| topics.allows(&topic.name, topic.is_internal));
            if let Format::Data(form) = format {
                return Ok(cx
                    .out
                    .write_all(json::listed(chosen).text(form).as_bytes())?);
            }
            let names: Vec<&str> = chosen.map(|topic| &*topic.name).collect();
            // One empty line where there is nothing to list.
            Ok(writeln!(cx.out, "{}", names.join("\n"))?)
        }
        Plan::Create(creation) => create(creation, format, admin, &mut cx.out).await,
        Plan::Alter(alteration) => {
            let outcomes = alter(alteration, admin, cx).await?;
            tell_change("altered", outcomes, format, &mut cx.out)
        }
        Plan::Describe(description) => describe(description, format, admin, &mut cx.out).await,
        Plan::Delete { topics, if_exists } => {
            let outcomes = delete(topics, *if_exists, admin, cx).await?;
            tell_change("deleted", outcomes, format, &mut cx.out)
        }
    }
}

/// The topics there are, and those of them that are meant; both sorted.
struct Selected {
    chosen: Vec<String>,
    all: Vec<String>,
}

async fn select(topics: &Selection, admin: &Admin) -> Result<Selected, Failure> {
    let listing = admin.list_topics().await.map_err(failed("listTopics"))?;
    let chosen = listing
        .iter()
        .filter(|topic| topics.allows(&topic.name, topic.is_internal));
    let chosen = chosen.map(|topic| topic.name.clone()).collect();
    Ok(Selected {
        chosen,
        all: listing.into_iter().map(|topic| topic.name).collect(),
    })
}

/// The topics that are meant; that there are none is a failure where topics were named and have to be there.
async fn select_existing(
    topics: &Selection,
    if_exists: bool,
    admin: &Admin,
) -> Result<Vec<String>, Failure> {
    let Selected { chosen, all } = select(topics, admin).await?;
    match &topics.pattern {
        Some(pattern) if chosen.is_empty() && !pattern.is_empty() && !if_exists => {
            let failure = Failure::new(format!("Topic '{pattern}' does not exist as expected"));
            let hint =
                "--list shows the topics there are; --if-exists makes a missing one no error.";
            let nearest = nearest::sentence(pattern, all.iter().map(String::as_str));
            Err(failure.hint(nearest.as_deref().unwrap_or(hint)))
        }
        _ => Ok(chosen),
    }
}

async fn create(
    creation: &Creation,
    format: Format,
    admin: &Admin,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let topic = NewTopic {
        name: creation.topic.clone(),
        partitions: creation.partitions,
        replication_factor: creation
            .replication_factor
            .and_then(|count| i16::try_from(count).ok()),
        assignments: creation
            .assignment
            .iter()
            .map(|ids| broker_ids(ids))
            .collect(),
        configs: creation.configs.clone(),
    };
    let outcomes = admin
        .create_topics(&[topic], false)
        .await
        .map_err(failed("createTopics"))?;
    for (_, outcome) in outcomes {
        let created = outcome.as_ref().ok();
        if created.is_some() {
            settle::until_created(&creation.topic, admin).await;
        }
        let is_done = created.is_some()
            || creation.if_not_exists
                && matches!(&outcome, Err(error) if error.code == ErrorCode::TopicAlreadyExists);
        if let (Format::Data(form), true) = (format, is_done) {
            let text = json::created(&creation.topic, created).text(form);
            out.write_all(text.as_bytes())?;
            continue;
        }
        match outcome {
            Ok(_) => writeln!(out, "Created topic {}.", creation.topic)?,
            Err(error) if error.code == ErrorCode::TopicAlreadyExists => {
                if !creation.if_not_exists {
                    let hint = "--if-not-exists makes that no error.";
                    return Err(refused(error).hint(hint).into());
                }
            }
            Err(error) => return Err(refused(error).into()),
        }
    }
    Ok(())
}

/// What became of each.
type Changed = Vec<(String, Result<(), ApiError>)>;

async fn alter(
    alteration: &Alteration,
    admin: &Admin,
    cx: &mut Context,
) -> Result<Changed, Failure> {
    let names = select_existing(&alteration.topics, alteration.if_exists, admin).await?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(surprise) = alteration.topics.surprise(&names) {
        cx.warn(surprise);
    }
    let mut changes = Vec::with_capacity(names.len());
    for (topic, present) in described(&names, 2000, admin).await? {
        // The assignment names all partitions; those that are there already stay where they are.
        let added = alteration.assignment.iter().skip(present.partitions.len());
        let assignments =
            (!alteration.assignment.is_empty()).then(|| added.map(|ids| broker_ids(ids)).collect());
        changes.push(NewPartitions {
            topic,
            total: alteration.partitions,
            assignments,
        });
    }
    let outcomes = admin.create_partitions(&changes, false).await;
    let outcomes = outcomes.map_err(failed("createPartitions"))?;
    let partitions = usize::try_from(alteration.partitions).unwrap_or_default();
    settle::until_grown(&done(&outcomes), partitions, admin).await;
    Ok(outcomes)
}

/// What the change was made to.
fn done(outcomes: &Changed) -> Vec<String> {
    let done = outcomes.iter().filter(|(_, outcome)| outcome.is_ok());
    done.map(|(topic, _)| topic.clone()).collect()
}

/// Says what it is about to delete where that is not just what was written, and asks whoever sits at a terminal. A script is
/// asked nothing.
async fn delete(
    topics: &Selection,
    if_exists: bool,
    admin: &Admin,
    cx: &mut Context,
) -> Result<Changed, Stop> {
    let names = select_existing(topics, if_exists, admin).await?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(surprise) = topics.surprise(&names) {
        cx.warn(surprise);
    }
    if cx.is_attended() {
        let question = match names.as_slice() {
            [only] => format!("Delete the topic {only} and all of its records?"),
            several => format!("Delete {} topics and all of their records?", several.len()),
        };
        if !cx.ask(&question)? {
            return Err(Stop::failed("Nothing was deleted."));
        }
    }
    let outcomes = admin.delete_topics(&names).await;
    let outcomes = outcomes.map_err(failed("deleteTopics"))?;
    settle::until_deleted(&done(&outcomes), admin).await;
    Ok(outcomes)
}

/// A table has nothing to show but the first refusal.
fn tell_change(
    what: &str,
    outcomes: Changed,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    if let Format::Data(form) = format {
        let text = json::changed(what, &outcomes).text(form);
        out.write_all(text.as_bytes())?;
    }
    for (_, outcome) in outcomes {
        outcome.map_err(refused)?;
    }
    Ok(())
}

async fn describe(
    description: &Description,
    format: Format,
    admin: &Admin,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let names = match description.topic_id {
        Some(id) => named_by_id(id, description.if_exists, admin).await?,
        None => select_existing(&description.topics, description.if_exists, admin).await?,
    };
    if names.is_empty() && format == Format::Table {
        return Ok(());
    }
    let topics = async {
        match description.topic_id {
            Some(id) if !names.is_empty() => by_id(id, admin).await,
            _ => {
                let limit = description.partitions_per_response;
                let described = described(&names, limit, admin).await?;
                Ok(described.into_iter().map(|(_, topic)| topic).collect())
            }
        }
    };
    // What the first of them has failed with is told, as if each had waited for the one before.
    let (topics, configs, reassignments, live) = tokio::join!(
        topics,
        configs_of(&names, admin),
        reassignments(admin),
        admin.describe_cluster(false)
    );
    let mut topics = topics?;
    let count = topics.len();
    java_order::sort(&mut topics, Some(count), |topic| &topic.name);
    let (mut configs, mut reassignments) = (configs?, reassignments?);
    let live = live.map_err(failed("listNodes"))?;
    let whole = topics.into_iter().map(|topic| Topic {
        configs: configs.remove(&topic.name).unwrap_or_default(),
        reassignments: reassignments.remove(&topic.name).unwrap_or_default(),
        topic,
    });
    let topics: Vec<Topic> = whole.collect();
    if let Format::Data(form) = format {
        let text = json::described(&topics, description.show, &live.nodes).text(form);
        return Ok(out.write_all(text.as_bytes())?);
    }
    let live: BTreeSet<i32> = live.nodes.iter().map(|node| node.broker.id.0).collect();
    let mut text = String::new();
    for topic in &topics {
        render::describe(&mut text, topic, description.show, &live);
        out.write_all(text.as_bytes())?;
        text.clear();
    }
    Ok(())
}

/// The name of the topic, as a list of one.
async fn named_by_id(id: Uuid, if_exists: bool, admin: &Admin) -> Result<Vec<String>, Failure> {
    let listing = admin.list_topics().await.map_err(failed("listTopics"))?;
    match listing.into_iter().find(|topic| topic.id == id) {
        Some(topic) => Ok(vec![topic.name]),
        None if if_exists => Ok(Vec::new()),
        None => Err(
            Failure::new(format!("TopicId '{id}' does not exist as expected"))
                .hint("--describe without a topic shows the ids of all topics."),
        ),
    }
}

async fn by_id(id: Uuid, admin: &Admin) -> Result<Vec<TopicDescription>, Failure> {
    let outcomes = admin
        .describe_topics_by_id(&[id])
        .await
        .map_err(failed("describeTopics"))?;
    outcomes
        .into_iter()
        .map(|(_, outcome)| outcome.map_err(refused))
        .collect()
}

async fn described(
    names: &[String],
    partitions_per_response: i32,
    admin: &Admin,
) -> Result<Vec<(String, TopicDescription)>, Failure> {
    let outcomes = admin
        .describe_topics(names, partitions_per_response)
        .await
        .map_err(failed("describeTopics"))?;
    outcomes
        .into_iter()
        .map(|(name, outcome)| Ok((name, outcome.map_err(refused)?)))
        .collect()
}

async fn configs_of(topics: &[String], admin: &Admin) -> Result<HashMap<String, Configs>, Failure> {
    let resources: Vec<ConfigResource> = topics
        .iter()
        .map(|topic| ConfigResource::new(ResourceType::Topic, topic))
        .collect();
    let outcomes = admin
        .describe_configs_as(&resources, None, DescribeDetail::default(), |entries| {
            Configs::of(entries.looks())
        })
        .await
        .map_err(failed("describeConfigs"))?;
    outcomes
        .into_iter()
        .map(|(resource, outcome)| Ok((resource.name, outcome.map_err(refused)?)))
        .collect()
}

type Reassignments = HashMap<String, BTreeMap<i32, Reassignment>>;

/// The reassignments under way, by topic. Who may not ask, or asks a broker that does not know them, sees none.
async fn reassignments(admin: &Admin) -> Result<Reassignments, Failure> {
    let request = ListPartitionReassignmentsRequest {
        timeout_ms: 30_000,
        topics: None,
        ..Default::default()
    };
    let call = Call::until(admin.cluster().default_deadline());
    let answer = admin
        .cluster()
        .call(&Target::Controller, &request, call, |response| {
            ErrorCode::from_code(response.error_code)
        })
        .await;
    let response = match answer {
        Err(ClientError::Request(RequestError::Version { .. })) => return Ok(HashMap::new()),
        other => other.map_err(failed("listPartitionReassignments"))?,
    };
    let mut found: Reassignments = HashMap::new();
    for topic in &response.topics {
        let partitions = found.entry(topic.name.to_string()).or_default();
        for partition in &topic.partitions {
            let reassignment = Reassignment {
                replicas: broker_ids(&partition.replicas),
                adding: broker_ids(&partition.adding_replicas),
                removing: broker_ids(&partition.removing_replicas),
            };
            partitions.insert(partition.partition_index, reassignment);
        }
    }
    Ok(found)
}

fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}
