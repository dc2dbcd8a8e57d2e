//! Hosts the group coordinator: one machine of `ottla_coordination::group` for each partition of `__consumer_offsets`.
//!
//! Always: a command is decided on the task that brings it, under its partition's lock; an answer leaves once what it
//! tells is committed, which in the memory durability is at once. Partitions are loaded by replay in the background,
//! and one that was never written needs none. One task sleeps until the next timer of any of them.
//! Deliberately not here: what is decided, and creating the topic.

mod cluster;
mod load;
mod settings;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::Loading;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::{
    BatchKind, Command, GroupMachine, GroupRecord, Response, Settings,
};
use ottla_coordination::txn::{EndTransaction, Verification};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchHeader, OwnedRecord};
use ottla_protocol::types::{Millis, Offset, PartitionIndex};

use super::Storage;
use super::auto_create::OFFSETS_TOPIC;
use super::partition::Partition;
use super::shard::{Asked, Coordinator, Shard, Shards, append_plain, append_transactional};
use cluster::Cluster;

pub(crate) use settings::assignor;

pub(crate) type Groups = Shards<GroupCoordinator>;

pub(crate) struct GroupCoordinator {
    settings: Settings,
    cluster: Cluster,
}

impl Coordinator for GroupCoordinator {
    type Machine = GroupMachine;

    const TOPIC: &'static str = OFFSETS_TOPIC;

    fn machine(&self, _: &Partition) -> GroupMachine {
        GroupMachine::new(Settings {
            consumer: self.cluster.current().settings.clone(),
            ..self.settings.clone()
        })
    }

    fn load_record(
        loading: &mut Loading<GroupMachine>,
        header: &BatchHeader,
        record: OwnedRecord,
    ) -> Result<(), String> {
        load::record(loading, header, record)
    }

    fn load_control(loading: &mut Loading<GroupMachine>, header: &BatchHeader, batch: &Bytes) {
        load::control(loading, header, batch);
    }

    /// What is known of the cluster.
    fn first_command(&self) -> Option<Command> {
        Some(Command::ClusterChanged((*self.cluster.current()).clone()))
    }

    fn append(
        partition: &Arc<Partition>,
        now: Millis,
        records: &[GroupRecord],
        verification: Verification,
    ) -> Result<Offset, ErrorCode> {
        let encoded = records.iter().map(GroupRecord::encode);
        match BatchKind::of(records) {
            BatchKind::Plain => append_plain(partition, now, 0, encoded),
            BatchKind::Transactional {
                producer_id,
                producer_epoch,
            } => {
                let producer = (producer_id, producer_epoch);
                append_transactional(partition, now, producer, verification, encoded)
            }
            BatchKind::Marker(end) => {
                let placed = partition.append_marker(&end, &mut None, now)?;
                Ok(placed.base_offset)
            }
        }
    }

    fn run_errand(&self, _: &Arc<Shard<Self>>, errand: Infallible) {
        match errand {}
    }
}

impl Groups {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self::of(GroupCoordinator {
            settings: settings::settings(config),
            cluster: Cluster::new(config),
        })
    }

    /// Ends a producer's transaction in one of the partitions: for good, once the answer comes.
    pub(crate) fn end_transaction(
        &self,
        index: PartitionIndex,
        end: EndTransaction,
    ) -> Asked<Response> {
        self.ask_partition(index, Command::EndTransaction(end))
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
        if let Some(update) = self.coordinator().cluster.renew(config, old, new) {
            self.tell_all(|| Command::ClusterChanged(update.clone()));
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
        // What cannot be dropped now goes when it expires.
        self.tell_all(|| Command::TopicsDeleted {
            topics: topics.clone(),
        });
    }
}
