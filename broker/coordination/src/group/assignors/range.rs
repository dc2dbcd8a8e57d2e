//! `range`: of each topic every subscriber gets a run of neighbouring partitions, the first ones one more.
//!
//! Always: topics with the same subscribers and as many partitions are split alike, so their partitions of the same
//! number meet at one member. Static members come first, by their lasting names: a restart moves nothing.

use super::{Assignment, GroupSpec, Subscriptions, Topics, index_of};

/// How a topic is split, and how far that has come.
struct Split {
    partition_count: usize,
    subscriber_count: usize,
    served: usize,
    next: usize,
}

impl Split {
    fn of(partition_count: usize) -> Self {
        Self {
            partition_count,
            subscriber_count: 0,
            served: 0,
            next: 0,
        }
    }

    /// The next subscriber's run.
    fn take(&mut self) -> std::ops::Range<usize> {
        if self.next == self.partition_count {
            return self.next..self.next;
        }
        let extra = usize::from(self.served < self.partition_count % self.subscriber_count);
        let start = self.next;
        self.served += 1;
        self.next = start + self.partition_count / self.subscriber_count + extra;
        start..self.next
    }
}

pub(super) fn assign(group: &GroupSpec<'_>, topics: &Topics) -> Vec<Assignment> {
    let subscriptions = Subscriptions::of(group);
    let ids = &subscriptions.topics;
    let mut splits: Vec<Split> = ids
        .iter()
        .map(|id| Split::of(topics.partition_count(*id)))
        .collect();
    for member in 0..group.members.len() {
        for topic in subscriptions.of_member(member) {
            splits[*topic].subscriber_count += 1;
        }
    }
    let mut assignments = vec![Assignment::new(); group.members.len()];
    for member in in_order(group) {
        for topic in subscriptions.of_member(member) {
            let run = splits[*topic].take();
            if !run.is_empty() {
                assignments[member].insert(ids[*topic], run.map(index_of).collect());
            }
        }
    }
    assignments
}

fn in_order(group: &GroupSpec<'_>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..group.members.len()).collect();
    order.sort_by_key(|index| {
        let member = &group.members[*index];
        (member.instance_id.is_none(), member.instance_id, member.id)
    });
    order
}
