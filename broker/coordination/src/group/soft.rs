//! The soft state: groups as their members live them.
//!
//! Always: members and static members agree; the leader is a member; parked tokens belong to members. A group that is
//! in the hard state is here too once loading is over, so that its state can be told.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::{GroupMetadataKey, GroupMetadataValue};
use ottla_protocol::messages::join_group::response::JoinGroupResponseMember;
use ottla_protocol::messages::{ConsumerProtocolSubscription, Message};
use ottla_protocol::types::{Generation, Millis};
use ottla_protocol::wire::Reader;

use super::consumer::ConsumerSoft;
use super::embedded::CONSUMER;
use super::member::{Member, Protocol};
use super::members::Members;
use super::records::GroupRecord;
use super::state::{Hard, StoredGroup};

/// All live groups.
#[derive(Debug, Default)]
pub(super) struct Soft {
    pub(super) groups: BTreeMap<String, ClassicGroup>,
    pub(super) consumers: BTreeMap<String, ConsumerSoft>,
    /// Consumer groups whose log has a hole that the log has refused to mend. Nobody is told anything of them before.
    pub(super) torn: BTreeSet<String>,
    /// How far the metadata had come when there were new topics; none before anything is known of topics.
    pub(super) topics_version: Option<i64>,
    loaded: bool,
}

/// Where a group stands. A dead group is one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// How long an initial rebalance goes on waiting for more members.
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    pub(super) delay_ms: i32,
    pub(super) remaining_ms: i32,
}

#[derive(Debug)]
pub(super) struct ClassicGroup {
    pub(super) id: String,
    pub(super) state: State,
    pub(super) state_since: Option<Millis>,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) generation: Generation,
    pub(super) leader: Option<String>,
    pub(super) members: Members,
    /// Member ids by `group.instance.id`.
    pub(super) static_members: BTreeMap<String, String>,
    /// Members that have been told their id and have not come back with it.
    pub(super) pending_join: BTreeSet<String>,
    /// Members that have been told the generation and have not asked for their assignment.
    pub(super) pending_sync: BTreeSet<String>,
    /// Set while the group prepares its first rebalance since it was empty.
    pub(super) initial_delay: Option<InitialDelay>,
    pub(super) new_member_added: bool,
    /// A new id that was given to a static member and is not on the log yet, with the member as it was.
    pub(super) replaced: Option<(String, Member)>,
    /// What the members of a consumer group consume; none where that can't be told.
    pub(super) subscribed_topics: Option<BTreeSet<String>>,
}

impl Soft {
    /// Takes up every group of the hard state.
    pub(super) fn load(&mut self, hard: &Hard) {
        self.loaded = true;
        for (id, stored) in hard.groups() {
            self.groups
                .insert(id.to_owned(), ClassicGroup::from_stored(id, stored));
        }
    }

    /// Keeps up with a record that was just applied: groups come and go here as they do there.
    pub(super) fn follow(&mut self, hard: &Hard, record: &GroupRecord) {
        if !self.loaded {
            return;
        }
        let Some(id) = record.group_id() else {
            return;
        };
        // The end of a classic group may come with the begin of a consumer group, which is here already.
        let ends_classic = matches!(record, GroupRecord::GroupMetadata { value: None, .. });
        if hard.consumer_group(id).is_none() && !ends_classic {
            self.consumers.remove(id);
        }
        if matches!(record, GroupRecord::Consumer(_)) {
            // A consumer group follows the record that ends the classic one, or ends with the record that begins it; then
            // the classic group is here already.
            return;
        }
        match hard.group(id) {
            None => {
                self.groups.remove(id);
            }
            Some(stored) if !self.groups.contains_key(id) => {
                self.groups
                    .insert(id.to_owned(), ClassicGroup::from_stored(id, stored));
            }
            Some(_) => {
                if let Some(group) = self.groups.get_mut(id) {
                    group.replaced = None;
                }
            }
        }
    }
}

impl ClassicGroup {
    pub(super) fn new(id: &str, now: Millis) -> Self {
        Self {
            id: id.to_owned(),
            state: State::Empty,
            state_since: Some(now),
            protocol_type: None,
            protocol: None,
            generation: Generation(0),
            leader: None,
            members: Members::default(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            initial_delay: None,
            new_member_added: false,
            replaced: None,
            subscribed_topics: None,
        }
    }

    pub(super) fn from_stored(id: &str, stored: &StoredGroup) -> Self {
        let protocol = stored.protocol.as_deref();
        let members = stored.members.iter();
        let members: Members = members
            .map(|member| Member::from_stored(member, protocol))
            .collect();
        let static_members = members
            .values()
            .filter_map(|member| Some((member.group_instance_id.clone()?, member.id.clone())))
            .collect();
        let mut group = Self {
            state: if members.is_empty() {
                State::Empty
            } else {
                State::Stable
            },
            state_since: stored.state_since,
            protocol_type: stored.protocol_type.clone(),
            protocol: stored.protocol.clone(),
            generation: stored.generation,
            leader: stored.leader.clone(),
            members,
            static_members,
            ..Self::new(id, Millis(0))
        };
        group.subscribed_topics = group.find_subscribed_topics();
        group
    }

    pub(super) fn transition(&mut self, now: Millis, state: State) {
        let is_valid = match state {
            State::Empty | State::CompletingRebalance => self.state == State::PreparingRebalance,
            State::PreparingRebalance => self.state != State::PreparingRebalance,
            State::Stable => self.state == State::CompletingRebalance,
        };
        assert!(
            is_valid,
            "group {} from {:?} to {state:?}",
            self.id, self.state
        );
        self.state = state;
        self.state_since = Some(now);
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.have_all_joined()
    }

    /// The longest that any member asks for.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members
            .values()
            .map(|member| member.rebalance_timeout_ms)
            .max()
            .unwrap_or(0)
            .max(0)
    }

    /// Whether a member of this type with these protocols fits in with the others.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|protocol| self.members.all_support(&protocol.name))
    }

    /// The protocol with the most votes; each member votes for its first choice among those that all can do.
    pub(super) fn elect_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member
                .protocols
                .iter()
                .find(|protocol| self.members.all_support(&protocol.name))?;
            *votes.entry(&choice.name).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        let winner = votes.into_iter().find(|(_, count)| *count == most);
        winner.map(|(protocol, _)| protocol.to_owned())
    }

    /// A request by a member that should be known: is it, and is it the one that holds its `group.instance.id`?
    pub(super) fn validate_member(
        &self,
        member_id: &str,
        group_instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(holder) if holder != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(member_id) {
            return Err(ErrorCode::UnknownMemberId);
        }
        Ok(())
    }

    /// Takes a member in; the first one leads and sets the protocol type.
    pub(super) fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance_id) = &member.group_instance_id {
            let holder = self
                .static_members
                .insert(instance_id.clone(), member.id.clone());
            assert!(holder.is_none(), "{instance_id} is a member already");
        }
        self.pending_join.remove(&member.id);
        self.leader.get_or_insert_with(|| member.id.clone());
        self.members.insert(member);
    }

    /// Takes a member out, whatever its standing; the lead passes on.
    pub(super) fn remove(&mut self, member_id: &str) -> Option<Member> {
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        let member = self.members.remove(member_id);
        if let Some(instance_id) = member
            .as_ref()
            .and_then(|member| member.group_instance_id.as_ref())
        {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        member
    }

    /// What the leader is told of all members.
    pub(super) fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        self.members
            .values()
            .map(|member| member.for_leader(self.protocol.as_deref()))
            .collect()
    }

    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Reads the members' subscriptions where they are consumers'.
    pub(super) fn find_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_deref();
        protocol?;
        for member in self.members.values() {
            topics.extend(subscribed_topics(member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// The group as it goes to the log.
    pub(super) fn to_record(&self) -> GroupRecord {
        let protocol = self.protocol.as_deref();
        GroupRecord::GroupMetadata {
            key: self.key(),
            value: Some(GroupMetadataValue {
                protocol_type: self.protocol_type.as_deref().unwrap_or_default().into(),
                generation: self.generation.0,
                protocol: protocol.map(Into::into),
                leader: self.leader.as_deref().map(Into::into),
                current_state_timestamp: self.state_since.map_or(-1, |since| since.0),
                members: self
                    .members
                    .values()
                    .map(|member| member.to_record(protocol))
                    .collect(),
                ..Default::default()
            }),
        }
    }

    /// A group that has no generation yet, so that it exists at all.
    pub(super) fn to_empty_record(&self) -> GroupRecord {
        GroupRecord::GroupMetadata {
            key: self.key(),
            value: Some(GroupMetadataValue {
                protocol: None,
                leader: None,
                current_state_timestamp: self.state_since.map_or(-1, |since| since.0),
                ..Default::default()
            }),
        }
    }

    /// The record that ends the group.
    pub(super) fn to_tombstone(&self) -> GroupRecord {
        GroupRecord::GroupMetadata {
            key: self.key(),
            value: None,
        }
    }

    fn key(&self) -> GroupMetadataKey {
        GroupMetadataKey {
            group: self.id.as_str().into(),
            ..Default::default()
        }
    }
}

/// The topics of one consumer's subscription. Every version begins as version 0 does, and no more is read.
fn subscribed_topics(metadata: Bytes) -> Option<Vec<String>> {
    let mut reader = Reader::new(metadata);
    reader.i16("version").ok()?;
    let subscription = ConsumerProtocolSubscription::decode(&mut reader, 0).ok()?;
    Some(
        subscription
            .topics
            .iter()
            .map(ToString::to_string)
            .collect(),
    )
}
