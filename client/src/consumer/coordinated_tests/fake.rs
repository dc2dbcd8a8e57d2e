//! A coordinator that assigns, as a test says, behind two brokers' sockets.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, FetchRequest,
        FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, OffsetCommitRequest,
        OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
        api::{
            consumer_group_heartbeat::response::{Assignment, TopicPartitions},
            find_coordinator::response::Coordinator,
            offset_commit::response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
            offset_fetch::response::{
                OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
            },
        },
    },
};

use crate::{
    cluster::lock,
    config::ClientKind,
    conn::Endpoint,
    testing::{Answer, Incoming, fake_broker, metadata_of, quick_cluster},
};

use super::super::*;

/// What `metadata_of` gives all its topics.
const TOPIC_ID: u128 = 99;

/// What the coordinator is to do next.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) epoch: i32,
    /// Partitions of `t`, said in the next heartbeat's answer.
    pub(super) assignment: Option<Vec<i32>>,
    pub(super) refusals: VecDeque<ErrorCode>,
    /// Commits and questions with an older epoch are refused.
    pub(super) stale_before: i32,
    /// What a question by name does not find: the client has to ask by id.
    pub(super) is_hidden: bool,
    /// The second broker is the coordinator, the first one no longer.
    pub(super) has_moved: bool,
}

pub(super) struct Group {
    pub(super) script: Arc<Mutex<Script>>,
    pub(super) seen: Arc<Mutex<Vec<Incoming>>>,
    /// By the second broker.
    pub(super) seen_there: Arc<Mutex<Vec<Incoming>>>,
    pub(super) cluster: Cluster,
}

impl Group {
    pub(super) async fn new() -> Self {
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Script {
            epoch: 1,
            ..Script::default()
        }));
        let places: Arc<Mutex<Vec<Endpoint>>> = Arc::default();
        let broker = async |number| {
            let (to_answer, at) = (script.clone(), places.clone());
            fake_broker(move |request| {
                let places = lock(&at).clone();
                answer(&mut lock(&to_answer), request, number, &places)
            })
            .await
        };
        let (first, seen) = broker(0).await;
        let (second, seen_there) = broker(1).await;
        *lock(&places) = vec![first.clone(), second];
        let cluster = Cluster::connect(quick_cluster(vec![first])).await;
        Self {
            script,
            seen,
            seen_there,
            cluster: cluster.unwrap(),
        }
    }

    pub(super) fn consumer(&self) -> Consumer {
        let given = [
            ("group.id", "g"),
            ("group.protocol", "consumer"),
            ("auto.offset.reset", "earliest"),
        ];
        let settings = ClientKind::Consumer.settings(given).unwrap();
        let settings = ConsumerSettings::from_config(&settings).unwrap();
        Consumer::start(self.cluster.clone(), settings)
    }

    pub(super) fn assigns(&self, epoch: i32, partitions: &[i32]) {
        let mut script = lock(&self.script);
        script.epoch = epoch;
        script.assignment = Some(partitions.to_vec());
    }

    pub(super) fn heartbeats(&self) -> Vec<ConsumerGroupHeartbeatRequest> {
        let seen = lock(&self.seen);
        let heartbeats = seen
            .iter()
            .filter(|r| r.is::<ConsumerGroupHeartbeatRequest>());
        heartbeats.map(Incoming::body).collect()
    }

    /// The partitions that were acknowledged, one list for each time.
    pub(super) fn acknowledged(&self) -> Vec<Vec<i32>> {
        let owned = self.heartbeats().into_iter().filter_map(|heartbeat| {
            let topics = heartbeat.topic_partitions?;
            Some(topics.into_iter().flat_map(|topic| topic.partitions))
        });
        owned.map(Iterator::collect).collect()
    }

    pub(super) fn commits(&self) -> Vec<OffsetCommitRequest> {
        let seen = lock(&self.seen);
        let commits = seen.iter().filter(|r| r.is::<OffsetCommitRequest>());
        commits.map(Incoming::body).collect()
    }

    /// Epochs of the commits.
    pub(super) fn epochs_of_commits(&self) -> Vec<i32> {
        let commits = self.commits().into_iter();
        commits
            .map(|commit| commit.generation_id_or_member_epoch)
            .collect()
    }

    /// The partitions that were committed, one list for each commit.
    pub(super) fn committed(&self) -> Vec<Vec<i32>> {
        let indexes = |commit: OffsetCommitRequest| {
            let topics = commit.topics.into_iter();
            let partitions = topics.flat_map(|topic| topic.partitions);
            partitions.map(|partition| partition.partition_index)
        };
        let commits = self.commits().into_iter();
        commits.map(|commit| indexes(commit).collect()).collect()
    }
}

fn answer(script: &mut Script, request: &Incoming, here: usize, brokers: &[Endpoint]) -> Answer {
    let coordinator = usize::from(script.has_moved);
    if request.is::<MetadataRequest>() {
        let topics = request.body::<MetadataRequest>().topics.unwrap_or_default();
        let is_asked_for = topics
            .iter()
            .any(|topic| topic.topic_id == TOPIC_ID.into() || !script.is_hidden);
        let known: &[(&str, i32)] = if is_asked_for { &[("t", 4)] } else { &[] };
        return request.answer(&metadata_of(&brokers[0], known));
    }
    if request.is::<FindCoordinatorRequest>() {
        return request.answer(&FindCoordinatorResponse {
            coordinators: vec![Coordinator {
                key: "g".into(),
                node_id: if script.has_moved { 2 } else { 1 },
                host: brokers[coordinator].host.as_str().into(),
                port: i32::from(brokers[coordinator].port),
                ..Default::default()
            }],
            ..Default::default()
        });
    }
    if here != coordinator {
        return not_here(request);
    }
    if request.is::<ConsumerGroupHeartbeatRequest>() {
        return request.answer(&heartbeat(script, &request.body()));
    }
    if request.is::<OffsetFetchRequest>() {
        return request.answer(&offsets(script, request.body()));
    }
    if request.is::<OffsetCommitRequest>() {
        return request.answer(&commit(script, request.body()));
    }
    assert!(request.is::<FetchRequest>(), "{request:?}");
    Answer::Silence
}

/// What a broker says that coordinates the group no longer.
fn not_here(request: &Incoming) -> Answer {
    if request.is::<ConsumerGroupHeartbeatRequest>() {
        return request.answer(&refusal(ErrorCode::NotCoordinator));
    }
    if request.is::<OffsetCommitRequest>() {
        let commit = request.body();
        return request.answer(&all_partitions(commit, ErrorCode::NotCoordinator));
    }
    assert!(request.is::<FetchRequest>(), "{request:?}");
    Answer::Silence
}

fn refusal(error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: error.code(),
        ..Default::default()
    }
}

fn heartbeat(
    script: &mut Script,
    request: &ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if let Some(error) = script.refusals.pop_front() {
        return refusal(error);
    }
    let assignment = script.assignment.take().map(|partitions| Assignment {
        topic_partitions: vec![TopicPartitions {
            topic_id: TOPIC_ID.into(),
            partitions,
            ..Default::default()
        }],
        ..Default::default()
    });
    ConsumerGroupHeartbeatResponse {
        member_id: Some(request.member_id.clone()),
        member_epoch: script.epoch,
        heartbeat_interval_ms: 20,
        assignment,
        ..Default::default()
    }
}

fn offsets(script: &Script, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let groups = request.groups.into_iter().map(|group| {
        let topics = group.topics.unwrap_or_default().into_iter();
        let is_stale = group.member_epoch < script.stale_before;
        OffsetFetchResponseGroup {
            group_id: group.group_id,
            error_code: match is_stale {
                true => ErrorCode::StaleMemberEpoch.code(),
                false => 0,
            },
            topics: topics
                .map(|topic| OffsetFetchResponseTopics {
                    name: topic.name,
                    partitions: topic
                        .partition_indexes
                        .into_iter()
                        .map(|partition_index| OffsetFetchResponsePartitions {
                            partition_index,
                            committed_offset: 7,
                            ..Default::default()
                        })
                        .collect(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }
    });
    OffsetFetchResponse {
        groups: groups.collect(),
        ..Default::default()
    }
}

fn commit(script: &Script, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let is_stale = request.generation_id_or_member_epoch < script.stale_before;
    let error = match is_stale {
        true => ErrorCode::StaleMemberEpoch,
        false => ErrorCode::None,
    };
    all_partitions(request, error)
}

fn all_partitions(request: OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| OffsetCommitResponseTopic {
            name: topic.name,
            partitions: topic
                .partitions
                .into_iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: error.code(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}
