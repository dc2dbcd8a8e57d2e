//! Random groups over several rebalances.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::{admin::TopicPartition, consumer::assignors::LastAssignment};

use super::*;

/// What happens to a group between two rebalances.
#[derive(Clone, Debug)]
enum Change {
    Join(BTreeSet<usize>),
    Leave(usize),
    Subscribe(usize, BTreeSet<usize>),
    Grow(usize),
    Nothing,
}

const TOPICS: usize = 4;

fn subscription() -> impl Strategy<Value = BTreeSet<usize>> {
    prop_oneof![
        Just((0..TOPICS).collect()),
        prop::collection::btree_set(0..TOPICS, 0..TOPICS),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        subscription().prop_map(Change::Join),
        (0..8usize).prop_map(Change::Leave),
        (0..8usize, subscription()).prop_map(|(member, topics)| Change::Subscribe(member, topics)),
        (0..TOPICS).prop_map(Change::Grow),
        Just(Change::Nothing),
    ]
}

#[derive(Debug, Default)]
struct Group {
    topics: Topics,
    members: Vec<Member>,
    joined: usize,
    generation: i32,
}

impl Group {
    fn new(counts: &[usize]) -> Self {
        let topic =
            |(index, count): (usize, &usize)| (format!("t{index}"), vec![BTreeSet::new(); *count]);
        Self {
            topics: counts.iter().enumerate().map(topic).collect(),
            ..Self::default()
        }
    }

    fn change(&mut self, change: Change) {
        let names = |topics: BTreeSet<usize>| topics.into_iter().map(|t| format!("t{t}")).collect();
        match change {
            Change::Join(topics) => {
                self.joined += 1;
                self.members.push(Member {
                    id: format!("m{}", self.joined),
                    topics: names(topics),
                    ..Member::default()
                });
            }
            Change::Leave(member) if member < self.members.len() => {
                self.members.remove(member);
            }
            Change::Subscribe(member, topics) => {
                if let Some(member) = self.members.get_mut(member) {
                    member.topics = names(topics);
                }
            }
            Change::Grow(topic) => {
                if let Some(racks) = self.topics.get_mut(&format!("t{topic}")) {
                    racks.push(BTreeSet::new());
                }
            }
            Change::Leave(_) | Change::Nothing => {}
        }
    }

    /// One rebalance; what everybody has afterwards, and whether somebody had to let go.
    fn rebalance(&mut self, assign: fn(&Topics, &[Member]) -> ByMember) -> (ByMember, bool) {
        let shares = assign(&self.topics, &in_leaders_order(&self.members));
        self.generation += 1;
        let mut has_let_go = false;
        for member in &mut self.members {
            let share = shares.get(&member.id).cloned().unwrap_or_default();
            has_let_go |= member.owned.iter().any(|at| !share.contains(at));
            let last = LastAssignment {
                partitions: share.clone(),
                generation: self.generation,
            };
            member.user_data = sticky_user_data(Some(&last));
            member.owned = share;
            member.generation = Some(self.generation);
        }
        (shares, has_let_go)
    }

    fn check(&self, shares: &ByMember) {
        let mut owner: BTreeMap<&TopicPartition, &Member> = BTreeMap::new();
        for member in &self.members {
            for at in &shares[&member.id] {
                assert!(member.topics.contains(&at.topic), "{at} to {}", member.id);
                assert!(owner.insert(at, member).is_none(), "{at} twice");
            }
        }
        let count = |member: &Member| shares[&member.id].len();
        for (topic, racks) in &self.topics {
            for (index, _) in (0..).zip(racks) {
                let at = TopicPartition::new(topic, index);
                let subscribers = self.members.iter().filter(|m| m.topics.contains(topic));
                let Some(least) = subscribers.map(count).min() else {
                    continue;
                };
                assert!(owner.contains_key(&at), "{at} is nobody's");
                assert!(count(owner[&at]) <= least + 1, "{at} should go elsewhere");
            }
        }
    }
}

proptest! {
    #[test]
    fn shares_are_complete_and_even_and_stay_where_nothing_changes(
        counts in prop::collection::vec(0..9usize, TOPICS),
        changes in prop::collection::vec(change(), 1..12),
    ) {
        let mut group = Group::new(&counts);
        group.change(Change::Join((0..TOPICS).collect()));
        for change in changes {
            group.change(change);
            if group.members.is_empty() {
                continue;
            }
            let (shares, _) = group.rebalance(assign);
            group.check(&shares);
            let (again, _) = group.rebalance(assign);
            let sets = |shares: ByMember| -> Vec<BTreeSet<TopicPartition>> {
                shares.into_values().map(BTreeSet::from_iter).collect()
            };
            prop_assert_eq!(sets(shares), sets(again));
        }
    }

    #[test]
    fn a_cooperative_group_gives_nothing_away_that_is_read_and_settles_in_two_rounds(
        counts in prop::collection::vec(0..9usize, TOPICS),
        changes in prop::collection::vec(change(), 1..12),
    ) {
        let mut group = Group::new(&counts);
        group.change(Change::Join((0..TOPICS).collect()));
        for change in changes {
            group.change(change);
            if group.members.is_empty() {
                continue;
            }
            let mut owned: BTreeMap<TopicPartition, String> = BTreeMap::new();
            for member in &mut group.members {
                // Before it joins, a member lets go what it no longer subscribes to.
                let topics = &member.topics;
                member.owned.retain(|at| topics.contains(&at.topic));
                owned.extend(member.owned.iter().map(|at| (at.clone(), member.id.clone())));
            }
            let (shares, has_let_go) = group.rebalance(assign_cooperatively);
            for (member, share) in &shares {
                for at in share {
                    prop_assert!(owned.get(at).is_none_or(|owner| owner == member));
                }
            }
            let (shares, lets_go_again) = match has_let_go {
                true => group.rebalance(assign_cooperatively),
                false => (shares, false),
            };
            prop_assert!(!lets_go_again);
            group.check(&shares);
        }
    }
}
