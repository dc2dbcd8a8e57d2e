//! A group by numbers: members, topics and partitions become indices, so that sharing out compares no names.
//!
//! Always: members are numbered in the order of their ids, topics in that of their names, partitions topic by topic;
//! so comparing numbers compares names. Only topics that exist and have a subscriber are in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    admin::TopicPartition,
    consumer::assignors::{ByMember, Member, Topics},
};

/// Of a member.
pub(super) type M = usize;
/// Of a topic.
pub(super) type T = usize;
/// Of a partition.
pub(super) type P = usize;

pub(super) struct Layout<'a> {
    /// By number.
    pub(super) members: Vec<&'a Member>,
    /// In the order in which they were given.
    pub(super) given: Vec<M>,
    pub(super) topics: Vec<Topic<'a>>,
    topic_of: Vec<T>,
}

pub(super) struct Topic<'a> {
    pub(super) name: &'a str,
    first: P,
    /// In order.
    pub(super) subscribers: Vec<M>,
    racks: &'a [BTreeSet<String>],
}

impl Topic<'_> {
    pub(super) fn partitions(&self) -> std::ops::Range<P> {
        self.first..self.first + self.racks.len()
    }
}

impl<'a> Layout<'a> {
    pub(super) fn new(topics: &'a Topics, members: &'a [Member]) -> Self {
        let mut given: Vec<usize> = (0..members.len()).collect();
        given.sort_by_key(|index| &members[*index].id);
        let sorted: Vec<&Member> = given.iter().map(|index| &members[*index]).collect();
        let mut number = vec![0; members.len()];
        for (m, index) in given.into_iter().enumerate() {
            number[index] = m;
        }
        let mut subscribers: BTreeMap<&str, Vec<M>> = BTreeMap::new();
        for (m, member) in sorted.iter().enumerate() {
            for topic in &member.topics {
                subscribers.entry(topic).or_default().push(m);
            }
        }
        let mut layout = Self {
            members: sorted,
            given: number,
            topics: Vec::new(),
            topic_of: Vec::new(),
        };
        for (name, racks) in topics.iter().filter(|(_, racks)| !racks.is_empty()) {
            if let Some(subscribers) = subscribers.remove(name.as_str()) {
                layout.topics.push(Topic {
                    name,
                    first: layout.topic_of.len(),
                    subscribers,
                    racks,
                });
                let topic = layout.topics.len() - 1;
                layout.topic_of.extend(racks.iter().map(|_| topic));
            }
        }
        layout
    }

    pub(super) fn partition_count(&self) -> usize {
        self.topic_of.len()
    }

    pub(super) fn topic_of(&self, p: P) -> T {
        self.topic_of[p]
    }

    /// Its number within its topic.
    pub(super) fn index_of(&self, p: P) -> usize {
        p - self.topics[self.topic_of[p]].first
    }

    pub(super) fn racks_of(&self, p: P) -> &'a BTreeSet<String> {
        &self.topics[self.topic_of[p]].racks[self.index_of(p)]
    }

    /// The number of a partition; none of one that is not to be shared out.
    pub(super) fn find(&self, at: &TopicPartition) -> Option<P> {
        let topic = self
            .topics
            .binary_search_by(|topic| topic.name.cmp(&at.topic));
        let topic = &self.topics[topic.ok()?];
        let index = usize::try_from(at.partition).ok()?;
        (index < topic.racks.len()).then_some(topic.first + index)
    }

    pub(super) fn subscribes(&self, m: M, topic: T) -> bool {
        self.topics[topic].subscribers.binary_search(&m).is_ok()
    }

    /// Whether every member subscribes to the same topics, be they there or not. As the reference has it, members that
    /// subscribe to nothing pass for like the others where they come before all of them.
    pub(super) fn is_uniform(&self) -> bool {
        let topics = self.given.iter().map(|m| &self.members[*m].topics);
        let mut topics = topics.skip_while(|topics| topics.is_empty());
        let first = topics.next();
        topics.all(|topics| Some(topics) == first)
    }

    /// Back to names.
    pub(super) fn named(&self, shares: Vec<Vec<P>>) -> ByMember {
        let name = |p: P| {
            let topic = &self.topics[self.topic_of[p]];
            let index = i32::try_from(self.index_of(p)).unwrap_or(i32::MAX);
            TopicPartition::new(topic.name, index)
        };
        let shares = self.members.iter().zip(shares);
        shares
            .map(|(member, share)| (member.id.clone(), share.into_iter().map(name).collect()))
            .collect()
    }
}
