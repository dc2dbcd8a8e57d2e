//! All the shards of an internal topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_coordination::group::partition_for;
use ottla_coordination::txn::Verification;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::PartitionIndex;

use super::alarm::Alarm;
use super::coordinator::{CommandOf, ResponseOf};
use super::{Asked, Coordinator, Shard, load};
use crate::exec::Storage;

pub(crate) struct Shards<C: Coordinator> {
    coordinator: Arc<C>,
    /// By partition.
    list: ArcSwap<Vec<Arc<Shard<C>>>>,
    alarm: Arc<Alarm<C>>,
}

impl<C: Coordinator> Shards<C> {
    /// Of a topic of which nothing is known yet.
    pub(crate) fn of(coordinator: C) -> Self {
        Self {
            coordinator: Arc::new(coordinator),
            list: ArcSwap::default(),
            alarm: Arc::new(Alarm::new()),
        }
    }

    pub(crate) fn coordinator(&self) -> &C {
        &self.coordinator
    }

    /// Fires the timers until the server stops.
    pub(crate) fn watch_timers(&self) -> impl Future<Output = ()> + Send + 'static {
        let alarm = self.alarm.clone();
        async move { alarm.watch().await }
    }

    /// Serves the partitions that the topic has now, and no others.
    pub(crate) fn take_over(&self, storage: &Storage) {
        let topic = storage.topics.by_name(C::TOPIC);
        let partitions = topic.map(|topic| topic.all()).unwrap_or_default();
        let current = self.list.load_full();
        let is_held = |held: &Arc<Shard<C>>, index: usize| {
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
                    let (coordinator, alarm) = (self.coordinator.clone(), self.alarm.clone());
                    let shard = Arc::new(Shard::new(partition.clone(), coordinator, alarm));
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
        self.list.store(Arc::new(shards));
        load::load_all(fresh);
    }

    /// Hands a command to the machine of a key: a group, or a transactional id.
    pub(crate) fn ask(&self, key: &str, command: CommandOf<C>) -> Asked<ResponseOf<C>> {
        self.ask_in_transaction(key, command, Verification::Waived)
    }

    /// Hands it a command of a producer's transaction, with what it can show for that.
    pub(crate) fn ask_in_transaction(
        &self,
        key: &str,
        command: CommandOf<C>,
        verification: Verification,
    ) -> Asked<ResponseOf<C>> {
        let list = self.list.load();
        match index_for(&list, key) {
            Some(index) => list[index].ask_in_transaction(command, verification),
            None => Asked::Now(Err(ErrorCode::NotCoordinator)),
        }
    }

    /// Hands a command to the machine of a partition.
    pub(crate) fn ask_partition(
        &self,
        index: PartitionIndex,
        command: CommandOf<C>,
    ) -> Asked<ResponseOf<C>> {
        let list = self.list.load();
        let index = usize::try_from(index.0).ok();
        match index.and_then(|index| list.get(index)) {
            Some(shard) => shard.ask(command),
            None => Asked::Now(Err(ErrorCode::NotCoordinator)),
        }
    }

    /// Asks every machine that has to do with one of the keys, with the places of its keys in the list.
    pub(crate) fn ask_each<T: AsRef<str> + Clone>(
        &self,
        keys: &[T],
        command: impl Fn(Vec<T>) -> CommandOf<C>,
    ) -> Vec<(Vec<T>, Asked<ResponseOf<C>>)> {
        let list = self.list.load();
        let mut by_shard: BTreeMap<Option<usize>, Vec<T>> = BTreeMap::new();
        for key in keys {
            let shard = index_for(&list, key.as_ref());
            by_shard.entry(shard).or_default().push(key.clone());
        }
        let ask = |(shard, keys): (Option<usize>, Vec<T>)| {
            let asked = match shard {
                Some(index) => list[index].ask(command(keys.clone())),
                None => Asked::Now(Err(ErrorCode::NotCoordinator)),
            };
            (keys, asked)
        };
        by_shard.into_iter().map(ask).collect()
    }

    /// Asks all machines.
    pub(crate) fn ask_all(&self, command: impl Fn() -> CommandOf<C>) -> Vec<Asked<ResponseOf<C>>> {
        let list = self.list.load();
        list.iter().map(|shard| shard.ask(command())).collect()
    }

    /// Tells all machines in service; nobody waits for it.
    pub(crate) fn tell_all(&self, command: impl Fn() -> CommandOf<C>) {
        drop(self.ask_all(command));
    }

    /// Whether the partition that the key belongs to can be had, as far as is known.
    pub(crate) fn has_coordinator(&self, key: &str) -> bool {
        let list = self.list.load();
        index_for(&list, key).is_none_or(|index| !list[index].partition().dir().is_offline())
    }

    /// Takes the machines out of service whose partitions are in a failed directory.
    pub(crate) fn leave_failed_directories(&self) {
        for shard in self.list.load().iter() {
            if shard.partition().dir().is_offline() {
                shard.give_up(ErrorCode::NotCoordinator);
            }
        }
    }

    /// Ends the service: nothing is written any more, and whoever waits is told to look for another coordinator.
    pub(crate) fn close(&self) {
        for shard in self.list.load().iter() {
            shard.give_up(ErrorCode::NotCoordinator);
        }
    }
}

fn index_for<C: Coordinator>(list: &[Arc<Shard<C>>], key: &str) -> Option<usize> {
    if list.is_empty() {
        return None;
    }
    let count = i32::try_from(list.len()).unwrap_or(i32::MAX);
    usize::try_from(partition_for(key, count).0).ok()
}
