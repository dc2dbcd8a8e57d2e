//! Committing offsets to the group's coordinator.
//!
//! Always: commits reach the coordinator one after the other in the order they were asked for, so that an older
//! position never overwrites a newer one.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse,
        api::offset_commit::request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
    wire::StrBytes,
};

use crate::{
    admin::{NewOffset, TopicPartition},
    cluster::{Call, Cluster, Deadline, Target},
    error::{ApiError, ClientError, wire_text},
};

use super::{Consumer, ConsumerError, group::Identity, settings::GroupSettings};

/// Offsets to be committed, by partition.
pub type Offsets = Vec<(TopicPartition, NewOffset)>;

/// Commits that may wait before `commit_async` waits as well.
const QUEUED_MAX: usize = 256;
/// The last version that names topics; later ones want topic ids.
const BY_NAME_MAX: i16 = 9;
/// The first version that knows static members.
const FIRST_WITH_INSTANCE: i16 = 7;

type Outcome = Result<(), ConsumerError>;

/// A commit on its way.
#[must_use = "whether offsets are committed is only known from the outcome"]
#[derive(Debug)]
pub struct PendingCommit(oneshot::Receiver<Outcome>);

impl PendingCommit {
    pub async fn done(self) -> Outcome {
        self.0.await.unwrap_or(Err(ConsumerError::Closed))
    }
}

/// Puts commits in order; the task behind it ends with the consumer.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Job {
    offsets: Offsets,
    identity: Option<Identity>,
    deadline: Deadline,
    done: oneshot::Sender<Outcome>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Committer {
    pub(super) fn start(cluster: Cluster, group: GroupSettings) -> Self {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        tokio::spawn(async move {
            while let Some(job) = queue.recv().await {
                let outcome = commit(&cluster, &group, &job).await;
                let _ = job.done.send(outcome);
            }
        });
        Self {
            jobs,
            room: Arc::new(Semaphore::new(QUEUED_MAX)),
        }
    }

    /// For the consumer's own commits, of which few can be under way.
    pub(super) fn enqueue(
        &self,
        offsets: Offsets,
        identity: Option<Identity>,
        within: Duration,
    ) -> PendingCommit {
        self.put(offsets, identity, within, None)
    }

    async fn enqueue_with_room(
        &self,
        offsets: Offsets,
        identity: Option<Identity>,
        within: Duration,
    ) -> PendingCommit {
        let room = self.room.clone().acquire_owned().await.ok();
        self.put(offsets, identity, within, room)
    }

    fn put(
        &self,
        offsets: Offsets,
        identity: Option<Identity>,
        within: Duration,
        room: Option<OwnedSemaphorePermit>,
    ) -> PendingCommit {
        let (done, outcome) = oneshot::channel();
        let _ = self.jobs.send(Job {
            offsets,
            identity,
            deadline: Deadline::after(within),
            done,
            _room: room,
        });
        PendingCommit(outcome)
    }
}

impl Consumer {
    /// Commits these offsets, or else all positions, and waits until that is done. Errors that may pass are tried
    /// again for `default.api.timeout.ms`.
    pub async fn commit_sync(
        &mut self,
        offsets: Option<&[(TopicPartition, NewOffset)]>,
    ) -> Outcome {
        self.commit_async(offsets).await?.done().await
    }

    /// The same without waiting for the outcome.
    pub async fn commit_async(
        &mut self,
        offsets: Option<&[(TopicPartition, NewOffset)]>,
    ) -> Result<PendingCommit, ConsumerError> {
        let committer = self.committer.as_ref();
        let committer = committer.ok_or(ConsumerError::NoGroup("committing offsets"))?;
        let offsets = offsets.map_or_else(|| self.consumed(), <[_]>::to_vec);
        let within = self.cluster.settings().api_timeout;
        let identity = self.identity.clone();
        Ok(committer.enqueue_with_room(offsets, identity, within).await)
    }

    /// All positions.
    pub(super) fn consumed(&self) -> Offsets {
        let offset = |at: &TopicPartition, offset, leader_epoch| {
            let new = NewOffset {
                offset,
                leader_epoch,
                metadata: String::new(),
            };
            (at.clone(), new)
        };
        self.partitions
            .iter()
            .filter_map(|(at, p)| Some(offset(at, p.position()?, p.position_epoch())))
            .collect()
    }
}

async fn commit(cluster: &Cluster, group: &GroupSettings, job: &Job) -> Outcome {
    if job.offsets.is_empty() {
        return Ok(());
    }
    let request = request(group, job)?;
    let first = match group.instance_id {
        Some(_) => FIRST_WITH_INSTANCE,
        None => 2,
    };
    let call = Call::until(job.deadline).versions(first..=BY_NAME_MAX);
    let target = Target::Group(group.id.clone());
    let response = cluster
        .call(&target, &request, call, |response| {
            let mut codes = codes(response);
            codes
                .find(|code| code.is_retriable())
                .unwrap_or(ErrorCode::None)
        })
        .await?;
    for topic in &response.topics {
        for partition in &topic.partitions {
            let at = TopicPartition::new(&*topic.name, partition.partition_index);
            ApiError::check(partition.error_code, None)
                .map_err(|error| refused(group, at, error))?;
        }
    }
    Ok(())
}

fn codes(response: &OffsetCommitResponse) -> impl Iterator<Item = ErrorCode> + '_ {
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| ErrorCode::from_code(partition.error_code))
}

fn refused(group: &GroupSettings, partition: TopicPartition, error: ApiError) -> ConsumerError {
    match error.code {
        ErrorCode::UnknownMemberId
        | ErrorCode::IllegalGeneration
        | ErrorCode::RebalanceInProgress => ConsumerError::CommitFailed(error),
        ErrorCode::FencedInstanceId => {
            ConsumerError::Fenced(group.instance_id.clone().unwrap_or_default())
        }
        ErrorCode::GroupAuthorizationFailed
        | ErrorCode::InvalidGroupId
        | ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress => ConsumerError::Group {
            group: group.id.clone(),
            error,
        },
        _ => ConsumerError::Partition { partition, error },
    }
}

fn request(group: &GroupSettings, job: &Job) -> Result<OffsetCommitRequest, ClientError> {
    let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
    for (at, new) in &job.offsets {
        let partition = OffsetCommitRequestPartition {
            partition_index: at.partition,
            committed_offset: new.offset,
            committed_leader_epoch: new.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(wire_text("the offset's metadata", &new.metadata)?),
            ..Default::default()
        };
        match topics.iter_mut().find(|topic| topic.name == *at.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(OffsetCommitRequestTopic {
                name: wire_text("the topic name", &at.topic)?,
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
    let instance_id = group.instance_id.as_deref();
    let instance_id = instance_id.map(|id| wire_text("group.instance.id", id));
    let (generation, member_id) = match &job.identity {
        Some(identity) => (identity.generation, identity.member_id.clone()),
        None => (-1, StrBytes::new()),
    };
    Ok(OffsetCommitRequest {
        group_id: wire_text("group.id", &group.id)?,
        generation_id_or_member_epoch: generation,
        member_id,
        // Who has chosen its partitions itself is no member, static or not.
        group_instance_id: match job.identity {
            Some(_) => instance_id.transpose()?,
            None => None,
        },
        topics,
        ..Default::default()
    })
}
