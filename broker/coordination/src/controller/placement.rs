//! Where the replicas of new partitions go: striped over racks, then over the brokers of a rack.
//!
//! Always: replicas of a partition are on different brokers, and the first is on an active one. Racks come before
//! brokers, active brokers before fenced ones, and each partition starts one further than the one before it.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;

use super::commands::ApiError;
use super::image::ClusterImage;

/// Brokers in a circle, each taken once a partition.
#[derive(Debug)]
struct Ring {
    brokers: Vec<BrokerId>,
    start: usize,
    taken: usize,
}

impl Ring {
    fn new(brokers: Vec<BrokerId>, start: u32) -> Self {
        let start = start as usize % brokers.len().max(1);
        Self {
            brokers,
            start,
            taken: 0,
        }
    }

    fn next_partition(&mut self) {
        self.taken = 0;
        self.start = (self.start + 1) % self.brokers.len().max(1);
    }

    fn take(&mut self) -> Option<BrokerId> {
        if self.taken == self.brokers.len() {
            return None;
        }
        let broker = self.brokers[(self.start + self.taken) % self.brokers.len()];
        self.taken += 1;
        Some(broker)
    }
}

#[derive(Debug)]
struct Rack {
    active: Ring,
    fenced: Ring,
}

impl Rack {
    fn take(&mut self) -> Option<BrokerId> {
        self.active.take().or_else(|| self.fenced.take())
    }

    fn next_partition(&mut self) {
        self.active.next_partition();
        self.fenced.next_partition();
    }
}

/// One list of replicas for each of `partition_count` partitions.
pub(super) fn place(
    cluster: &ClusterImage,
    partition_count: usize,
    replication_factor: i16,
    start: u32,
) -> Result<Vec<Vec<BrokerId>>, ApiError> {
    let refuse = |message: String| ApiError::new(ErrorCode::InvalidReplicationFactor, message);
    let replica_count = usize::try_from(replication_factor)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| {
            refuse(format!(
                "Invalid replication factor {replication_factor}: the replication factor must be positive."
            ))
        })?;
    let mut racks = racks(cluster, start);
    if racks.iter().all(|rack| rack.active.brokers.is_empty()) {
        return Err(refuse(
            "All brokers are currently fenced, or have all their log directories cordoned."
                .to_owned(),
        ));
    }
    let broker_count = cluster.iter().count();
    if replica_count > broker_count {
        return Err(refuse(format!(
            "The target replication factor of {replication_factor} cannot be reached because only \
             {broker_count} broker(s) are registered or some brokers have all their log directories cordoned."
        )));
    }
    let first_rack = start as usize;
    let partitions = (0..partition_count)
        .map(|partition| place_one(&mut racks, first_rack + partition, replica_count));
    Ok(partitions.collect())
}

fn racks(cluster: &ClusterImage, start: u32) -> Vec<Rack> {
    let mut by_rack: BTreeMap<Option<&str>, (Vec<BrokerId>, Vec<BrokerId>)> = BTreeMap::new();
    for broker in cluster.iter() {
        let (active, fenced) = by_rack.entry(broker.rack.as_deref()).or_default();
        if broker.fenced { fenced } else { active }.push(broker.id);
    }
    by_rack
        .into_values()
        .map(|(active, fenced)| Rack {
            active: Ring::new(active, start),
            fenced: Ring::new(fenced, start),
        })
        .collect()
}

fn place_one(racks: &mut [Rack], first_rack: usize, replica_count: usize) -> Vec<BrokerId> {
    for rack in racks.iter_mut() {
        rack.next_partition();
    }
    let rack_count = racks.len();
    let mut replicas = Vec::with_capacity(replica_count);
    // The leader must be active, so the first rack that has an active broker gives it.
    let leader = (0..rack_count)
        .find_map(|step| racks[(first_rack + step) % rack_count].active.take())
        .expect("checked: some rack has an active broker");
    replicas.push(leader);
    let mut rack = first_rack + 1;
    while replicas.len() < replica_count {
        // Ends: there are at least as many brokers as replicas, and every round over the racks takes one or more.
        replicas.extend(racks[rack % rack_count].take());
        rack += 1;
    }
    replicas
}
