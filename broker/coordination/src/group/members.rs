//! The members of a classic group, and what is counted of them: a join looks at counts, not at everybody, else forming a
//! group would be quadratic in its members.
//!
//! Always: the counts agree with the members. That is why members are read here freely and changed only by `change`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::member::{Member, Protocol};

/// Members by id.
#[derive(Debug, Default)]
pub(super) struct Members {
    by_id: BTreeMap<String, Member>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    /// How many members offer a protocol.
    supporters: BTreeMap<String, usize>,
    offered_bytes: usize,
    awaiting_join: usize,
}

impl Deref for Members {
    type Target = BTreeMap<String, Member>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl FromIterator<Member> for Members {
    fn from_iter<I: IntoIterator<Item = Member>>(list: I) -> Self {
        let mut members = Self::default();
        for member in list {
            members.insert(member);
        }
        members
    }
}

impl Members {
    /// In place of the one with its id, where there is one.
    pub(super) fn insert(&mut self, member: Member) {
        self.counts.add(&member);
        if let Some(old) = self.by_id.insert(member.id.clone(), member) {
            self.counts.subtract(&old);
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.by_id.remove(id)?;
        self.counts.subtract(&member);
        Some(member)
    }

    /// Changes a member, where it is there. Its id stays.
    pub(super) fn change<T>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Member) -> T,
    ) -> Option<T> {
        let member = self.by_id.get_mut(id)?;
        self.counts.subtract(member);
        let result = change(member);
        self.counts.add(member);
        Some(result)
    }

    /// Changes every member, in order.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&mut Member)) {
        self.counts = Counts::default();
        for member in self.by_id.values_mut() {
            change(member);
            self.counts.add(member);
        }
    }

    pub(super) fn all_support(&self, protocol: &str) -> bool {
        self.counts.supporters.get(protocol).copied().unwrap_or(0) == self.len()
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.counts.awaiting_join == self.len()
    }

    pub(super) fn awaiting_join_count(&self) -> usize {
        self.counts.awaiting_join
    }

    /// What the members offer, all but the one that offers anew.
    pub(super) fn offered_bytes_without(&self, id: &str) -> usize {
        let own = self.get(id).map_or(0, |member| bytes_of(&member.protocols));
        self.counts.offered_bytes - own
    }
}

impl Counts {
    fn add(&mut self, member: &Member) {
        for name in offered(&member.protocols) {
            match self.supporters.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    self.supporters.insert(name.to_owned(), 1);
                }
            }
        }
        self.offered_bytes += bytes_of(&member.protocols);
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
    }

    fn subtract(&mut self, member: &Member) {
        for name in offered(&member.protocols) {
            let count = self.supporters.get_mut(name).expect("counted");
            *count -= 1;
            if *count == 0 {
                self.supporters.remove(name);
            }
        }
        self.offered_bytes -= bytes_of(&member.protocols);
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
    }
}

pub(super) fn bytes_of(protocols: &[Protocol]) -> usize {
    let bytes = |protocol: &Protocol| protocol.name.len() + protocol.metadata.len();
    protocols.iter().map(bytes).sum()
}

/// Each name once, whatever a member lists.
fn offered(protocols: &[Protocol]) -> BTreeSet<&str> {
    let names = protocols.iter().map(|protocol| protocol.name.as_str());
    names.collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::effects::ReplyToken;

    fn member(id: &str, protocols: &[&str]) -> Member {
        let protocols = protocols.iter().map(|name| Protocol {
            name: (*name).to_owned(),
            metadata: Bytes::from_static(b"12345"),
        });
        Member {
            id: id.to_owned(),
            group_instance_id: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols: protocols.collect(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    #[test]
    fn counts_follow_members_that_come_change_and_go() {
        let mut members: Members = [
            member("a", &["range", "sticky", "range"]),
            member("b", &["range"]),
        ]
        .into_iter()
        .collect();
        assert!(members.all_support("range") && !members.all_support("sticky"));
        assert_eq!(members.offered_bytes_without("a"), 10);

        members.change("b", |b| b.protocols = member("b", &["sticky"]).protocols);
        assert!(!members.all_support("range") && members.all_support("sticky"));
        members.change_all(|member| member.awaiting_join = Some(ReplyToken(1)));
        assert!(members.have_all_joined());
        members.insert(member("b", &["range"]));
        assert_eq!(members.awaiting_join_count(), 1);
        members.remove("a");
        assert!(members.all_support("range") && !members.all_support("sticky"));
        members.remove("b");
        assert!(members.have_all_joined() && members.all_support("whatever"));
        assert_eq!(members.offered_bytes_without("a"), 0);
    }
}
