//! Committed offsets: fetch, delete, expire.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::OffsetCommitKey;
use ottla_protocol::messages::offset_delete::request::OffsetDeleteRequestTopic;
use ottla_protocol::messages::offset_delete::response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch::response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use ottla_protocol::types::Millis;
use ottla_protocol::wire::Uuid;

use super::commands::{Response, offset_delete_error, offset_fetch_error};
use super::records::GroupRecord;
use super::soft::{ClassicGroup, State};
use super::state::{CommittedOffset, GroupOffsets};
use super::{GroupMachine, Timer};
use crate::effects::{Effects, ReplyToken};

impl GroupMachine {
    pub(super) fn offset_fetch(
        &self,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
    ) -> Response {
        let group_id = request.group_id.as_str();
        if let Some(group) = self.hard.consumer_group(group_id)
            && let Err(error) = group.check_fetch(request)
        {
            return Response::OffsetFetch(offset_fetch_error(&request.group_id, error));
        }
        let mut topics: Vec<OffsetFetchResponseTopics> = match &request.topics {
            Some(topics) => topics
                .iter()
                .map(|topic| self.fetch_topic(group_id, topic))
                .collect(),
            None => self
                .hard
                .offsets(group_id)
                .map(all_topics)
                .unwrap_or_default(),
        };
        if require_stable {
            self.withhold_pending(group_id, &mut topics);
        }
        Response::OffsetFetch(OffsetFetchResponseGroup {
            group_id: request.group_id.clone(),
            topics,
            ..Default::default()
        })
    }

    /// Who wants stable offsets is to ask again where a transaction has sent one and is open.
    fn withhold_pending(&self, group_id: &str, topics: &mut [OffsetFetchResponseTopics]) {
        let pending = self.hard.pending();
        if !pending.has_group(group_id) {
            return;
        }
        for topic in topics {
            for partition in &mut topic.partitions {
                if pending.has(group_id, &topic.name, partition.partition_index) {
                    *partition = OffsetFetchResponsePartitions {
                        error_code: ErrorCode::UnstableOffsetCommit.code(),
                        ..fetched(partition.partition_index, None)
                    };
                }
            }
        }
    }

    fn fetch_topic(
        &self,
        group_id: &str,
        topic: &OffsetFetchRequestTopics,
    ) -> OffsetFetchResponseTopics {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let committed = self
                .hard
                .offset(group_id, &topic.name, *index)
                .filter(|committed| is_same_topic(committed.topic_id, topic.topic_id));
            fetched(*index, committed)
        });
        OffsetFetchResponseTopics {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        }
    }

    pub(super) fn offset_delete(
        &self,
        token: ReplyToken,
        request: &OffsetDeleteRequest,
        out: &mut Effects<Self>,
    ) {
        let group_id = request.group_id.as_str();
        if let Err(error) = self.check_offset_delete(group_id) {
            let response = offset_delete_error(error);
            out.reply(token, Response::OffsetDelete(response));
            return;
        }
        let mut records = Vec::new();
        let topics = request
            .topics
            .iter()
            .map(|topic| self.delete_topic_offsets(group_id, topic, &mut records));
        let response = OffsetDeleteResponse {
            topics: topics.collect(),
            ..Default::default()
        };
        out.append_then(records, vec![(token, Response::OffsetDelete(response))]);
    }

    fn check_offset_delete(&self, group_id: &str) -> Result<(), ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.hard.consumer_group(group_id).is_some() {
            return Ok(());
        }
        let group = self
            .soft
            .groups
            .get(group_id)
            .ok_or(ErrorCode::GroupIdNotFound)?;
        // What the members of another protocol type read can't be told, so nothing of theirs is taken away.
        if group.state != State::Empty && !group.uses_consumer_protocol() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        Ok(())
    }

    fn is_subscribed(&self, group_id: &str, topic: &str) -> bool {
        if let Some(group) = self.hard.consumer_group(group_id) {
            return group.is_subscribed_to(topic);
        }
        let group = self.soft.groups.get(group_id);
        group.is_some_and(|group| group.is_subscribed_to(topic))
    }

    /// Committed, or sent by an open transaction.
    fn has_offset(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        self.hard.offset(group_id, topic, partition).is_some()
            || self.hard.pending().has(group_id, topic, partition)
    }

    fn delete_topic_offsets(
        &self,
        group_id: &str,
        topic: &OffsetDeleteRequestTopic,
        records: &mut Vec<GroupRecord>,
    ) -> OffsetDeleteResponseTopic {
        let error = if self.is_subscribed(group_id, &topic.name) {
            ErrorCode::GroupSubscribedToTopic
        } else {
            ErrorCode::None
        };
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            if error.is_none() && self.has_offset(group_id, &topic.name, index) {
                records.push(offset_tombstone(group_id, &topic.name, index));
            }
            OffsetDeleteResponsePartition {
                partition_index: index,
                error_code: error.code(),
                ..Default::default()
            }
        });
        OffsetDeleteResponseTopic {
            name: topic.name.clone(),
            partitions: partitions.collect(),
            ..Default::default()
        }
    }

    /// Offsets of topics that are no more would be found again by topics of the same names. What was committed for
    /// such a namesake meanwhile stays.
    pub(super) fn topics_deleted(
        &self,
        token: ReplyToken,
        topics: &[(String, Uuid)],
        out: &mut Effects<Self>,
    ) {
        let mut records = Vec::new();
        for (group_id, offsets) in self.hard.all_offsets() {
            for (topic, topic_id) in topics {
                let partitions = offsets.get(topic).into_iter().flatten();
                let gone = partitions
                    .filter(|(_, committed)| is_same_topic(committed.topic_id, *topic_id))
                    .map(|(index, _)| offset_tombstone(group_id, topic, *index));
                records.extend(gone);
            }
        }
        let names: BTreeMap<&str, Uuid> = topics
            .iter()
            .map(|(name, topic_id)| (name.as_str(), *topic_id))
            .collect();
        for group_id in self.hard.pending().groups() {
            for (topic, index, mut sent) in self.hard.pending().of_group(group_id) {
                if let Some(topic_id) = names.get(topic)
                    && sent.any(|offset| is_same_topic(offset.topic_id, *topic_id))
                {
                    records.push(offset_tombstone(group_id, topic, index));
                }
            }
        }
        out.append_then(records, vec![(token, Response::TopicsDeleted)]);
    }

    /// Tombstones for all offsets of a group.
    pub(super) fn all_offset_tombstones(&self, group_id: &str) -> Vec<GroupRecord> {
        let mut records = Vec::new();
        for (topic, partitions) in self.hard.offsets(group_id).into_iter().flatten() {
            for index in partitions.keys() {
                records.push(offset_tombstone(group_id, topic, *index));
            }
        }
        for (topic, index, _) in self.hard.pending().of_group(group_id) {
            if self.hard.offset(group_id, topic, index).is_none() {
                records.push(offset_tombstone(group_id, topic, index));
            }
        }
        records
    }

    pub(super) fn arm_offset_expiry(&self, now: Millis, out: &mut Effects<Self>) {
        let interval = Millis(self.settings.offsets_retention_check_interval_ms.max(1));
        out.arm(Timer::ExpireOffsets, now.plus(interval));
    }

    /// Drops expired offsets, and empty groups that have none left. A group goes in one batch.
    pub(super) fn expire_offsets(&self, now: Millis, out: &mut Effects<Self>) {
        let classic = self.soft.groups.keys().map(String::as_str);
        let consumer = self.hard.consumer_groups().map(|(group_id, _)| group_id);
        for group_id in classic.chain(consumer) {
            let mut records = self.expired_offsets(now, group_id);
            let all: usize = self
                .hard
                .offsets(group_id)
                .map_or(0, |topics| topics.values().map(BTreeMap::len).sum());
            let classic = self.soft.groups.get(group_id);
            let is_awaited = classic.is_some_and(|group| !group.pending_join.is_empty())
                || self.hard.pending().has_group(group_id);
            if records.len() == all
                && !is_awaited
                && let Ok(tombstones) = self.tombstones(group_id)
            {
                records.extend(tombstones);
            }
            out.append(records);
        }
        self.arm_offset_expiry(now, out);
    }

    fn expired_offsets(&self, now: Millis, group_id: &str) -> Vec<GroupRecord> {
        let mut records = Vec::new();
        let clock = match self.soft.groups.get(group_id) {
            Some(group) => group.expiry_clock(),
            // A consumer group tells by its subscriptions what it may still want.
            None => Some(ExpiryClock::SinceCommit),
        };
        let Some(clock) = clock else {
            return records;
        };
        for (topic, partitions) in self.hard.offsets(group_id).into_iter().flatten() {
            if self.is_subscribed(group_id, topic) {
                continue;
            }
            for (index, committed) in partitions {
                if self.is_expired(now, clock, committed)
                    && !self.hard.pending().has(group_id, topic, *index)
                {
                    records.push(offset_tombstone(group_id, topic, *index));
                }
            }
        }
        records
    }

    fn is_expired(&self, now: Millis, clock: ExpiryClock, committed: &CommittedOffset) -> bool {
        if let Some(expire_time) = committed.expire_time {
            return now >= expire_time;
        }
        let since = match clock {
            ExpiryClock::SinceCommit => committed.commit_time,
            ExpiryClock::SinceEmpty(since) => since.unwrap_or(committed.commit_time),
        };
        now.0.saturating_sub(since.0) >= self.settings.offsets_retention_ms
    }
}

/// From when on an offset's retention counts.
#[derive(Clone, Copy)]
enum ExpiryClock {
    SinceCommit,
    SinceEmpty(Option<Millis>),
}

impl ClassicGroup {
    /// None where nothing expires: the group may come back to what it has committed (KIP-211).
    fn expiry_clock(&self) -> Option<ExpiryClock> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(ExpiryClock::SinceCommit),
            (Some(_), State::Empty) => Some(ExpiryClock::SinceEmpty(self.state_since)),
            (Some(_), State::Stable) if self.subscribed_topics.is_some() => {
                Some(ExpiryClock::SinceCommit)
            }
            _ => None,
        }
    }
}

fn offset_tombstone(group_id: &str, topic: &str, partition: i32) -> GroupRecord {
    GroupRecord::OffsetCommit {
        key: OffsetCommitKey {
            group: group_id.into(),
            topic: topic.into(),
            partition,
            ..Default::default()
        },
        value: None,
    }
}

/// An offset of a topic that was deleted does not belong to its namesake. Where either id is not known, names count.
fn is_same_topic(committed: Uuid, asked: Uuid) -> bool {
    committed.is_zero() || asked.is_zero() || committed == asked
}

fn all_topics(offsets: &GroupOffsets) -> Vec<OffsetFetchResponseTopics> {
    offsets
        .iter()
        .map(|(topic, partitions)| OffsetFetchResponseTopics {
            name: topic.into(),
            partitions: partitions
                .iter()
                .map(|(index, committed)| fetched(*index, Some(committed)))
                .collect(),
            ..Default::default()
        })
        .collect()
}

fn fetched(
    partition_index: i32,
    committed: Option<&CommittedOffset>,
) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: committed.map_or(-1, |committed| committed.offset),
        committed_leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: Some(
            committed
                .map(|committed| committed.metadata.as_str().into())
                .unwrap_or_default(),
        ),
        ..Default::default()
    }
}
