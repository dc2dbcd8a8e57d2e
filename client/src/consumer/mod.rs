//! The consumer: records of assigned partitions, in order, with the position kept.
//!
//! `session`, `partitions`, `piece` and `fetches` decide and are pure; `poll` drives them, and what takes time runs
//! beside it and comes back as an event. Always: a record is handed out at most once between two moves of its
//! partition's position, and the position is right behind the last record handed out. A record costs a few slices of
//! the response, never a task or a channel. Not here: deserialization.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::{
    admin::TopicPartition,
    cluster::{Cluster, Deadline, Metadata},
    error::ApiError,
};

mod assignors;
mod auto_commit;
mod commit;
#[cfg(test)]
mod coordinated_tests;
mod error;
mod fetches;
mod group;
mod lookup;
mod partitions;
mod piece;
mod poll;
mod queries;
mod rebalance;
mod record;
mod session;
mod settings;
mod subscribing;
mod subscription;

pub use assignors::{
    Assigned, Assignment, Assignor, AssignorError, LastAssignment, Member as GroupMember,
    PartitionAssignor, Topics,
};
use auto_commit::AutoCommit;
use commit::Committer;
pub use commit::{Offsets, PendingCommit};
pub use error::ConsumerError;
use fetches::Fetches;
use group::Identity;
use lookup::{Event, Events};
use partitions::{Partitions, Phase};
pub use queries::GroupMetadata;
use rebalance::Belonging;
pub use record::{ConsumerRecord, ConsumerRecords};
pub use settings::{
    ClassicSettings, ConsumerSettings, FetchSettings, GroupProtocol, GroupSettings, OffsetReset,
};
use subscription::Subscription;
pub use subscription::{RebalanceListener, TopicPattern};

/// A consumer. One caller at a time: every method that could disturb another takes `&mut self`.
///
/// What has been read is committed by the consumer itself every `auto.commit.interval.ms`, before partitions go to another
/// member, and on closing; or, with `enable.auto.commit=false`, by the application. When it does so decides what a crash means.
///
/// At least once: a record is dealt with, then committed. After a crash in between it comes again.
///
/// ```no_run
/// # use std::time::Duration;
/// # use ottla_client::{cluster::Cluster, config::{ClientKind, Patience}};
/// # use ottla_client::consumer::{Consumer, ConsumerRecord, ConsumerSettings};
/// # fn deal_with(_: ConsumerRecord) {}
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = [
///     ("bootstrap.servers", "localhost:9092"),
///     ("group.id", "invoices"),
///     ("enable.auto.commit", "false"),
/// ];
/// let settings = ClientKind::Consumer.settings(keys)?;
/// let cluster = ClientKind::Consumer.cluster_settings(&settings, Patience::Prompt)?;
/// let cluster = Cluster::connect(cluster).await?;
/// let mut consumer = Consumer::start(cluster, ConsumerSettings::from_config(&settings)?);
/// consumer.subscribe(["orders"]).await?;
/// loop {
///     for record in consumer.poll(Duration::from_secs(1)).await? {
///         deal_with(record);
///     }
///     match consumer.commit_sync(None).await {
///         // Between two generations, or too late for the last one: what another member gets comes to it again.
///         Err(error) if !error.may_pass() => eprintln!("{error}"),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// At most once: what was read is committed, and dealt with only where that has succeeded. After a crash in between it does
/// not come again.
///
/// ```no_run
/// # use std::time::Duration;
/// # use ottla_client::consumer::{Consumer, ConsumerError, ConsumerRecord};
/// # fn deal_with(_: ConsumerRecord) {}
/// # async fn example(mut consumer: Consumer) -> Result<(), ConsumerError> {
/// loop {
///     let records = consumer.poll(Duration::from_secs(1)).await?;
///     match consumer.commit_sync(None).await {
///         Ok(()) => records.into_iter().for_each(deal_with),
///         // Not known to be committed, they might come again: whoever deals with them now may not be the only one.
///         Err(error) => eprintln!("{} records passed over: {error}", records.len()),
///     }
/// }
/// # }
/// ```
///
/// Where a group reads on: [`position`](Consumer::position), [`committed`](Consumer::committed), [`lag`](Consumer::lag),
/// [`offsets_for_times`](Consumer::offsets_for_times), [`seek`](Consumer::seek); without giving a partition up it can be left
/// alone for a while with [`pause`](Consumer::pause).
pub struct Consumer {
    cluster: Cluster,
    settings: ConsumerSettings,
    subscription: Subscription,
    belonging: Belonging,
    /// Of the membership the partitions come from; none where they were assigned by hand.
    identity: Option<Identity>,
    committer: Option<Committer>,
    auto_commit: Option<AutoCommit>,
    listener: Option<Box<dyn RebalanceListener>>,
    partitions: Partitions,
    fetches: Fetches,
    events: Events,
    happened: UnboundedReceiver<Event>,
    refresh: Refresh,
    /// Something has changed since fetches were last planned.
    is_dirty: bool,
    /// For the next poll that has no records to return.
    errors: Vec<ConsumerError>,
    /// When a poll must look again although nothing happens.
    wake_at: Option<Instant>,
}

/// Where the metadata stands.
#[derive(Debug, Default)]
struct Refresh {
    is_wanted: bool,
    is_asked: bool,
    failures: u32,
    not_before: Option<Instant>,
}

/// How much of a partition is ahead of its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    pub records: i64,
    /// End of what may be read, as of the last fetch.
    pub end_offset: i64,
}

impl Consumer {
    /// Starts a consumer over a connected cluster. Must be called within a tokio runtime.
    pub fn start(cluster: Cluster, settings: ConsumerSettings) -> Self {
        let (events, happened) = mpsc::unbounded_channel();
        let backoff = cluster.settings().retry_backoff;
        let now = Instant::now();
        let group = settings.group.clone();
        Self {
            subscription: Subscription::None,
            belonging: Belonging::default(),
            identity: None,
            committer: group.map(|group| Committer::start(cluster.clone(), group, events.clone())),
            auto_commit: settings
                .auto_commit
                .map(|every| AutoCommit::new(every, now)),
            listener: None,
            fetches: Fetches::new(settings.fetch.clone(), backoff),
            partitions: Partitions::default(),
            cluster,
            settings,
            events,
            happened,
            refresh: Refresh::default(),
            is_dirty: true,
            errors: Vec::new(),
            wake_at: None,
        }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Reads exactly these partitions, from their committed offsets if there is a group, else from where
    /// `auto.offset.reset` says. Partitions that were assigned before keep their position.
    pub fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ConsumerError> {
        if self.subscription.is_of_group() {
            return Err(ConsumerError::Subscription(
                "topics are subscribed to: unsubscribe before assigning partitions by hand",
            ));
        }
        self.subscription = Subscription::Assigned;
        self.take_over(partitions.into_iter().collect())
    }

    fn take_over(&mut self, partitions: Vec<TopicPartition>) -> Result<(), ConsumerError> {
        let topics = partitions.iter().map(|at| at.topic.as_str());
        self.cluster.want_topics(topics)?;
        let metadata = self.cluster.metadata();
        if !partitions.iter().all(|at| is_known(&metadata, at)) {
            self.refresh.is_wanted = true;
        }
        let first = self.first_phase();
        self.partitions.assign(partitions, first);
        self.fetches.keep_assigned(&self.partitions);
        self.is_dirty = true;
        Ok(())
    }

    fn first_phase(&self) -> Phase {
        match &self.settings.group {
            Some(_) => Phase::Committed,
            None => Phase::Reset(self.settings.reset),
        }
    }

    /// The partitions that are read.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// Goes on at this offset.
    pub fn seek(&mut self, at: &TopicPartition, offset: i64) -> Result<(), ConsumerError> {
        self.fetches.drop_pieces(at);
        self.is_dirty = true;
        self.assigned(at, |partitions| partitions.place(at, offset.max(0), None))
    }

    /// Goes on at the first record; the offset is looked up by the next poll.
    pub fn seek_to_beginning(&mut self, at: &TopicPartition) -> Result<(), ConsumerError> {
        self.restart(at, OffsetReset::Earliest)
    }

    /// Goes on at the end; the offset is looked up by the next poll.
    pub fn seek_to_end(&mut self, at: &TopicPartition) -> Result<(), ConsumerError> {
        self.restart(at, OffsetReset::Latest)
    }

    fn restart(&mut self, at: &TopicPartition, reset: OffsetReset) -> Result<(), ConsumerError> {
        self.fetches.drop_pieces(at);
        self.is_dirty = true;
        self.assigned(at, |partitions| partitions.reset(at, reset))
    }

    /// Hands no records of the partition out until it is resumed.
    pub fn pause(&mut self, at: &TopicPartition) -> Result<(), ConsumerError> {
        self.set_paused(at, true)
    }

    /// Hands its records out again, from where it was paused.
    pub fn resume(&mut self, at: &TopicPartition) -> Result<(), ConsumerError> {
        self.fetches.unpark(at);
        self.set_paused(at, false)
    }

    /// The partitions that are paused.
    pub fn paused(&self) -> impl Iterator<Item = &TopicPartition> {
        let paused = self
            .partitions
            .iter()
            .filter(|(_, partition)| partition.is_paused);
        paused.map(|(at, _)| at)
    }

    fn set_paused(&mut self, at: &TopicPartition, is_paused: bool) -> Result<(), ConsumerError> {
        self.is_dirty = true;
        self.assigned(at, |partitions| {
            let partition = partitions.get_mut(at);
            partition
                .map(|partition| partition.is_paused = is_paused)
                .is_some()
        })
    }

    fn assigned(
        &mut self,
        at: &TopicPartition,
        change: impl FnOnce(&mut Partitions) -> bool,
    ) -> Result<(), ConsumerError> {
        match change(&mut self.partitions) {
            true => Ok(()),
            false => Err(ConsumerError::NotAssigned(at.clone())),
        }
    }

    /// How far the position is from the end, as of the last fetch; none before the first.
    pub fn lag(&self, at: &TopicPartition) -> Option<Lag> {
        let partition = self.partitions.get(at)?;
        let end = partition.end?;
        let end_offset = match self.settings.fetch.isolation {
            crate::admin::Isolation::ReadUncommitted => end.high_watermark,
            crate::admin::Isolation::ReadCommitted => end.last_stable,
        };
        let records = end_offset.saturating_sub(partition.position()?).max(0);
        Some(Lag {
            records,
            end_offset,
        })
    }

    /// Ends: commits what is to be committed automatically, waits for other commits, leaves the group (not where
    /// `group.instance.id` is set: then it is expected back), and closes its fetch sessions. The cluster stays open for its other
    /// users. A consumer that is dropped instead is missed by its group only after `session.timeout.ms`.
    pub async fn close(mut self, within: Duration) {
        self.leave_group(Deadline::after(within)).await;
        lookup::say_farewell(&self.cluster, self.fetches.farewells()).await;
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("subscription", &self.subscription)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

fn is_known(metadata: &Arc<Metadata>, at: &TopicPartition) -> bool {
    metadata.leader(&at.topic, at.partition.into()).is_some()
}

/// A topic's error that only the application can do something about.
fn fatal_topic_error(metadata: &Metadata, topic: &str) -> Option<ConsumerError> {
    let error = metadata.topic(topic)?.error;
    (error.is_err() && !error.is_retriable()).then(|| ConsumerError::Topic {
        topic: topic.to_owned(),
        error: ApiError::of_code(error),
    })
}
