//! `uniform` where all members want the same topics: each gets its share of all partitions, and keeps what it has of it.
//!
//! Which partitions move is a matter of the order they are walked in; it is the reference's (`walk`).

use std::collections::BTreeMap;

use ottla_protocol::wire::Uuid;

use super::walk::{partitions_in_order, topics_in_order};
use super::{Assignment, GroupSpec, Topics, index_of};

pub(super) fn assign(group: &GroupSpec<'_>, topics: &Topics) -> Vec<Assignment> {
    let Some(first) = group.members.first() else {
        return Vec::new();
    };
    let counts: BTreeMap<Uuid, usize> = first
        .topics
        .iter()
        .map(|id| (*id, topics.partition_count(*id)))
        .collect();
    let (mut assignments, taken) = super::still_valid(group, &counts);
    let mut free = unassigned(&taken);
    let room = give_back(&mut assignments, counts.values().sum(), &mut free);
    let mut free = free.into_iter();
    for (assignment, room) in assignments.iter_mut().zip(room) {
        for (topic, partition) in free.by_ref().take(room) {
            assignment.entry(topic).or_default().insert(partition);
        }
    }
    assert!(free.next().is_none(), "a partition without an owner");
    assignments
}

fn unassigned(taken: &BTreeMap<Uuid, Vec<bool>>) -> Vec<(Uuid, i32)> {
    let mut free = Vec::new();
    for topic in topics_in_order(taken.keys()) {
        let partitions = taken[&topic].iter().enumerate();
        free.extend(
            partitions
                .filter(|(_, is_taken)| !**is_taken)
                .map(|(place, _)| (topic, index_of(place))),
        );
    }
    free
}

/// Moves what members have beyond their share to `free`; how many each may still get.
fn give_back(
    assignments: &mut [Assignment],
    partition_count: usize,
    free: &mut Vec<(Uuid, i32)>,
) -> Vec<usize> {
    let member_count = assignments.len();
    let quota = partition_count / member_count;
    let mut extras = partition_count % member_count;
    let mut rooms = Vec::with_capacity(member_count);
    for (index, assignment) in assignments.iter_mut().enumerate() {
        let mut has_extra = extras > 0;
        let mut room = quota + usize::from(has_extra);
        for topic in topics_in_order(assignment.keys()) {
            let partitions = assignment.entry(topic).or_default();
            for partition in partitions_in_order(partitions) {
                if room > 0 {
                    room -= 1;
                } else {
                    partitions.remove(&partition);
                    free.push((topic, partition));
                }
            }
        }
        assignment.retain(|_, partitions| !partitions.is_empty());
        // One more than the others is for whoever has that many already, as long as enough members are left to take it.
        if room > 0 && has_extra && member_count - index > extras {
            room -= 1;
            has_extra = false;
        }
        extras -= usize::from(has_extra);
        rooms.push(room);
    }
    rooms
}
