//! DescribeGroups, ListGroups and DeleteGroups.

use std::collections::BTreeSet;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::delete_groups::response::DeletableGroupResult;
use ottla_protocol::messages::describe_groups::response::DescribedGroup;
use ottla_protocol::messages::list_groups::response::ListedGroup;
use ottla_protocol::wire::StrBytes;

use super::GroupMachine;
use super::commands::{Response, UnknownGroup};
use super::records::GroupRecord;
use super::soft::{ClassicGroup, State};
use crate::effects::{Effects, ReplyToken};

/// The state that a group which is not there is shown in.
const DEAD: &str = "Dead";
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";

impl GroupMachine {
    pub(super) fn describe_groups(
        &self,
        group_ids: Vec<StrBytes>,
        unknown_group: UnknownGroup,
    ) -> Response {
        let described = group_ids.into_iter().map(|group_id| {
            if let Some(group) = self.soft.groups.get(group_id.as_str()) {
                return group.described(group_id);
            }
            let message = if self.hard.consumer_group(&group_id).is_some() {
                format!("Group {group_id} is not a classic group.")
            } else {
                format!("Group {group_id} not found.")
            };
            unknown(group_id, unknown_group, message)
        });
        Response::DescribeGroups(described.collect())
    }

    pub(super) fn list_groups(
        &self,
        states_filter: &[StrBytes],
        types_filter: &[StrBytes],
    ) -> Response {
        let normal = |filter: &[StrBytes]| -> BTreeSet<String> {
            filter
                .iter()
                .map(|name| name.trim().to_lowercase())
                .collect()
        };
        let (states, types) = (normal(states_filter), normal(types_filter));
        let classic = self.soft.groups.values().map(|group| ListedGroup {
            group_id: group.id.as_str().into(),
            protocol_type: group.protocol_type.as_deref().unwrap_or_default().into(),
            group_state: StrBytes::from_static(group.state.name()),
            group_type: StrBytes::from_static(CLASSIC),
            ..Default::default()
        });
        let consumer = self
            .hard
            .consumer_groups()
            .map(|(group_id, group)| ListedGroup {
                group_id: group_id.into(),
                protocol_type: StrBytes::from_static(CONSUMER),
                group_state: StrBytes::from_static(group.state().name()),
                group_type: StrBytes::from_static(CONSUMER),
                ..Default::default()
            });
        let is_wanted = |group: &ListedGroup| {
            (states.is_empty() || states.contains(&group.group_state.to_lowercase()))
                && (types.is_empty() || types.contains(group.group_type.as_str()))
        };
        Response::ListGroups(classic.chain(consumer).filter(is_wanted).collect())
    }

    pub(super) fn delete_groups(
        &self,
        token: ReplyToken,
        group_ids: Vec<StrBytes>,
        out: &mut Effects<Self>,
    ) {
        let mut records = Vec::new();
        let results = group_ids.into_iter().map(|group_id| {
            let error = match self.tombstones(&group_id) {
                Ok(tombstones) => {
                    records.extend(self.all_offset_tombstones(&group_id));
                    records.extend(tombstones);
                    ErrorCode::None
                }
                Err(error) => error,
            };
            DeletableGroupResult {
                group_id,
                error_code: error.code(),
                ..Default::default()
            }
        });
        let response = Response::DeleteGroups(results.collect());
        out.append_then(records, vec![(token, response)]);
    }
}

impl GroupMachine {
    /// What ends a group, if nobody is in it.
    pub(super) fn tombstones(&self, group_id: &str) -> Result<Vec<GroupRecord>, ErrorCode> {
        if let Some(group) = self.hard.consumer_group(group_id) {
            return if group.is_empty() {
                Ok(group.tombstones(group_id))
            } else {
                Err(ErrorCode::NonEmptyGroup)
            };
        }
        match self.soft.groups.get(group_id) {
            None => Err(ErrorCode::GroupIdNotFound),
            Some(group) if group.state != State::Empty => Err(ErrorCode::NonEmptyGroup),
            Some(group) => Ok(vec![group.to_tombstone()]),
        }
    }
}

impl ClassicGroup {
    fn described(&self, group_id: StrBytes) -> DescribedGroup {
        // Before the group is stable the protocol is not settled, and so there is no metadata to show.
        let protocol = self
            .protocol
            .as_deref()
            .filter(|_| self.state == State::Stable);
        DescribedGroup {
            group_id,
            group_state: StrBytes::from_static(self.state.name()),
            protocol_type: self.protocol_type.as_deref().unwrap_or_default().into(),
            protocol_data: protocol.unwrap_or_default().into(),
            members: self
                .members
                .values()
                .map(|member| member.described(protocol))
                .collect(),
            ..Default::default()
        }
    }
}

fn unknown(group_id: StrBytes, unknown_group: UnknownGroup, message: String) -> DescribedGroup {
    let (error, message) = match unknown_group {
        UnknownGroup::Legacy => (ErrorCode::None, None),
        UnknownGroup::NotFound => (ErrorCode::GroupIdNotFound, Some(message.into())),
    };
    DescribedGroup {
        group_id,
        group_state: StrBytes::from_static(DEAD),
        error_code: error.code(),
        error_message: message,
        ..Default::default()
    }
}
