//! Topic by topic: members in order, each a run of neighbouring partitions, the first ones one more where it does not
//! come out even. Where members and replicas stand in racks, partitions first go to members near a replica, as far as
//! that changes no member's share (KIP-881).

use std::collections::{BTreeMap, BTreeSet};

use crate::admin::TopicPartition;

use super::{ByMember, Member, Topics, nothing_yet, subscribers};

pub(super) fn assign(topics: &Topics, members: &[Member]) -> ByMember {
    let mut assignment = nothing_yet(members);
    let mut shares: Vec<Share<'_>> = topics
        .iter()
        .filter(|(_, racks)| !racks.is_empty())
        .map(|(topic, racks)| Share::new(topic, racks, subscribers(topic, members)))
        .collect();
    if shares.iter().any(|share| share.minds_racks) {
        near_replicas(&mut shares, &mut assignment);
    }
    for share in &mut shares {
        share.deal(|_, _| true, &mut assignment);
    }
    for partitions in assignment.values_mut() {
        partitions.sort();
    }
    assignment
}

/// Topics with the same subscribers and number of partitions stay aligned: a member gets the same partitions of each.
fn near_replicas(shares: &mut [Share<'_>], assignment: &mut ByMember) {
    let mut groups: BTreeMap<(Vec<&str>, usize), Vec<&mut Share<'_>>> = BTreeMap::new();
    for share in shares {
        let members = share
            .members
            .iter()
            .map(|member| member.id.as_str())
            .collect();
        // Of a topic none of whose subscribers has a rack nothing is known.
        let known = if share.has_racks {
            share.racks.len()
        } else {
            0
        };
        groups.entry((members, known)).or_default().push(share);
    }
    for ((members, partitions), mut group) in groups {
        match group.as_mut_slice() {
            [only] if only.minds_racks => only.deal(near, assignment),
            [_] => {}
            aligned => deal_aligned(members.len(), partitions, aligned, assignment),
        }
    }
}

fn near(member: &Member, racks: &BTreeSet<String>) -> bool {
    member.rack().is_none_or(|rack| racks.contains(rack))
}

fn deal_aligned(
    members: usize,
    partitions: usize,
    shares: &mut [&mut Share<'_>],
    assignment: &mut ByMember,
) {
    for partition in 0..partitions {
        let fits = |member: &usize| {
            shares.iter().all(|share| {
                let racks = share.racks.get(partition);
                let of = share.members.get(*member);
                share.room(*member) > 0 && of.zip(racks).is_some_and(|(of, racks)| near(of, racks))
            })
        };
        let Some(member) = (0..members).find(fits) else {
            continue;
        };
        for share in &mut *shares {
            share.give(member, partition, assignment);
        }
    }
}

/// How one topic is shared out.
struct Share<'a> {
    topic: &'a str,
    /// Of each partition's replicas.
    racks: &'a [BTreeSet<String>],
    members: Vec<&'a Member>,
    given: Vec<usize>,
    free: BTreeSet<usize>,
    each: usize,
    /// Members that may still get one more than the others.
    one_more: usize,
    has_racks: bool,
    minds_racks: bool,
}

impl<'a> Share<'a> {
    fn new(topic: &'a str, racks: &'a [BTreeSet<String>], members: Vec<&'a Member>) -> Self {
        let count = members.len().max(1);
        let of_members: BTreeSet<&str> = members.iter().filter_map(|m| m.rack()).collect();
        let of_partitions: BTreeSet<&str> = racks.iter().flatten().map(String::as_str).collect();
        let everywhere = racks.iter().all(|racks| racks.len() == of_partitions.len());
        Self {
            topic,
            racks,
            given: vec![0; members.len()],
            free: (0..racks.len()).collect(),
            each: racks.len() / count,
            one_more: racks.len() % count,
            has_racks: !of_members.is_empty(),
            minds_racks: !of_members.is_disjoint(&of_partitions) && !everywhere,
            members,
        }
    }

    fn room(&self, member: usize) -> usize {
        let given = self.given.get(member).copied().unwrap_or(usize::MAX);
        (self.each + usize::from(self.one_more > 0)).saturating_sub(given)
    }

    /// Gives each member in turn what it may have of what is left.
    fn deal(
        &mut self,
        may_have: impl Fn(&Member, &BTreeSet<String>) -> bool,
        assignment: &mut ByMember,
    ) {
        for member in 0..self.members.len() {
            let room = self.room(member);
            let fits = |partition: &usize| {
                let racks = self.racks.get(*partition);
                let of = self.members.get(member);
                of.zip(racks).is_some_and(|(of, racks)| may_have(of, racks))
            };
            let chosen: Vec<usize> = self.free.iter().copied().filter(fits).take(room).collect();
            let had = self.given.get(member).copied().unwrap_or(0);
            let gets_one_more = !chosen.is_empty() && had + chosen.len() > self.each;
            for partition in chosen {
                self.hand_over(member, partition, assignment);
            }
            self.one_more -= usize::from(gets_one_more);
        }
    }

    fn give(&mut self, member: usize, partition: usize, assignment: &mut ByMember) {
        self.hand_over(member, partition, assignment);
        let given = self.given.get(member).copied().unwrap_or(0);
        self.one_more -= usize::from(given > self.each);
    }

    fn hand_over(&mut self, member: usize, partition: usize, assignment: &mut ByMember) {
        self.free.remove(&partition);
        if let Some(given) = self.given.get_mut(member) {
            *given += 1;
        }
        let of = self.members.get(member);
        let list = of.and_then(|member| assignment.get_mut(&member.id));
        if let (Some(list), Ok(index)) = (list, i32::try_from(partition)) {
            list.push(TopicPartition::new(self.topic, index));
        }
    }
}
