//! Asks a cluster what it looks like: everything of a broker in a few requests, whatever it has.
//!
//! Always: one request at a time to a broker and to so many brokers at once, none larger than so many partitions or groups;
//! a broker that does not answer is a problem in its place, and the others are shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ottla_client::ClientError;
use ottla_client::admin::{
    Admin, GroupDescription, GroupKind, GroupListing, Isolation, LogDir, OffsetSpec, TopicPartition,
};
use ottla_client::cluster::{Broker, Deadline, Metadata};
use ottla_protocol::types::BrokerId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::snapshot::{BrokerSeen, DiskSeen, GroupSeen, PartitionSeen, Snapshot, TopicSeen};

/// Brokers that are asked at the same time.
const BROKERS_AT_ONCE: usize = 8;

/// A request keeps one of the broker's threads busy until it is answered: other clients wait no longer than for so much.
const PARTITIONS_PER_REQUEST: usize = 2000;
const GROUPS_PER_REQUEST: usize = 200;

/// Longer than anybody wants to wait for a page, and short enough to tell that a broker is gone.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Looker {
    admin: Admin,
    begun: Instant,
}

impl Looker {
    pub(super) fn new(admin: &Admin) -> Self {
        Self {
            admin: admin.with_timeout(PATIENCE),
            begun: Instant::now(),
        }
    }

    pub(super) async fn look(&self) -> Result<Snapshot, ClientError> {
        let metadata = self.metadata().await?;
        let mut led: HashMap<BrokerId, Vec<TopicPartition>> = HashMap::new();
        for topic in metadata.topics() {
            for partition in &topic.partitions {
                if let Some(leader) = partition.leader {
                    let at = TopicPartition::new(&*topic.name, partition.index.0);
                    led.entry(leader).or_default().push(at);
                }
            }
        }
        let turns = Arc::new(Semaphore::new(BROKERS_AT_ONCE));
        let mut asking = JoinSet::new();
        for broker in metadata.brokers() {
            let (admin, turns, broker) = (self.admin.clone(), turns.clone(), broker.clone());
            let led = led.remove(&broker.id).unwrap_or_default();
            asking.spawn(async move {
                let _turn = turns.acquire_owned().await;
                ask(&admin, broker, led).await
            });
        }
        let answers = asking.join_all().await;
        Ok(Snapshot {
            at: self.begun.elapsed(),
            time: Timestamp::now(),
            ..assemble(&metadata, answers)
        })
    }

    /// Where the broker at hand has just gone, another one may know.
    async fn metadata(&self) -> Result<Arc<Metadata>, ClientError> {
        let deadline = Deadline::after(PATIENCE);
        let cluster = self.admin.cluster();
        match cluster.all_topics(deadline).await {
            Err(error) if error.may_pass() => cluster.all_topics(deadline).await,
            outcome => outcome,
        }
    }
}

/// What one broker said.
struct Answers {
    broker: Broker,
    ends: Vec<(TopicPartition, i64)>,
    dirs: Option<Vec<LogDir>>,
    groups: Vec<GroupListing>,
    descriptions: HashMap<String, GroupDescription>,
    committed: Vec<(String, HashMap<TopicPartition, i64>)>,
    problem: Option<String>,
}

async fn ask(admin: &Admin, broker: Broker, led: Vec<TopicPartition>) -> Answers {
    let mut answers = Answers {
        broker,
        ends: Vec::with_capacity(led.len()),
        dirs: None,
        groups: Vec::new(),
        descriptions: HashMap::new(),
        committed: Vec::new(),
        problem: None,
    };
    // A broker that is gone is not asked for the rest.
    if let Err(error) = ask_in_turn(admin, led, &mut answers).await {
        answers.problem = Some(error.to_string());
    }
    answers
}

async fn ask_in_turn(
    admin: &Admin,
    led: Vec<TopicPartition>,
    answers: &mut Answers,
) -> Result<(), ClientError> {
    let id = answers.broker.id;
    for chunk in led.chunks(PARTITIONS_PER_REQUEST) {
        let latest = |at: &TopicPartition| (at.clone(), OffsetSpec::Latest);
        let asked = chunk.iter().map(latest).collect();
        let outcomes = admin.list_offsets_of(id, asked, Isolation::ReadUncommitted);
        let outcomes = answers.answered(outcomes.await)?.unwrap_or_default();
        let found = outcomes.into_iter();
        let found = found.filter_map(|(at, outcome)| Some((at, outcome.ok()?.offset?)));
        answers.ends.extend(found);
    }
    for (_, dirs) in admin.describe_log_dirs(&[id], None).await? {
        answers.dirs = answers.answered(dirs)?;
    }
    let groups = admin.list_groups_of(id, &[], &[]).await;
    answers.groups = answers.answered(groups)?.unwrap_or_default();
    for kind in [GroupKind::Classic, GroupKind::Consumer] {
        let of_kind = |group: &&GroupListing| kind_of(group) == Some(kind);
        let ids = answers.groups.iter().filter(of_kind);
        let ids: Vec<String> = ids.map(|group| group.id.clone()).collect();
        for chunk in ids.chunks(GROUPS_PER_REQUEST) {
            ask_groups(admin, kind, chunk, answers).await?;
        }
    }
    Ok(())
}

/// What describes a group; other kinds are no consumers'.
fn kind_of(group: &GroupListing) -> Option<GroupKind> {
    match group.kind.as_deref() {
        // Brokers before 3.8 have no others.
        None => Some(GroupKind::Classic),
        Some(kind) if kind.eq_ignore_ascii_case("classic") => Some(GroupKind::Classic),
        Some(kind) if kind.eq_ignore_ascii_case("consumer") => Some(GroupKind::Consumer),
        Some(_) => None,
    }
}

async fn ask_groups(
    admin: &Admin,
    kind: GroupKind,
    ids: &[String],
    answers: &mut Answers,
) -> Result<(), ClientError> {
    let broker = answers.broker.clone();
    let described = admin.describe_groups_of(&broker, kind, ids).await;
    for (id, outcome) in answers.answered(described)?.unwrap_or_default() {
        if let Ok(description) = outcome {
            answers.descriptions.insert(id, description);
        }
    }
    let committed = admin.group_offsets_of(broker.id, ids).await;
    for (id, outcome) in answers.answered(committed)?.unwrap_or_default() {
        let offsets = outcome.unwrap_or_default().into_iter();
        let offsets = offsets.filter_map(|(at, outcome)| Some((at, outcome.ok()?.offset)));
        answers.committed.push((id, offsets.collect()));
    }
    Ok(())
}

impl Answers {
    /// A broker that says no, or does not know the request, may still know others.
    fn answered<T>(&mut self, outcome: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
        match outcome {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.code().is_some() || !error.may_pass() && !is_late(&error) => {
                self.problem.get_or_insert_with(|| error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn is_late(error: &ClientError) -> bool {
    matches!(error, ClientError::TimedOut { .. } | ClientError::Closed)
}

fn assemble(metadata: &Metadata, answers: Vec<Answers>) -> Snapshot {
    let mut ends: HashMap<TopicPartition, i64> = HashMap::new();
    let mut sizes: HashMap<(BrokerId, TopicPartition), i64> = HashMap::new();
    let (mut brokers, mut groups) = (Vec::new(), Vec::new());
    for mut answer in answers {
        let id = answer.broker.id;
        ends.extend(std::mem::take(&mut answer.ends));
        let disk = answer.dirs.take().map(|dirs| {
            let disk = disk(&dirs);
            let replicas = dirs.into_iter().flat_map(|dir| dir.replicas);
            let current = replicas.filter(|replica| !replica.is_future);
            sizes.extend(current.map(|replica| ((id, replica.partition), replica.size_bytes)));
            disk
        });
        groups.extend(groups_of(&mut answer));
        brokers.push(BrokerSeen {
            broker: answer.broker,
            problem: answer.problem,
            disk,
        });
    }
    brokers.sort_by_key(|seen| seen.broker.id);
    // A group that moves while we ask is listed by both coordinators.
    groups.sort_by(|a: &GroupSeen, b| a.id.cmp(&b.id));
    groups.dedup_by(|a, b| a.id == b.id);
    let mut topics: Vec<TopicSeen> = metadata
        .topics()
        .map(|topic| TopicSeen {
            name: topic.name.clone(),
            is_internal: topic.is_internal,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| {
                    let at = TopicPartition::new(&*topic.name, partition.index.0);
                    let end = ends.get(&at).copied();
                    let size = partition
                        .leader
                        .and_then(|id| sizes.get(&(id, at)).copied());
                    PartitionSeen {
                        index: partition.index.0,
                        leader: partition.leader.map(|id| id.0),
                        replicas: partition.replicas.iter().map(|id| id.0).collect(),
                        isr: partition.isr.iter().map(|id| id.0).collect(),
                        end,
                        size_bytes: size,
                    }
                })
                .collect(),
        })
        .collect();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Snapshot {
        at: Duration::ZERO,
        time: Timestamp::UNIX_EPOCH,
        cluster_id: metadata.cluster_id.clone(),
        brokers,
        topics,
        groups,
    }
}

fn disk(dirs: &[LogDir]) -> DiskSeen {
    let sum = |of: fn(&LogDir) -> Option<i64>| {
        dirs.iter()
            .map(of)
            .try_fold(0, |sum: i64, bytes| Some(sum.saturating_add(bytes?)))
    };
    let replicas = dirs.iter().flat_map(|dir| &dir.replicas);
    DiskSeen {
        used_bytes: replicas.fold(0, |sum, replica| sum.saturating_add(replica.size_bytes)),
        usable_bytes: sum(|dir| dir.usable_bytes),
        total_bytes: sum(|dir| dir.total_bytes),
    }
}

fn groups_of(answer: &mut Answers) -> Vec<GroupSeen> {
    let mut committed: HashMap<String, HashMap<TopicPartition, i64>> =
        std::mem::take(&mut answer.committed).into_iter().collect();
    let seen = |listing: GroupListing| {
        let unknown = || "Unknown".to_owned();
        GroupSeen {
            kind: listing.kind.unwrap_or_else(unknown),
            state: listing.state.unwrap_or_else(unknown),
            coordinator: listing.coordinator.0,
            description: answer.descriptions.remove(&listing.id),
            committed: committed.remove(&listing.id).unwrap_or_default(),
            id: listing.id,
        }
    };
    let listings = std::mem::take(&mut answer.groups);
    listings.into_iter().map(seen).collect()
}
