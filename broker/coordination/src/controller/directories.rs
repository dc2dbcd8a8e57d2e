//! Which log directory of a broker holds a partition (KIP-858): brokers choose and say so, and say which they lost.
//!
//! Always: a partition is led only by a broker on which its directory is online.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::features::ELIGIBLE_LEADER_REPLICAS;
use ottla_protocol::messages::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord,
};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;

use super::Controller;
use super::commands::{DirectoryAssignment, Response};
use super::image::{BrokerImage, PartitionImage};

/// A directory that was chosen, nobody noted which.
pub const MIGRATING_DIRECTORY: Uuid = Uuid([0; 16]);
/// Not chosen yet.
pub const UNASSIGNED_DIRECTORY: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// Some directory that is offline.
pub const LOST_DIRECTORY: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

const NO_LEADER: i32 = -1;
pub(super) const SAME_LEADER: i32 = -2;

impl BrokerImage {
    /// Whether what lies in a directory can be had from the broker.
    #[must_use]
    pub fn has_online(&self, directory: Uuid) -> bool {
        match directory {
            MIGRATING_DIRECTORY | UNASSIGNED_DIRECTORY => true,
            LOST_DIRECTORY => false,
            // A registration from before there were ids of directories lists none.
            directory => self.log_dirs.is_empty() || self.log_dirs.contains(&directory),
        }
    }
}

impl PartitionImage {
    /// The directory of a broker's replica; None where the broker has none.
    #[must_use]
    pub fn directory(&self, broker: BrokerId) -> Option<Uuid> {
        let i = self.replicas.iter().position(|id| *id == broker)?;
        Some(
            self.directories
                .get(i)
                .copied()
                .unwrap_or(MIGRATING_DIRECTORY),
        )
    }
}

impl Controller {
    /// Takes in where a broker has put its replicas. What it says of partitions that are gone, or not its, is passed
    /// over.
    pub(super) fn assign_directories(
        &self,
        broker_id: BrokerId,
        assignments: &[DirectoryAssignment],
    ) -> (Vec<MetadataRecord>, Response) {
        let Some(broker) = self.image.cluster().broker(broker_id) else {
            let error = ErrorCode::BrokerIdNotRegistered;
            return (Vec::new(), Response::AssignDirectories(Err(error.into())));
        };
        let records = assignments
            .iter()
            .filter_map(|assignment| self.assigned_record(broker, assignment));
        (records.collect(), Response::AssignDirectories(Ok(())))
    }

    fn assigned_record(
        &self,
        broker: &BrokerImage,
        assignment: &DirectoryAssignment,
    ) -> Option<MetadataRecord> {
        let topic = self.image.topics().by_id(assignment.topic_id)?;
        let partition = topic.partition(assignment.partition)?;
        let i = partition.replicas.iter().position(|id| *id == broker.id)?;
        let mut directories = partition.directories.clone();
        directories.resize(partition.replicas.len(), MIGRATING_DIRECTORY);
        if directories[i] == assignment.directory {
            return None;
        }
        directories[i] = assignment.directory;
        let can_lead = partition.leader.is_none()
            && !broker.fenced
            && broker.has_online(assignment.directory)
            && can_be_led_by(partition, broker.id);
        let mut record = match can_lead {
            true => led_by(partition, broker.id),
            false => PartitionChangeRecord {
                leader: SAME_LEADER,
                ..Default::default()
            },
        };
        record.directories = Some(directories);
        record.topic_id = assignment.topic_id;
        record.partition_id = assignment.partition.0;
        Some(MetadataRecord::PartitionChange(record))
    }

    /// Takes in which directories a broker has left: it leads nothing any more that lies elsewhere.
    pub(super) fn keep_directories(
        &self,
        broker_id: BrokerId,
        online: &[Uuid],
    ) -> (Vec<MetadataRecord>, Response) {
        let Some(broker) = self.image.cluster().broker(broker_id) else {
            let error = ErrorCode::BrokerIdNotRegistered;
            return (Vec::new(), Response::KeepDirectories(Err(error.into())));
        };
        let mut log_dirs = online.to_vec();
        log_dirs.sort_unstable();
        let mut records = Vec::new();
        if broker.log_dirs != log_dirs && !log_dirs.is_empty() {
            records.push(MetadataRecord::BrokerRegistrationChange(
                BrokerRegistrationChangeRecord {
                    broker_id: broker_id.0,
                    broker_epoch: broker.epoch,
                    log_dirs: log_dirs.clone(),
                    ..Default::default()
                },
            ));
        }
        let left = BrokerImage {
            log_dirs,
            ..broker.clone()
        };
        records.extend(self.lost_to(&left));
        (records, Response::KeepDirectories(Ok(())))
    }

    /// Partitions that the broker leads and that lie in none of its directories get another leader, or none.
    pub(super) fn lost_to(&self, broker: &BrokerImage) -> Vec<MetadataRecord> {
        let is_lost = |partition: &PartitionImage| {
            let directory = partition.directory(broker.id);
            partition.leader == Some(broker.id)
                && directory.is_some_and(|directory| !broker.has_online(directory))
        };
        let mut records = Vec::new();
        for topic in self.image.topics().iter() {
            let lost = topic.partitions().iter().filter(|(_, p)| is_lost(p));
            records.extend(lost.map(|(index, partition)| {
                let mut record = self.led_without(partition, broker.id);
                record.topic_id = topic.id();
                record.partition_id = index.0;
                MetadataRecord::PartitionChange(record)
            }));
        }
        records
    }

    fn led_without(&self, partition: &PartitionImage, lost: BrokerId) -> PartitionChangeRecord {
        let others = partition.isr.iter().copied().filter(|id| *id != lost);
        let others: Vec<BrokerId> = others.collect();
        let next = others
            .iter()
            .find(|id| self.image.cluster().is_active(**id));
        let mut record = PartitionChangeRecord {
            leader: next.map_or(NO_LEADER, |id| id.0),
            ..Default::default()
        };
        let features = self.image.features();
        let has_elr = features
            .get(ELIGIBLE_LEADER_REPLICAS)
            .is_some_and(|level| *level > 0);
        if !others.is_empty() {
            record.isr = Some(others.iter().map(|id| id.0).collect());
        } else if has_elr {
            // It was the last in sync, so that it has all that was committed (KIP-966).
            record.isr = Some(Vec::new());
            record.eligible_leader_replicas = Some(vec![lost.0]);
            record.last_known_elr = Some(vec![lost.0]);
        }
        record
    }
}

/// Whether the broker has all that was committed: it is in sync, or it was the last that was (KIP-966).
pub(super) fn can_be_led_by(partition: &PartitionImage, broker: BrokerId) -> bool {
    partition.isr.contains(&broker)
        || partition.eligible_leader_replicas.contains(&broker)
        || partition.last_known_elr == [broker]
}

/// The election of a broker that `can_be_led_by`; topic and partition are left to the caller.
pub(super) fn led_by(partition: &PartitionImage, broker: BrokerId) -> PartitionChangeRecord {
    let others = partition.eligible_leader_replicas.iter();
    let others = others.filter(|id| **id != broker).map(|id| id.0);
    PartitionChangeRecord {
        leader: broker.0,
        isr: (!partition.isr.contains(&broker)).then(|| vec![broker.0]),
        eligible_leader_replicas: Some(others.collect()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    }
}
