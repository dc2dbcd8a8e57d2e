//! `uniform` where members want different topics: what is free goes to those who have least, then partitions move from
//! those who have most until no topic's subscribers can be made more equal.
//!
//! Always: ends after [`ROUNDS_MAX`] rounds over the topics, balanced or nearly so.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use ottla_protocol::wire::Uuid;

use super::balancer::Balancer;
use super::{Assignment, GroupSpec, Subscriptions, Topics, index_of};

/// Where subscriptions overlap without being equal, each round about halves what is left to balance.
const ROUNDS_MAX: usize = 16;

/// A topic being shared out; members are told by their place in the group.
struct Topic {
    id: Uuid,
    subscribers: Vec<usize>,
    /// By partition.
    owners: Vec<Option<usize>>,
}

pub(super) fn assign(group: &GroupSpec<'_>, topics: &Topics) -> Vec<Assignment> {
    let mut topics = subscribed(group, topics);
    let mut loads = vec![0; group.members.len()];
    take_over(group, &mut topics, &mut loads);
    for topic in &mut topics {
        topic.assign_free(&mut loads);
    }
    balance(&mut topics, &mut loads);
    let mut assignments = vec![Assignment::new(); group.members.len()];
    for topic in topics {
        for (partition, owner) in topic.owners.into_iter().enumerate() {
            let owner = owner.expect("every topic here has a subscriber");
            let partitions = assignments[owner].entry(topic.id).or_default();
            partitions.insert(index_of(partition));
        }
    }
    assignments
}

/// Topics with at least one subscriber: those with most partitions for each subscriber first.
fn subscribed(group: &GroupSpec<'_>, topics: &Topics) -> Vec<Topic> {
    let subscriptions = Subscriptions::of(group);
    let mut subscribers: Vec<Vec<usize>> = vec![Vec::new(); subscriptions.topics.len()];
    for member in 0..group.members.len() {
        for topic in subscriptions.of_member(member) {
            subscribers[*topic].push(member);
        }
    }
    let mut topics: Vec<Topic> = subscriptions
        .topics
        .into_iter()
        .zip(subscribers)
        .map(|(id, subscribers)| Topic {
            id,
            subscribers,
            owners: vec![None; topics.partition_count(id)],
        })
        .collect();
    topics.sort_by(Topic::compare);
    topics
}

/// What members have and still want stays theirs.
fn take_over(group: &GroupSpec<'_>, topics: &mut [Topic], loads: &mut [usize]) {
    let counts = topics
        .iter()
        .map(|topic| (topic.id, topic.owners.len()))
        .collect();
    let (kept, _) = super::still_valid(group, &counts);
    let mut owners: BTreeMap<Uuid, &mut Vec<Option<usize>>> = topics
        .iter_mut()
        .map(|topic| (topic.id, &mut topic.owners))
        .collect();
    for (member, assignment) in kept.iter().enumerate() {
        for (id, partitions) in assignment {
            let owners = owners.get_mut(id).expect("a subscribed topic");
            for partition in partitions {
                owners[usize::try_from(*partition).expect("checked")] = Some(member);
                loads[member] += 1;
            }
        }
    }
}

/// Goes round the topics until one round has moved nothing.
fn balance(topics: &mut [Topic], loads: &mut [usize]) {
    let mut topics: Vec<&mut Topic> = topics
        .iter_mut()
        .filter(|topic| topic.subscribers.len() > 1)
        .collect();
    let mut last_moved = None;
    for _ in 0..ROUNDS_MAX {
        for (index, topic) in topics.iter_mut().enumerate() {
            if last_moved == Some(index) {
                return;
            }
            if topic.balance(loads) || last_moved.is_none() {
                last_moved = Some(index);
            }
        }
    }
}

impl Topic {
    fn compare(&self, other: &Self) -> Ordering {
        // Cross-multiplied: no rounding.
        let share = |topic: &Self, other: &Self| topic.owners.len() * other.subscribers.len();
        Reverse(share(self, other))
            .cmp(&Reverse(share(other, self)))
            .then(self.subscribers.len().cmp(&other.subscribers.len()))
            .then_with(|| signed(self.id).cmp(&signed(other.id)))
    }

    fn assign_free(&mut self, loads: &mut [usize]) {
        if self.owners.iter().all(Option::is_some) {
            return;
        }
        let mut balancer = Balancer::new(&self.subscribers, loads);
        for owner in self.owners.iter_mut().filter(|owner| owner.is_none()) {
            let member = balancer.next_least_loaded(loads);
            loads[member] += 1;
            *owner = Some(member);
        }
    }

    /// Moves partitions from the most to the least loaded subscribers; whether any moved.
    fn balance(&mut self, loads: &mut [usize]) -> bool {
        // Before they are sorted: mostly there is nothing to do.
        let subscribed = self.subscribers.iter().map(|member| loads[*member]);
        let least = subscribed.clone().min().unwrap_or(0);
        if subscribed.max().unwrap_or(0) - least <= 1 {
            return false;
        }
        let mut balancer = Balancer::new(&self.subscribers, loads);
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in self.owners.iter().enumerate() {
            owned
                .entry(owner.expect("all are assigned"))
                .or_default()
                .push(partition);
        }
        let mut moved = false;
        while let Some(partition) = last_of_most_loaded(&mut balancer, &mut owned, loads) {
            let to = balancer.next_least_loaded(loads);
            if balancer.is_balanced() {
                break;
            }
            let from = self.owners[partition]
                .replace(to)
                .expect("all are assigned");
            loads[from] -= 1;
            loads[to] += 1;
            moved = true;
        }
        moved
    }
}

/// The last partition of the most loaded member that has one to give.
fn last_of_most_loaded(
    balancer: &mut Balancer,
    owned: &mut BTreeMap<usize, Vec<usize>>,
    loads: &[usize],
) -> Option<usize> {
    loop {
        let member = balancer.next_most_loaded(loads)?;
        if let Some(partition) = owned.get_mut(&member).and_then(Vec::pop) {
            return Some(partition);
        }
        balancer.exclude_most_loaded();
    }
}

/// Ids in the order of the reference, which has them as two signed numbers.
fn signed(id: Uuid) -> (i64, i64) {
    let bits = u128::from_be_bytes(id.0);
    #[allow(clippy::cast_possible_truncation)]
    let (most, least) = ((bits >> 64) as u64, bits as u64);
    (most.cast_signed(), least.cast_signed())
}
