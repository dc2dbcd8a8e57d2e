//! Who may commit and fetch offsets of a consumer group.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::offset_commit::request::OffsetCommitRequestPartition;
use ottla_protocol::messages::offset_fetch::request::OffsetFetchRequestGroup;

use super::group::ConsumerGroup;
use super::member::ConsumerMember;
use crate::group::commands::UnknownGroup;
use crate::group::topics::Topics;

impl ConsumerGroup {
    /// A member commits in its epoch. In an older one it may where it has owned the partition ever since: it has not
    /// heard of the new epoch yet (KIP-1251). Partitions that are refused for something else do not count.
    pub(in crate::group) fn check_commit(
        &self,
        request: &OffsetCommitRequest,
        unknown_group: UnknownGroup,
        topics: &Topics,
        is_refused: impl Fn(&OffsetCommitRequestPartition) -> bool,
    ) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self
            .members
            .get(request.member_id.as_str())
            .ok_or(ErrorCode::UnknownMemberId)?;
        // Versions that know no GROUP_ID_NOT_FOUND know no member epochs.
        if member.classic.is_none() && unknown_group == UnknownGroup::Legacy {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if epoch == member.epoch {
            return Ok(());
        }
        if epoch > member.epoch {
            return Err(member.wrong_epoch());
        }
        for topic in &request.topics {
            let topic_id = match topic.topic_id {
                id if id.is_zero() => topics.id(&topic.name).unwrap_or_default(),
                id => id,
            };
            for partition in topic.partitions.iter().filter(|one| !is_refused(one)) {
                let since = member.assignment_epoch(topic_id, partition.partition_index);
                if since.is_none_or(|since| epoch < since) {
                    return Err(member.wrong_epoch());
                }
            }
        }
        Ok(())
    }

    /// Whoever names no member may read, as the admin client does.
    pub(in crate::group) fn check_fetch(
        &self,
        request: &OffsetFetchRequestGroup,
    ) -> Result<(), ErrorCode> {
        let epoch = request.member_epoch;
        let Some(member_id) = request.member_id.as_deref() else {
            return if epoch < 0 {
                Ok(())
            } else {
                Err(ErrorCode::UnknownMemberId)
            };
        };
        let member = self
            .members
            .get(member_id)
            .ok_or(ErrorCode::UnknownMemberId)?;
        if epoch == member.epoch {
            Ok(())
        } else {
            Err(member.wrong_epoch())
        }
    }
}

impl ConsumerMember {
    fn wrong_epoch(&self) -> ErrorCode {
        if self.classic.is_some() {
            ErrorCode::IllegalGeneration
        } else {
            ErrorCode::StaleMemberEpoch
        }
    }
}
