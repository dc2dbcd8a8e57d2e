//! Which member of a consumer group gets which partitions, decided in the broker (KIP-848).
//!
//! Pure. Always: each partition of a subscribed topic has one owner, who is subscribed to it; the same group and topics
//! give the same answer, the reference's. Neither assignor looks at racks, there or here.
//! Not here: when an assignment is due, and how members get from one to the next.

mod balancer;
mod heterogeneous;
mod homogeneous;
mod range;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::wire::Uuid;

use super::topics::Topics;

/// Partitions by topic.
pub type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// A group as an assignor sees it.
#[derive(Clone, Debug)]
pub struct GroupSpec<'a> {
    pub subscription_type: SubscriptionType,
    /// Where all else is equal, the first gets more.
    pub members: Vec<MemberSpec<'a>>,
}

/// Whether all members want the same topics. The caller tells, as it counts topics that do not exist too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionType {
    Homogeneous,
    Heterogeneous,
}

/// A member as an assignor sees it.
#[derive(Clone, Debug)]
pub struct MemberSpec<'a> {
    pub id: &'a str,
    pub instance_id: Option<&'a str>,
    /// The existing topics that the member is subscribed to, shared by those with the same subscription.
    pub topics: Arc<BTreeSet<Uuid>>,
    /// What the member is to have so far.
    pub assigned: &'a Assignment,
}

/// How partitions are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As many for each, moving as few as possible.
    Uniform,
    /// Topic by topic, each member a run of neighbouring partitions.
    Range,
}

impl Assignor {
    /// In the order of `group.consumer.assignors`' default.
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// As members name it in heartbeats, and configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    /// The members' new assignments, in the order of the members.
    #[must_use]
    pub fn assign(self, group: &GroupSpec<'_>, topics: &Topics) -> Vec<Assignment> {
        match (self, group.subscription_type) {
            (Self::Range, _) => range::assign(group, topics),
            (Self::Uniform, SubscriptionType::Homogeneous) => homogeneous::assign(group, topics),
            (Self::Uniform, SubscriptionType::Heterogeneous) => {
                heterogeneous::assign(group, topics)
            }
        }
    }
}

/// What members have of the topics they want, less what does not exist or another has too; and, for the partitions of
/// each topic, whether somebody has them.
fn still_valid(
    group: &GroupSpec<'_>,
    counts: &BTreeMap<Uuid, usize>,
) -> (Vec<Assignment>, BTreeMap<Uuid, Vec<bool>>) {
    let mut taken: BTreeMap<Uuid, Vec<bool>> = counts
        .iter()
        .map(|(id, count)| (*id, vec![false; *count]))
        .collect();
    let mut keep = |id: &Uuid, partition: &i32| {
        let index = usize::try_from(*partition).ok();
        let slot = index.and_then(|index| taken.get_mut(id)?.get_mut(index));
        slot.is_some_and(|slot| !std::mem::replace(slot, true))
    };
    let mut assignments = Vec::with_capacity(group.members.len());
    for member in &group.members {
        let mut kept = Assignment::new();
        for (id, partitions) in member.assigned {
            if !member.topics.contains(id) {
                continue;
            }
            let partitions: BTreeSet<i32> = partitions
                .iter()
                .copied()
                .filter(|partition| keep(id, partition))
                .collect();
            if !partitions.is_empty() {
                kept.insert(*id, partitions);
            }
        }
        assignments.push(kept);
    }
    (assignments, taken)
}

/// The subscribed topics by their place in the order of ids, so that members times topics are numbers to count through:
/// a group of 1,000 members with 10,000 topics has ten million of them.
struct Subscriptions {
    topics: Vec<Uuid>,
    /// The topics of each distinct subscription.
    distinct: Vec<Vec<usize>>,
    /// Which of these is the member's.
    of_member: Vec<usize>,
}

impl Subscriptions {
    fn of(group: &GroupSpec<'_>) -> Self {
        let mut distinct: Vec<&Arc<BTreeSet<Uuid>>> = Vec::new();
        let mut known: BTreeMap<*const BTreeSet<Uuid>, usize> = BTreeMap::new();
        let mut of_member = Vec::with_capacity(group.members.len());
        for member in &group.members {
            let index = known.entry(Arc::as_ptr(&member.topics)).or_insert_with(|| {
                distinct.push(&member.topics);
                distinct.len() - 1
            });
            of_member.push(*index);
        }
        let all: BTreeSet<Uuid> = distinct
            .iter()
            .flat_map(|ids| ids.iter().copied())
            .collect();
        let topics: Vec<Uuid> = all.into_iter().collect();
        let places = |ids: &Arc<BTreeSet<Uuid>>| {
            let place = |id| topics.binary_search(id).expect("collected from these");
            ids.iter().map(place).collect()
        };
        Self {
            distinct: distinct.into_iter().map(places).collect(),
            topics,
            of_member,
        }
    }

    /// The places of a member's topics.
    fn of_member(&self, member: usize) -> &[usize] {
        &self.distinct[self.of_member[member]]
    }
}

/// A partition's index from its place in a list.
fn index_of(place: usize) -> i32 {
    i32::try_from(place).expect("no topic has that many partitions")
}
