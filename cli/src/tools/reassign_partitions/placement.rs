//! Proposes brokers for the replicas of a topic: in turn over the racks, and over the brokers of each.
//!
//! Always: a partition has each broker once at most, first replicas are spread evenly over racks, and a partition's
//! replicas over as many racks as there are. Where it begins is random, so that topics differ.

use std::collections::BTreeMap;

use ottla_client::ApiError;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;
use rand::RngExt;
use rand::seq::SliceRandom;

/// A broker that replicas may be placed on. Without racks, all are in one.
#[derive(Clone, Debug)]
pub(super) struct Usable {
    pub(super) id: BrokerId,
    pub(super) rack: Option<String>,
}

/// The brokers of a rack, and where the next partition begins among them.
struct Rack {
    brokers: Vec<BrokerId>,
    first: usize,
}

/// Brokers for each of so many partitions.
pub(super) fn place(
    brokers: &[Usable],
    partitions: usize,
    replicas: usize,
    random: &mut impl RngExt,
) -> Result<Vec<Vec<BrokerId>>, ApiError> {
    if brokers.is_empty() {
        return Err(invalid(
            "All brokers are currently fenced, or have all their log directories cordoned."
                .to_owned(),
        ));
    }
    if replicas > brokers.len() {
        return Err(invalid(format!(
            "The target replication factor of {replicas} cannot be reached because only {} broker(s) are registered or some \
             brokers have all their log directories cordoned.",
            brokers.len()
        )));
    }
    let mut racks = racks(brokers, random);
    let mut begin = random.random_range(0..racks.len());
    let mut placed = Vec::with_capacity(partitions);
    for partition in 0..partitions {
        // All brokers have led once: another order, so that the same neighbours do not come again.
        if partition > 0 && partition % brokers.len() == 0 {
            shuffle(&mut racks, random);
        }
        placed.push(spread(&racks, begin, replicas));
        for rack in &mut racks {
            rack.first = (rack.first + 1) % rack.brokers.len();
        }
        begin = (begin + 1) % racks.len();
    }
    Ok(placed)
}

fn invalid(message: String) -> ApiError {
    ApiError {
        code: ErrorCode::InvalidReplicationFactor,
        message: Some(message),
    }
}

fn racks(brokers: &[Usable], random: &mut impl RngExt) -> Vec<Rack> {
    let mut by_name: BTreeMap<Option<&str>, Vec<BrokerId>> = BTreeMap::new();
    for broker in brokers {
        let of_rack = by_name.entry(broker.rack.as_deref()).or_default();
        of_rack.push(broker.id);
    }
    let rack = |brokers| Rack { brokers, first: 0 };
    let mut racks: Vec<Rack> = by_name.into_values().map(rack).collect();
    shuffle(&mut racks, random);
    racks
}

fn shuffle(racks: &mut [Rack], random: &mut impl RngExt) {
    racks.shuffle(random);
    for rack in racks {
        rack.brokers.shuffle(random);
    }
}

/// One broker of each rack in turn, from the rack at `begin` on, until there are enough.
fn spread(racks: &[Rack], begin: usize, replicas: usize) -> Vec<BrokerId> {
    let most = racks.iter().map(|rack| rack.brokers.len()).max();
    let in_turn = (0..most.unwrap_or(0)).flat_map(|round| {
        let racks = racks.iter().cycle().skip(begin).take(racks.len());
        racks.filter_map(move |rack| {
            let is_there = round < rack.brokers.len();
            let at = (rack.first + round) % rack.brokers.len();
            rack.brokers.get(at).filter(|_| is_there).copied()
        })
    });
    in_turn.take(replicas).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn usable(racks: &[(i32, &str)]) -> Vec<Usable> {
        let one = |(id, rack): &(i32, &str)| Usable {
            id: BrokerId(*id),
            rack: Some((*rack).to_owned()).filter(|rack| !rack.is_empty()),
        };
        racks.iter().map(one).collect()
    }

    #[test]
    fn replicas_are_on_different_racks_and_leaders_on_all_of_them() {
        let brokers = usable(&[(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c"), (6, "c")]);
        let rack = |id: BrokerId| (id.0 - 1) / 2;
        for _ in 0..50 {
            let placed = place(&brokers, 6, 3, &mut rand::rng()).unwrap();
            for replicas in &placed {
                let racks: BTreeSet<i32> = replicas.iter().map(|id| rack(*id)).collect();
                assert_eq!(racks.len(), 3, "{placed:?}");
            }
            let mut leads = [0; 3];
            for replicas in &placed {
                leads[usize::try_from(rack(replicas[0])).unwrap()] += 1;
            }
            assert_eq!(leads, [2, 2, 2], "{placed:?}");
        }
    }

    #[test]
    fn without_racks_every_broker_leads_as_often_as_the_others() {
        let brokers = usable(&[(1, ""), (2, ""), (3, "")]);
        for _ in 0..50 {
            let placed = place(&brokers, 9, 2, &mut rand::rng()).unwrap();
            for id in 1..=3 {
                let leads = placed.iter().filter(|replicas| replicas[0].0 == id);
                assert_eq!(leads.count(), 3, "{placed:?}");
            }
            assert!(placed.iter().all(|it| it[0] != it[1]), "{placed:?}");
        }
    }

    #[test]
    fn a_rack_with_fewer_brokers_is_passed_over_when_it_has_given_all() {
        let brokers = usable(&[(1, "a"), (2, "b"), (3, "b"), (4, "b")]);
        let placed = place(&brokers, 4, 4, &mut rand::rng()).unwrap();
        for replicas in placed {
            let all: BTreeSet<BrokerId> = replicas.into_iter().collect();
            assert_eq!(all.len(), 4);
        }
    }

    #[test]
    fn more_replicas_than_brokers_are_refused() {
        let error = place(&usable(&[(1, "")]), 1, 2, &mut rand::rng()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidReplicationFactor);
        let error = place(&[], 1, 1, &mut rand::rng()).unwrap_err();
        assert!(error.text().starts_with("All brokers"), "{error}");
    }
}
