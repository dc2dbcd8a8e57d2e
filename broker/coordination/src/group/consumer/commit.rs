//! Who may commit and fetch offsets of a consumer group.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::offset_fetch::request::OffsetFetchRequestGroup;
use ottla_protocol::wire::Uuid;

use super::group::ConsumerGroup;
use super::member::ConsumerMember;
use crate::group::commands::UnknownGroup;
use crate::group::commit::{Within, is_nobody};

impl ConsumerGroup {
    /// A member commits in its epoch. In an older one it may where it has owned the partition ever since: it has not
    /// heard of the new epoch yet (KIP-1251).
    pub(in crate::group) fn check_commit(
        &self,
        request: &OffsetCommitRequest,
        within: Within,
        places: impl Iterator<Item = (Uuid, i32)>,
    ) -> Result<(), ErrorCode> {
        self.check_epoch_of_commit(request, within, places)
            .map_err(|error| match error {
                // TxnOffsetCommit is older than the epochs of members.
                ErrorCode::StaleMemberEpoch if within.is_transaction() => {
                    ErrorCode::IllegalGeneration
                }
                error => error,
            })
    }

    fn check_epoch_of_commit(
        &self,
        request: &OffsetCommitRequest,
        within: Within,
        mut places: impl Iterator<Item = (Uuid, i32)>,
    ) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        // Before version 3 TxnOffsetCommit did not tell who asks.
        if within.is_transaction() && epoch == -1 && is_nobody(request) {
            return Ok(());
        }
        let member = self
            .members
            .get(request.member_id.as_str())
            .ok_or(ErrorCode::UnknownMemberId)?;
        // Versions that know no GROUP_ID_NOT_FOUND know no member epochs.
        if member.classic.is_none() && within == Within::Nothing(UnknownGroup::Legacy) {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if epoch == member.epoch {
            return Ok(());
        }
        if epoch > member.epoch {
            return Err(member.wrong_epoch());
        }
        let is_owned_since = |(topic_id, partition): (Uuid, i32)| {
            let since = member.assignment_epoch(topic_id, partition);
            since.is_some_and(|since| since <= epoch)
        };
        if places.all(is_owned_since) {
            Ok(())
        } else {
            Err(member.wrong_epoch())
        }
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
