//! ConsumerGroupDescribe, and what DeleteGroups writes for a consumer group.

use std::collections::BTreeMap;

use ottla_protocol::messages::consumer_group_describe::response::{
    Assignment as DescribedAssignment, DescribedGroup, Member, TopicPartitions,
};
use ottla_protocol::wire::{StrBytes, Uuid};

use super::group::ConsumerGroup;
use super::member::ConsumerMember;
use super::records::{Change, Records};
use super::target::preferred_assignor;
use crate::group::GroupMachine;
use crate::group::assignors::Assignment;
use crate::group::commands::Response;
use crate::group::records::GroupRecord;
use crate::group::topics::Topics;

/// How a member takes part, as the response tells it.
const CLASSIC_PROTOCOL: i8 = 0;
const CONSUMER_PROTOCOL: i8 = 1;

impl GroupMachine {
    pub(in crate::group) fn describe_consumer_groups(&self, group_ids: Vec<StrBytes>) -> Response {
        let described =
            group_ids
                .into_iter()
                .map(|group_id| match self.known_consumer_group(&group_id) {
                    Ok(group) => self.described(group_id, group),
                    Err(refusal) => DescribedGroup {
                        group_id,
                        error_code: refusal.error.code(),
                        error_message: Some(refusal.message.into()),
                        ..Default::default()
                    },
                });
        Response::ConsumerGroupDescribe(described.collect())
    }

    fn described(&self, group_id: StrBytes, group: &ConsumerGroup) -> DescribedGroup {
        let members = group.members.values();
        let assignor = match preferred_assignor(members.clone()) {
            Some(preferred) => preferred,
            None => self.assignor(members.clone()).name(),
        };
        let members = members.map(|member| self.described_member(group, member));
        DescribedGroup {
            group_id,
            group_state: StrBytes::from_static(group.state().name()),
            group_epoch: group.epoch,
            assignment_epoch: group.assignment_epoch,
            assignor_name: assignor.into(),
            members: members.collect(),
            ..Default::default()
        }
    }

    fn described_member(&self, group: &ConsumerGroup, member: &ConsumerMember) -> Member {
        let mut owned: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        // What a member is to give up it still answers for.
        for (topic_id, partitions) in member.assigned.iter().chain(&member.pending_revocation) {
            owned
                .entry(*topic_id)
                .or_default()
                .extend(partitions.keys());
        }
        let target = group
            .targets
            .get(&member.id)
            .into_iter()
            .flat_map(Assignment::iter);
        let target = target.map(|(id, partitions)| (*id, partitions.iter().copied().collect()));
        Member {
            member_id: member.id.as_str().into(),
            instance_id: member.instance_id.as_deref().map(Into::into),
            rack_id: member.rack_id.as_deref().map(Into::into),
            member_epoch: member.epoch,
            client_id: member.client_id.as_str().into(),
            client_host: member.client_host.as_str().into(),
            subscribed_topic_names: member
                .topics
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            subscribed_topic_regex: Some(member.regex.as_str().into()),
            assignment: named(&self.topics, owned),
            target_assignment: named(&self.topics, target),
            member_type: if member.classic.is_some() {
                CLASSIC_PROTOCOL
            } else {
                CONSUMER_PROTOCOL
            },
            ..Default::default()
        }
    }
}

/// Partitions with their topics' names; topics that are gone have none, and are left out.
fn named(
    topics: &Topics,
    partitions: impl IntoIterator<Item = (Uuid, Vec<i32>)>,
) -> DescribedAssignment {
    let named = partitions.into_iter().filter_map(|(topic_id, partitions)| {
        Some(TopicPartitions {
            topic_id,
            topic_name: topics.name(topic_id)?.into(),
            partitions,
            ..Default::default()
        })
    });
    DescribedAssignment {
        topic_partitions: named.collect(),
        ..Default::default()
    }
}

impl ConsumerGroup {
    /// What ends the group, in the reference's order.
    pub(in crate::group) fn tombstones(&self, group_id: &str) -> Vec<GroupRecord> {
        let ids: Vec<&str> = self.members.keys().map(String::as_str).collect();
        self.tombstones_of(group_id, &ids)
    }

    /// What ends the group where its members are these.
    pub(super) fn tombstones_of(&self, group_id: &str, ids: &[&str]) -> Vec<GroupRecord> {
        let mut records = Records::new(group_id);
        let ids = || ids.iter().map(|id| (*id).to_owned());
        ids().for_each(|id| records.push(Change::Current(id, None)));
        ids().for_each(|id| records.push(Change::Target(id, None)));
        records.push(Change::TargetEpoch(None));
        ids().for_each(|id| records.push(Change::Member(id, None)));
        self.regexes
            .keys()
            .for_each(|regex| records.regex_tombstone(regex));
        records.push(Change::SubscriptionMetadata(None));
        records.push(Change::Group(None));
        records.take()
    }
}
