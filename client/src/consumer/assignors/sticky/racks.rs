//! Which members stand near which partitions, as far as that matters (KIP-881).

use std::collections::BTreeMap;

use super::layout::{Layout, M, P};

#[derive(Debug, Default)]
pub(super) struct Racks {
    /// Of each member; empty where racks are not minded.
    members: Vec<Option<u32>>,
    /// Of each partition's replicas, in order; empty where racks are not minded.
    partitions: Vec<Vec<u32>>,
    /// How many members stand in a rack of each partition; empty where no member has a rack.
    neighbours: Vec<usize>,
}

impl Racks {
    /// They are minded where members and replicas share racks and not every partition is in all of them.
    pub(super) fn new(layout: &Layout<'_>) -> Self {
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        let mut number = |rack| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(rack).or_insert(next)
        };
        let members: Vec<Option<u32>> = layout
            .members
            .iter()
            .map(|member| member.rack().map(&mut number))
            .collect();
        if members.iter().all(Option::is_none) {
            return Self::default();
        }
        let partitions: Vec<Vec<u32>> = (0..layout.partition_count())
            .map(|p| {
                let racks = layout.racks_of(p).iter();
                let mut racks: Vec<u32> = racks.map(|rack| number(rack.as_str())).collect();
                racks.sort_unstable();
                racks
            })
            .collect();
        let mut crowds = vec![0; numbers.len()];
        for rack in members.iter().flatten() {
            crowds[*rack as usize] += 1;
        }
        let neighbours = partitions
            .iter()
            .map(|racks| racks.iter().map(|rack| crowds[*rack as usize]).sum())
            .collect();
        if !are_minded(&crowds, &partitions) {
            return Self {
                neighbours,
                ..Self::default()
            };
        }
        Self {
            members,
            partitions,
            neighbours,
        }
    }

    pub(super) fn are_minded(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn rack_of(&self, m: M) -> Option<u32> {
        self.members.get(m).copied().flatten()
    }

    pub(super) fn has_replica(&self, p: P, rack: u32) -> bool {
        let racks = self.partitions.get(p);
        racks.is_some_and(|racks| racks.binary_search(&rack).is_ok())
    }

    /// The member has a rack, and no replica of the partition is in it.
    pub(super) fn mismatch(&self, m: M, p: P) -> bool {
        self.rack_of(m)
            .is_some_and(|rack| !self.has_replica(p, rack))
    }

    /// Partitions with few members near them come first, so that these do not get others before.
    pub(super) fn sort_by_neighbours(&self, partitions: &mut [P]) {
        if !self.neighbours.is_empty() {
            partitions.sort_by_key(|p| self.neighbours[*p]);
        }
    }

    /// Place of the next member of the list, from `first` on and around, that stands near the partition.
    pub(super) fn next_near(&self, p: P, members: &[M], first: usize) -> Option<usize> {
        let near = |place: &usize| {
            let rack = self.rack_of(members[*place]);
            rack.is_some_and(|rack| self.has_replica(p, rack))
        };
        (0..members.len())
            .map(|step| (first + step) % members.len())
            .find(near)
    }
}

fn are_minded(crowds: &[usize], partitions: &[Vec<u32>]) -> bool {
    let mut has_replicas = vec![false; crowds.len()];
    for rack in partitions.iter().flatten() {
        has_replicas[*rack as usize] = true;
    }
    let racks = has_replicas.iter().filter(|has| **has).count();
    let is_shared = crowds
        .iter()
        .zip(&has_replicas)
        .any(|(crowd, has)| *crowd > 0 && *has);
    is_shared && partitions.iter().any(|of| of.len() != racks)
}
