//! Hosts the group coordinator: one machine of `ottla_coordination::group` for each partition of `__consumer_offsets`.
//!
//! Always: a command is decided on the task that brings it, under its partition's lock; an answer leaves once what it
//! tells is committed, which in the memory durability is at once. Partitions are loaded by replay in the background,
//! and one that was never written needs none. One task sleeps until the next timer of any of them.
//! Deliberately not here: what is decided, and creating the topic.

mod alarm;
mod cluster;
mod load;
mod settings;
mod shard;
mod wall_time;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::Answer;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::{Command, Response, Settings, partition_for};
use ottla_protocol::errors::ErrorCode;
use tokio::sync::oneshot;

use super::Storage;
use super::auto_create::OFFSETS_TOPIC;
use alarm::Alarm;
use cluster::Cluster;
use shard::Shard;

pub(crate) use settings::assignor;

/// The answer to a command, or where it will come.
pub(crate) enum Asked {
    Now(Answer<Response>),
    Later(oneshot::Receiver<Answer<Response>>),
}

impl Asked {
    pub(crate) async fn answer(self) -> Answer<Response> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(receiver) => receiver.await.unwrap_or(Err(ErrorCode::NotCoordinator)),
        }
    }
}

pub(crate) struct Groups {
    settings: Settings,
    shards: ArcSwap<Vec<Arc<Shard>>>,
    alarm: Arc<Alarm>,
    cluster: Arc<Cluster>,
}

impl Groups {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self {
            settings: settings::settings(config),
            shards: ArcSwap::default(),
            alarm: Arc::default(),
            cluster: Arc::new(Cluster::new(config)),
        }
    }

    /// Fires the timers until the server stops.
    pub(crate) fn watch_timers(&self) -> impl Future<Output = ()> + Send + 'static {
        let alarm = self.alarm.clone();
        async move { alarm.watch().await }
    }

    /// Takes over the partitions of a newly published image, tells the machines what is new in it, and drops the
    /// offsets of topics that are gone.
    pub(crate) fn follow(
        &self,
        storage: &Storage,
        config: &BrokerConfig,
        old: &MetadataImage,
        new: &MetadataImage,
    ) {
        if let Some(update) = self.cluster.renew(config, old, new) {
            for shard in self.shards.load().iter() {
                drop(shard.ask(&self.alarm, Command::ClusterChanged(update.clone())));
            }
        }
        if std::ptr::eq(old.topics(), new.topics()) {
            return;
        }
        self.take_over(storage);
        let gone = old
            .topics()
            .iter()
            .filter(|topic| new.topics().by_id(topic.id()).is_none());
        let topics: Vec<_> = gone
            .map(|topic| (topic.name().to_owned(), topic.id()))
            .collect();
        if topics.is_empty() {
            return;
        }
        for shard in self.shards.load().iter() {
            // Nobody waits for it; what cannot be dropped now goes when it expires.
            drop(shard.ask(
                &self.alarm,
                Command::TopicsDeleted {
                    topics: topics.clone(),
                },
            ));
        }
    }

    fn take_over(&self, storage: &Storage) {
        let topic = storage.topics.by_name(OFFSETS_TOPIC);
        let partitions = topic.map(|topic| topic.all()).unwrap_or_default();
        let current = self.shards.load_full();
        let is_held = |held: &Arc<Shard>, index: usize| {
            partitions
                .get(index)
                .is_some_and(|partition| Arc::ptr_eq(held.partition(), partition))
        };
        let kept = current
            .iter()
            .enumerate()
            .filter(|(index, shard)| is_held(shard, *index))
            .count();
        if kept == partitions.len() && kept == current.len() {
            return;
        }
        let mut shards = Vec::with_capacity(partitions.len());
        let mut fresh = Vec::new();
        for (index, partition) in partitions.iter().enumerate() {
            match current.get(index).filter(|held| is_held(held, index)) {
                Some(held) => shards.push(held.clone()),
                None => {
                    let shard = Arc::new(Shard::new(partition.clone()));
                    fresh.push(shard.clone());
                    shards.push(shard);
                }
            }
        }
        let lost = current
            .iter()
            .enumerate()
            .filter(|(index, shard)| !is_held(shard, *index));
        for (_, shard) in lost {
            shard.give_up(ErrorCode::NotCoordinator);
        }
        self.shards.store(Arc::new(shards));
        let settings = Settings {
            consumer: self.cluster.current().settings.clone(),
            ..self.settings.clone()
        };
        load::load_all(fresh, &settings, &self.alarm, &self.cluster);
    }

    /// Whether the partition that the group belongs to can be had, as far as is known.
    pub(crate) fn has_coordinator(&self, group_id: &str) -> bool {
        let shards = self.shards.load();
        shard_of(&shards, group_id).is_none_or(|i| !shards[i].partition().dir().is_offline())
    }

    /// Takes the machines out of service whose partitions are in a failed directory.
    pub(crate) fn leave_failed_directories(&self) {
        for shard in self.shards.load().iter() {
            if shard.partition().dir().is_offline() {
                shard.give_up(ErrorCode::NotCoordinator);
            }
        }
    }

    /// Hands a command to the machine of the group.
    pub(crate) fn ask(&self, group_id: &str, command: Command) -> Asked {
        let shards = self.shards.load();
        match shard_of(&shards, group_id) {
            Some(index) => shards[index].ask(&self.alarm, command),
            None => Asked::Now(Err(ErrorCode::NotCoordinator)),
        }
    }

    /// Asks every machine that has to do with one of the groups, with the places of its groups in the list.
    pub(crate) fn ask_each<T: AsRef<str> + Clone>(
        &self,
        group_ids: &[T],
        command: impl Fn(Vec<T>) -> Command,
    ) -> Vec<(Vec<T>, Asked)> {
        let shards = self.shards.load();
        let mut by_shard: BTreeMap<Option<usize>, Vec<T>> = BTreeMap::new();
        for group_id in group_ids {
            let shard = shard_of(&shards, group_id.as_ref());
            by_shard.entry(shard).or_default().push(group_id.clone());
        }
        let ask = |(shard, ids): (Option<usize>, Vec<T>)| {
            let asked = match shard {
                Some(index) => shards[index].ask(&self.alarm, command(ids.clone())),
                None => Asked::Now(Err(ErrorCode::NotCoordinator)),
            };
            (ids, asked)
        };
        by_shard.into_iter().map(ask).collect()
    }

    /// Asks all machines.
    pub(crate) fn ask_all(&self, command: impl Fn() -> Command) -> Vec<Asked> {
        let shards = self.shards.load();
        shards
            .iter()
            .map(|shard| shard.ask(&self.alarm, command()))
            .collect()
    }

    /// Ends the service: nothing is written any more, and whoever waits is told to look for another coordinator.
    pub(crate) fn close(&self) {
        for shard in self.shards.load().iter() {
            shard.give_up(ErrorCode::NotCoordinator);
        }
    }
}

fn shard_of(shards: &[Arc<Shard>], group_id: &str) -> Option<usize> {
    if shards.is_empty() {
        return None;
    }
    let count = i32::try_from(shards.len()).unwrap_or(i32::MAX);
    usize::try_from(partition_for(group_id, count).0).ok()
}
