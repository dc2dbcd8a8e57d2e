//! Committing offsets to the group's coordinator.
//!
//! Always: commits reach the coordinator one after the other in the order they were asked for, and are answered in
//! that order, so that an older position never overwrites a newer one.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{OffsetCommitRequest, OffsetCommitResponse},
    wire::StrBytes,
};

use crate::{
    admin::{NewOffset, TopicPartition, commit_topics},
    cluster::{Call, Cluster, Deadline, Target},
    error::{ApiError, ClientError, wire_text},
};

use super::{
    Consumer, ConsumerError,
    group::Identity,
    lookup::{Event, Events},
    settings::{GroupProtocol, GroupSettings},
};

/// Offsets to be committed, by partition.
pub type Offsets = Vec<(TopicPartition, NewOffset)>;

/// Commits that may wait before `commit_async` waits as well.
const QUEUED_MAX: usize = 256;
/// The last version that names topics; later ones want topic ids.
const BY_NAME_MAX: i16 = 9;
/// The first version that knows static members.
const FIRST_WITH_INSTANCE: i16 = 7;
/// The first version that knows the epochs of members (KIP-848).
const FIRST_WITH_EPOCH: i16 = 9;

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

/// What is to be done with the outcome of a commit.
type Callback = Box<dyn FnOnce(&Offsets, Outcome) + Send>;

/// How often a commit is tried.
#[derive(Clone, Copy, Debug)]
enum Tries {
    /// As what comes after it may be newer, the caller decides.
    Once,
    /// Until it succeeds, or fails for good, or time is up.
    Until(Deadline),
}

/// Puts commits in order; the task behind it ends with the consumer.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Commit {
    offsets: Offsets,
    identity: Option<Identity>,
    tries: Tries,
}

impl Commit {
    fn epoch(&self) -> Option<i32> {
        self.identity.as_ref().map(Identity::generation_or_epoch)
    }
}

struct Job {
    commit: Commit,
    done: Callback,
    _room: Option<OwnedSemaphorePermit>,
}

impl Committer {
    pub(super) fn start(cluster: Cluster, group: GroupSettings, events: Events) -> Self {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        tokio::spawn(async move {
            while let Some(job) = queue.recv().await {
                let Job {
                    commit,
                    done,
                    _room,
                } = job;
                let outcome = send(&cluster, &group, &commit).await;
                if let (Some(identity), Err(error)) = (commit.identity, &outcome)
                    && let Some(code) = error.code().filter(concerns_membership)
                {
                    let _ = events.send(Event::CommitRefused(identity, code));
                }
                done(&commit.offsets, outcome);
            }
        });
        Self {
            jobs,
            room: Arc::new(Semaphore::new(QUEUED_MAX)),
        }
    }

    /// Tries until it is done, fails for good, or time is up.
    pub(super) fn persistently(
        &self,
        offsets: Offsets,
        identity: Option<Identity>,
        within: Duration,
    ) -> PendingCommit {
        self.put(offsets, identity, Tries::Until(Deadline::after(within)))
    }

    /// Tries once.
    pub(super) fn once(&self, offsets: Offsets, identity: Option<Identity>) -> PendingCommit {
        self.put(offsets, identity, Tries::Once)
    }

    /// Done when all that was asked for before is.
    pub(super) fn all_before(&self) -> PendingCommit {
        self.once(Offsets::new(), None)
    }

    fn put(&self, offsets: Offsets, identity: Option<Identity>, tries: Tries) -> PendingCommit {
        let (answer, outcome) = oneshot::channel();
        let _ = self.jobs.send(Job {
            commit: Commit {
                offsets,
                identity,
                tries,
            },
            done: Box::new(|_, outcome| {
                let _ = answer.send(outcome);
            }),
            _room: None,
        });
        PendingCommit(outcome)
    }
}

impl Consumer {
    /// Commits these offsets, or else all positions, and waits until that is done, and all that was asked for before.
    /// Errors that may pass are tried again for `default.api.timeout.ms`.
    pub async fn commit_sync(
        &mut self,
        offsets: Option<&[(TopicPartition, NewOffset)]>,
    ) -> Outcome {
        let within = self.cluster.settings().api_timeout;
        let (offsets, identity) = self.to_commit(offsets)?;
        let committer = self.committer()?;
        committer
            .persistently(offsets, identity, within)
            .done()
            .await
    }

    /// The same without waiting for the outcome, and with one attempt only: trying again is up to the caller, who
    /// knows whether something newer was committed meanwhile.
    pub async fn commit_async(
        &mut self,
        offsets: Option<&[(TopicPartition, NewOffset)]>,
    ) -> Result<PendingCommit, ConsumerError> {
        let (answer, outcome) = oneshot::channel();
        self.commit_async_then(offsets, |_, outcome| {
            let _ = answer.send(outcome);
        })
        .await?;
        Ok(PendingCommit(outcome))
    }

    /// The same with a callback. Callbacks come in the order of the commits, before a later `commit_sync` returns.
    /// They run between two commits, not within a poll: what they wait for, later commits wait for as well.
    pub async fn commit_async_then(
        &mut self,
        offsets: Option<&[(TopicPartition, NewOffset)]>,
        callback: impl FnOnce(&Offsets, Outcome) + Send + 'static,
    ) -> Outcome {
        let (offsets, identity) = self.to_commit(offsets)?;
        let committer = self.committer()?;
        let room = committer.room.clone().acquire_owned().await.ok();
        let _ = committer.jobs.send(Job {
            commit: Commit {
                offsets,
                identity,
                tries: Tries::Once,
            },
            done: Box::new(callback),
            _room: room,
        });
        Ok(())
    }

    fn committer(&self) -> Result<&Committer, ConsumerError> {
        let committer = self.committer.as_ref();
        committer.ok_or(ConsumerError::NoGroup("committing offsets"))
    }

    /// The caller's choice or all positions, and on whose behalf.
    fn to_commit(
        &self,
        offsets: Option<&[(TopicPartition, NewOffset)]>,
    ) -> Result<(Offsets, Option<Identity>), ConsumerError> {
        self.committer()?;
        let offsets = offsets.map_or_else(|| self.consumed(), <[_]>::to_vec);
        Ok((offsets, self.identity_of_commits()?))
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

async fn send(cluster: &Cluster, group: &GroupSettings, commit: &Commit) -> Outcome {
    if commit.offsets.is_empty() {
        return Ok(());
    }
    let mut failures = 0;
    let response = loop {
        let epoch = commit.epoch();
        let response = attempt(cluster, group, commit).await?;
        if !codes(&response).any(|code| code == ErrorCode::StaleMemberEpoch) {
            break response;
        }
        // The heartbeat whose answer makes the epoch stale is on its way.
        if commit.epoch() == epoch {
            let Tries::Until(deadline) = commit.tries else {
                break response;
            };
            failures += 1;
            let stale = ApiError::of_code(ErrorCode::StaleMemberEpoch).into();
            let pause = cluster.pause(failures, deadline, "the commit", stale);
            if pause.await.is_err() {
                break response;
            }
        }
    };
    for topic in &response.topics {
        for partition in &topic.partitions {
            let at = TopicPartition::new(&*topic.name, partition.partition_index);
            ApiError::check(partition.error_code, None)
                .map_err(|error| refused(group, at, error))?;
        }
    }
    Ok(())
}

async fn attempt(
    cluster: &Cluster,
    group: &GroupSettings,
    commit: &Commit,
) -> Result<OffsetCommitResponse, ClientError> {
    let request = request(group, commit)?;
    let first = match (&group.protocol, &group.instance_id) {
        (GroupProtocol::Consumer { .. }, _) => FIRST_WITH_EPOCH,
        (_, Some(_)) => FIRST_WITH_INSTANCE,
        (_, None) => 2,
    };
    let target = Target::Group(group.id.clone());
    let call = |deadline| Call::until(deadline).versions(first..=BY_NAME_MAX);
    let error_of = |response: &OffsetCommitResponse| {
        let mut codes = codes(response);
        codes
            .find(|code| code.is_retriable())
            .unwrap_or(ErrorCode::None)
    };
    match commit.tries {
        Tries::Once => {
            let call = call(Deadline::after(cluster.settings().request_timeout));
            cluster.call_once(&target, &request, call, error_of).await
        }
        Tries::Until(deadline) => {
            let call = call(deadline);
            cluster.call(&target, &request, call, error_of).await
        }
    }
}

/// Errors that tell more than that the commit has failed.
fn concerns_membership(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RebalanceInProgress
            | ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::StaleMemberEpoch
            | ErrorCode::FencedInstanceId
    )
}

fn codes(response: &OffsetCommitResponse) -> impl Iterator<Item = ErrorCode> + '_ {
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| ErrorCode::from_code(partition.error_code))
}

fn refused(group: &GroupSettings, partition: TopicPartition, error: ApiError) -> ConsumerError {
    match error.code {
        ErrorCode::RebalanceInProgress => ConsumerError::RebalanceInProgress,
        ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::StaleMemberEpoch => {
            ConsumerError::CommitFailed(error)
        }
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

fn request(group: &GroupSettings, commit: &Commit) -> Result<OffsetCommitRequest, ClientError> {
    let instance_id = group.instance_id.as_deref();
    let instance_id = instance_id.map(|id| wire_text("group.instance.id", id));
    let (generation, member_id) = match &commit.identity {
        Some(identity) => (identity.generation_or_epoch(), identity.member_id.clone()),
        None => (-1, StrBytes::new()),
    };
    Ok(OffsetCommitRequest {
        group_id: wire_text("group.id", &group.id)?,
        generation_id_or_member_epoch: generation,
        member_id,
        // Who has chosen its partitions itself is no member, static or not.
        group_instance_id: match commit.identity {
            Some(_) => instance_id.transpose()?,
            None => None,
        },
        topics: commit_topics(&commit.offsets)?,
        ..Default::default()
    })
}

/// Turns the outcome into an event.
pub(super) fn report(
    commit: PendingCommit,
    events: Events,
    event: impl FnOnce(Outcome) -> Event + Send + 'static,
) {
    tokio::spawn(async move {
        let _ = events.send(event(commit.done().await));
    });
}
