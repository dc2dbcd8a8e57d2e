//! One member of a classic group.

use bytes::Bytes;
use ottla_protocol::messages::describe_groups::response::DescribedGroupMember;
use ottla_protocol::messages::internal::group_metadata_value::MemberMetadata;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::join_group::response::JoinGroupResponseMember;

use super::state::StoredMember;
use crate::effects::ReplyToken;

/// A way of assigning that a member offers, with what it has to tell the leader for that way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) name: String,
    pub(super) metadata: Bytes,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) group_instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// In the member's order of preference.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// A JoinGroup that waits for the join phase to end.
    pub(super) awaiting_join: Option<ReplyToken>,
    /// A SyncGroup that waits for the leader's.
    pub(super) awaiting_sync: Option<ReplyToken>,
    /// A member that does not know its id yet sends no heartbeats; its wait has a limit of its own.
    pub(super) is_new: bool,
}

impl Member {
    /// A member as the log remembers it: with the one protocol that was chosen.
    pub(super) fn from_stored(stored: &StoredMember, protocol: Option<&str>) -> Self {
        Self {
            id: stored.member_id.clone(),
            group_instance_id: stored.group_instance_id.clone(),
            client_id: stored.client_id.clone(),
            client_host: stored.client_host.clone(),
            rebalance_timeout_ms: stored.rebalance_timeout_ms,
            session_timeout_ms: stored.session_timeout_ms,
            protocols: vec![Protocol {
                name: protocol.unwrap_or_default().to_owned(),
                metadata: stored.subscription.clone(),
            }],
            assignment: stored.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(super) fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    /// What the member tells the leader for this protocol.
    pub(super) fn metadata(&self, protocol: Option<&str>) -> Bytes {
        self.protocols
            .iter()
            .find(|offered| Some(offered.name.as_str()) == protocol)
            .map(|offered| offered.metadata.clone())
            .unwrap_or_default()
    }

    /// A waiting request is as good as a heartbeat, but for members that can't send any.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    pub(super) fn for_leader(&self, protocol: Option<&str>) -> JoinGroupResponseMember {
        JoinGroupResponseMember {
            member_id: self.id.as_str().into(),
            group_instance_id: self.group_instance_id.as_deref().map(Into::into),
            metadata: self.metadata(protocol),
            ..Default::default()
        }
    }

    /// Without a protocol chosen there is no metadata to show.
    pub(super) fn described(&self, protocol: Option<&str>) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: self.id.as_str().into(),
            group_instance_id: self.group_instance_id.as_deref().map(Into::into),
            client_id: self.client_id.as_str().into(),
            client_host: self.client_host.as_str().into(),
            member_metadata: self.metadata(protocol),
            member_assignment: self.assignment.clone(),
            ..Default::default()
        }
    }

    pub(super) fn to_record(&self, protocol: Option<&str>) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.as_str().into(),
            group_instance_id: self.group_instance_id.as_deref().map(Into::into),
            client_id: self.client_id.as_str().into(),
            client_host: self.client_host.as_str().into(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment: self.assignment.clone(),
            ..Default::default()
        }
    }
}

/// Copies: the group keeps them far longer than the frame they came in.
pub(super) fn offered_protocols(protocols: &[JoinGroupRequestProtocol]) -> Vec<Protocol> {
    protocols
        .iter()
        .map(|protocol| Protocol {
            name: protocol.name.to_string(),
            metadata: Bytes::copy_from_slice(&protocol.metadata),
        })
        .collect()
}
