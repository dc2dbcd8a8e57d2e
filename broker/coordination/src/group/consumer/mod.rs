//! Consumer groups: the protocol of KIP-848, in which the broker assigns and each member is brought to its part of the
//! assignment step by step, with heartbeats.
//!
//! Owns: membership, the epochs of group, target assignment and members, reconciliation, regular expressions of
//! subscriptions, static members; members that speak the classic protocol, and how a group comes from one protocol to
//! the other with members in it.
//! Always: epochs only rise; a partition has at most one owner; what a member is told follows records that were written
//! with it. Hard is what the reference keeps in `__consumer_offsets`, and that is all but a few things: by when a
//! group looks at its topics again, whether its expressions are being resolved, and the deadlines of members.
//! Not here: how partitions are shared out (`assignors`), and what topics there are (`topics`).

mod classic;
mod classic_join;
mod commit;
mod describe;
mod group;
mod heartbeat;
mod leave;
mod member;
mod metadata;
mod migration;
mod reconcile;
mod records;
mod regex;
mod settings;
mod step;
mod target;
mod timers;
mod validate;

use std::collections::BTreeSet;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ConsumerGroupHeartbeatRequest;
use ottla_protocol::types::Millis;

pub use group::ConsumerGroup;
pub use metadata::ClusterUpdate;
pub use records::{Change, ConsumerRecord};
pub use settings::{ConsumerSettings, GroupOverrides, MigrationPolicy};

/// A ConsumerGroupHeartbeat with what the connection knows.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeat {
    pub request: ConsumerGroupHeartbeatRequest,
    pub client_id: String,
    /// The peer's address as the reference prints it: `/127.0.0.1`.
    pub client_host: String,
    /// A member id never given before, for members that do not make one themselves: version 0.
    pub candidate_member_id: Option<String>,
}

/// Why a request is not granted, in the reference's words.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) error: ErrorCode,
    pub(super) message: String,
}

impl Refusal {
    fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error,
            message: message.into(),
        }
    }
}

/// What is not worth a record: it comes anew when the group is loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct ConsumerSoft {
    /// When the metadata of the group's topics is looked at again.
    refresh_at: Millis,
    /// The group's epoch that was decided on with `refresh_at`. Where it did not come to pass, the time does not count.
    refresh_epoch: i32,
    /// The group's expressions are about to be resolved.
    is_resolving: bool,
    /// Members of the classic protocol that were told to join again and have a deadline for it.
    rejoining: BTreeSet<String>,
}
