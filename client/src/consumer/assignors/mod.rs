//! Who of a group's members gets which partitions; the group's leader decides for all.
//!
//! Pure. Always: the same members and topics give the same answer in every client of every language, since any of
//! them may be the leader.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;

use crate::admin::TopicPartition;

mod built_in;
mod range;
mod roundrobin;
mod sticky;
#[cfg(test)]
mod vectors;

pub use built_in::Assignor;

/// A way to share partitions out: one of the built-in ones, [`Assignor`], or the application's own, put into
/// [`GroupSettings`](super::GroupSettings).
///
/// All members of a group must have at least one in common, by name. Methods are called from the task that keeps the
/// membership alive: they must neither wait nor panic, and keep it from its heartbeats as long as they take.
pub trait PartitionAssignor: fmt::Debug + Send + Sync {
    /// As members call it among each other.
    fn name(&self) -> &str;

    /// Whether members may keep their partitions while the group rebalances (KIP-429). `assign` must then give no
    /// partition away that another member still owns, but leave it out: its owner will notice and join again. A
    /// consumer rebalances cooperatively only where all its assignors do.
    fn is_cooperative(&self) -> bool {
        false
    }

    /// What the leader is to be told about this member, given what it was assigned last.
    fn user_data(&self, last: Option<&LastAssignment>) -> Option<Bytes> {
        let _ = last;
        None
    }

    /// ByMember the partitions of the topics out. Called in the leader only. A member that is not in the answer gets
    /// nothing.
    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Assignment, AssignorError>;

    /// This member has been given its part by the leader, be it itself or another.
    fn on_assignment(&self, assigned: &Assigned, generation: i32) {
        let _ = (assigned, generation);
    }
}

/// Why an assignor can't share the partitions out; the leader's `poll` fails with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AssignorError(pub String);

/// What a member was assigned last, be it long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAssignment {
    pub partitions: Vec<TopicPartition>,
    pub generation: i32,
}

/// A member as the group's leader knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    /// `group.instance.id`, where the member is static.
    pub instance_id: Option<String>,
    /// `client.rack`.
    pub rack: Option<String>,
    pub topics: BTreeSet<String>,
    /// What it keeps during the rebalance; nothing where the group does not rebalance cooperatively.
    pub owned: Vec<TopicPartition>,
    /// Of the rebalance it took part in last; none where that is unknown or the group has lost it since.
    pub generation: Option<i32>,
    /// What its assignor of the same name wants to be known.
    pub user_data: Option<Bytes>,
}

impl Member {
    fn subscribes(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    fn rack(&self) -> Option<&str> {
        self.rack.as_deref().filter(|rack| !rack.is_empty())
    }
}

/// Topics that exist; per partition the racks of its replicas.
pub type Topics = BTreeMap<String, Vec<BTreeSet<String>>>;

/// By member id.
pub type Assignment = BTreeMap<String, Assigned>;

/// What the leader gives a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    pub partitions: Vec<TopicPartition>,
    /// For the member's [`PartitionAssignor::on_assignment`].
    pub user_data: Option<Bytes>,
}

/// Partitions by member id; every member is in it.
type ByMember = BTreeMap<String, Vec<TopicPartition>>;

fn nothing_yet(members: &[Member]) -> ByMember {
    let entry = |member: &Member| (member.id.clone(), Vec::new());
    members.iter().map(entry).collect()
}

/// Static members first, by their lasting names, so that a restart changes nothing; the others by id.
fn in_order(members: &[Member]) -> Vec<&Member> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|m| {
        (
            m.instance_id.is_none(),
            m.instance_id.as_deref(),
            m.id.as_str(),
        )
    });
    members
}

fn subscribers<'a>(topic: &str, members: &'a [Member]) -> Vec<&'a Member> {
    let mut members = in_order(members);
    members.retain(|member| member.subscribes(topic));
    members
}
