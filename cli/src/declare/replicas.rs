//! Another replication factor for a topic that is there: which brokers get a replica, and which give theirs up. Pure.
//!
//! Always: no more replicas move than the number asks for, the first one, which leads by preference, stays first while its broker
//! is well, and the same cluster gives the same plan. Replicas that somebody else is moving are left to them.

use std::collections::BTreeMap;

use ottla_protocol::types::BrokerId;

/// The brokers that can take replicas, and the rack of each.
pub(super) type Brokers = BTreeMap<BrokerId, Option<String>>;

/// Who has a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) partition: i32,
    /// Those that are to have it, once those that are on their way have arrived.
    pub(super) replicas: Vec<BrokerId>,
    pub(super) isr: Vec<BrokerId>,
    pub(super) is_moving: bool,
}

impl Placed {
    /// Nothing moves, and yet a replica is not in sync.
    pub(super) fn is_behind(&self) -> bool {
        !self.is_moving && self.replicas.iter().any(|id| !self.isr.contains(id))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub partition: i32,
    pub from: Vec<BrokerId>,
    pub to: Vec<BrokerId>,
}

/// The moves after which each partition has so many replicas, or why there are none.
pub(super) fn moves(
    partitions: &[Placed],
    brokers: &Brokers,
    factor: usize,
) -> Result<Vec<Move>, String> {
    if factor > brokers.len() {
        let count = brokers.len();
        let s = if count == 1 { "" } else { "s" };
        return Err(format!(
            "{factor} replicas need as many brokers, and the cluster has {count} broker{s}"
        ));
    }
    let differs = |placed: &&Placed| placed.replicas.len() != factor;
    if let Some(placed) = partitions
        .iter()
        .filter(differs)
        .find(|placed| placed.is_moving)
    {
        return Err(format!(
            "replicas of partition {} are on their way elsewhere: wait for them, or end that (`ottla reassign-partitions --cancel`)",
            placed.partition
        ));
    }
    let mut load = Load::of(partitions);
    let mut moves = Vec::new();
    for placed in partitions.iter().filter(differs) {
        let mut to = placed.replicas.clone();
        while to.len() > factor {
            let place = load.dispensable(&to, placed, brokers);
            load.take_from(to.remove(place));
        }
        while to.len() < factor
            && let Some(broker) = load.fitting(&to, brokers)
        {
            load.give_to(broker);
            to.push(broker);
        }
        moves.push(Move {
            partition: placed.partition,
            from: placed.replicas.clone(),
            to,
        });
    }
    Ok(moves)
}

/// How many of the topic's replicas each broker has.
struct Load(BTreeMap<BrokerId, usize>);

impl Load {
    fn of(partitions: &[Placed]) -> Self {
        let mut load = Self(BTreeMap::new());
        let all = partitions.iter().flat_map(|placed| &placed.replicas);
        all.for_each(|broker| load.give_to(*broker));
        load
    }

    fn on(&self, broker: BrokerId) -> usize {
        self.0.get(&broker).copied().unwrap_or(0)
    }

    fn give_to(&mut self, broker: BrokerId) {
        *self.0.entry(broker).or_default() += 1;
    }

    fn take_from(&mut self, broker: BrokerId) {
        if let Some(count) = self.0.get_mut(&broker) {
            *count = count.saturating_sub(1);
        }
    }

    /// Where in a list the replica is that is missed least: one that is not there or behind, but not the first if another will
    /// do, of a broker that has many.
    fn dispensable(&self, replicas: &[BrokerId], placed: &Placed, brokers: &Brokers) -> usize {
        let worth = |(place, broker): &(usize, &BrokerId)| {
            let is_well = brokers.contains_key(broker);
            let in_sync = placed.isr.contains(broker);
            let is_spare = *place > 0;
            (!is_well, !in_sync, is_spare, self.on(**broker), *place)
        };
        let least = replicas.iter().enumerate().max_by_key(worth);
        least.map_or(0, |(place, _)| place)
    }

    /// The broker for one more replica: of a rack that has few of them, with little of the topic.
    fn fitting(&self, replicas: &[BrokerId], brokers: &Brokers) -> Option<BrokerId> {
        let in_rack = |rack: &Option<String>| {
            let racks = replicas.iter().filter_map(|broker| brokers.get(broker));
            match rack {
                Some(_) => racks.filter(|other| *other == rack).count(),
                None => 0,
            }
        };
        let free = brokers.iter().filter(|(id, _)| !replicas.contains(id));
        let best = free.min_by_key(|(id, rack)| (in_rack(rack), self.on(**id), **id));
        best.map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn brokers(racks: &[(i32, &str)]) -> Brokers {
        let racks = racks.iter().map(|(id, rack)| {
            let rack = Some((*rack).to_owned()).filter(|rack| !rack.is_empty());
            (BrokerId(*id), rack)
        });
        racks.collect()
    }

    /// In partitions from 0 on; all are in sync.
    fn placed(replicas: &[&[i32]]) -> Vec<Placed> {
        let placed = (0..).zip(replicas).map(|(partition, replicas)| Placed {
            partition,
            replicas: ids(replicas),
            isr: ids(replicas),
            is_moving: false,
        });
        placed.collect()
    }

    fn after(partitions: &[Placed], brokers: &Brokers, factor: usize) -> Vec<Vec<i32>> {
        let moves = moves(partitions, brokers, factor).unwrap();
        let to = moves
            .iter()
            .map(|one| one.to.iter().map(|id| id.0).collect());
        to.collect()
    }

    #[test]
    fn more_replicas_go_behind_the_old_ones_and_evenly_over_brokers() {
        let three = brokers(&[(1, ""), (2, ""), (3, "")]);
        let there = placed(&[&[1], &[2], &[3]]);
        let expected: [&[i32]; 3] = [&[1, 2], &[2, 1], &[3, 1]];
        let found = after(&there, &three, 2);
        for (found, there) in found.iter().zip(expected) {
            assert_eq!(found[0], there[0]);
        }
        let mut load = [0; 3];
        for broker in found.concat() {
            load[usize::try_from(broker).unwrap() - 1] += 1;
        }
        assert!(
            load.iter().all(|count| (1..=3).contains(count)),
            "{found:?}"
        );
        assert_eq!(
            after(&there, &three, 3),
            [[1, 2, 3], [2, 1, 3], [3, 1, 2]],
            "everywhere"
        );
    }

    #[test]
    fn racks_that_have_no_replica_come_first() {
        let racks = brokers(&[(1, "a"), (2, "a"), (3, "b"), (4, "c")]);
        let there = placed(&[&[1], &[4]]);
        assert_eq!(after(&there, &racks, 3), [[1, 3, 4], [4, 2, 3]]);
    }

    #[test]
    fn of_fewer_replicas_those_go_that_are_not_there_and_the_first_stays() {
        let two = brokers(&[(1, ""), (2, "")]);
        assert_eq!(
            after(&placed(&[&[1, 3, 2]]), &two, 2),
            [[1, 2]],
            "3 is gone"
        );
        assert_eq!(after(&placed(&[&[3, 1, 2]]), &two, 1).concat().len(), 1);
        let three = brokers(&[(1, ""), (2, ""), (3, "")]);
        let mut behind = placed(&[&[2, 1, 3]]);
        behind[0].isr = ids(&[2, 3]);
        assert_eq!(after(&behind, &three, 2), [[2, 3]], "1 is behind");
        assert_eq!(after(&placed(&[&[1, 2, 3]]), &three, 1), [[1]]);
    }

    #[test]
    fn partitions_that_have_as_many_stay_and_moving_ones_are_not_touched() {
        let three = brokers(&[(1, ""), (2, ""), (3, "")]);
        let mut there = placed(&[&[1, 2], &[3]]);
        there[0].is_moving = true;
        let moves = moves(&there, &three, 2).unwrap();
        assert_eq!(
            moves.iter().map(|one| one.partition).collect::<Vec<_>>(),
            [1]
        );
        there[1].is_moving = true;
        let refused = super::moves(&there, &three, 2).unwrap_err();
        assert!(
            refused.contains("partition 1 are on their way"),
            "{refused}"
        );
        let refused = super::moves(&there, &brokers(&[(1, "")]), 2).unwrap_err();
        assert!(refused.contains("the cluster has 1 broker"), "{refused}");
    }
}
