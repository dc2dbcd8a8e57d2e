//! Groups and committed offsets: the machine behind one partition of `__consumer_offsets`.
//!
//! Owns: membership, rebalances, assignments as the leader sent them, committed offsets and their expiry.
//! Always: a generation never falls; a group has at most one member per `group.instance.id`; within a generation a
//! member has one assignment. What survives a failover is [`state::Hard`]: the last stable generation of each group
//! and its offsets. Everything else (parked joins, pending members, timers) is soft, and members rebuild it.
//! Not here: API versions, access checks, which partition a group belongs to on the wire (see [`partition_for`]).
//!
//! Terms and error codes are the reference's. The files here are the classic groups'; consumer groups have their own
//! (`consumer`). Share and streams groups would be others' business: a `Command` and a record type each.

pub mod assignors;
mod commands;
mod commit;
mod consumer;
mod describe;
mod embedded;
mod heartbeat;
mod join;
mod leave;
mod member;
mod members;
mod offsets;
mod pending;
mod rebalance;
mod records;
mod settings;
mod soft;
pub mod state;
mod sync;
pub mod topics;

use std::convert::Infallible;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, PartitionIndex};

use crate::effects::{Effects, ReplyToken};
use crate::machine::{Machine, coordinator_error};

pub use commands::{
    Command, JoinGroup, MemberIds, Response, UnknownGroup, consumer_group_describe_error,
    delete_groups_error, describe_groups_error, leave_group_error, offset_commit_error,
    offset_delete_error, offset_fetch_error,
};
pub use consumer::{
    Change, ClusterUpdate, ConsumerGroup, ConsumerHeartbeat, ConsumerRecord, ConsumerSettings,
    GroupOverrides, MigrationPolicy,
};
pub use records::{BatchKind, GroupRecord, RecordError, TransactionRecord};
pub(crate) use records::{versioned, with_number};
pub use settings::Settings;

use commit::Within;
use soft::{ClassicGroup, Soft};
use state::Hard;
use topics::Topics;

/// The groups of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct GroupMachine {
    settings: Settings,
    hard: Hard,
    soft: Soft,
    /// What the cluster's topics are, as far as the machine has been told.
    topics: Topics,
}

/// The machine's timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A member's session, or the time that a pending member has to come back.
    Heartbeat { group: String, member: String },
    /// The end of a rebalance's join phase.
    Join { group: String },
    /// The end of a rebalance's sync phase.
    Sync { group: String },
    /// The session of a consumer group's member.
    Session { group: String, member: String },
    /// The end of the time that a consumer group's member has to give partitions up.
    Revocation { group: String, member: String },
    /// The end of the time that a consumer group's member of the classic protocol has to join again.
    Rejoin { group: String, member: String },
    /// The end of the time that such a member has from joining to asking for its assignment.
    MemberSync { group: String, member: String },
    /// Finding out what a consumer group's regular expressions stand for; due at once.
    ResolveRegexes { group: String },
    /// The next look for expired offsets and empty groups.
    ExpireOffsets,
}

impl GroupMachine {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            hard: Hard::default(),
            soft: Soft::default(),
            topics: Topics::default(),
        }
    }

    /// Whether it is a consumer group with members, of either protocol.
    fn has_consumers(&self, group_id: &str) -> bool {
        let group = self.hard.consumer_group(group_id);
        group.is_some_and(|group| !group.is_empty())
    }

    /// What replaying the log gives.
    #[must_use]
    pub fn hard(&self) -> &Hard {
        &self.hard
    }
}

/// The partition of `__consumer_offsets` that a group belongs to: the absolute value of Java's string hash, modulo.
#[must_use]
pub fn partition_for(group_id: &str, partition_count: i32) -> PartitionIndex {
    let hash = group_id.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // As the reference does it: the one number without a positive counterpart becomes 0.
    let positive = if hash == i32::MIN { 0 } else { hash.abs() };
    PartitionIndex(positive % partition_count.max(1))
}

impl Machine for GroupMachine {
    type Command = Command;
    type Record = GroupRecord;
    type Response = Response;
    type Timer = Timer;
    type Errand = Infallible;

    fn handle(
        &mut self,
        now: Millis,
        token: ReplyToken,
        command: Command,
        out: &mut Effects<Self>,
    ) {
        match command {
            Command::JoinGroup(join) => self.join_group(now, token, &join, out),
            Command::SyncGroup(request) => self.sync_group(now, token, &request, out),
            Command::Heartbeat(request) => self.heartbeat(now, token, &request, out),
            Command::LeaveGroup(request) => self.leave_group(now, token, &request, out),
            Command::DescribeGroups {
                group_ids,
                unknown_group,
            } => out.reply(token, self.describe_groups(group_ids, unknown_group)),
            Command::ListGroups {
                states_filter,
                types_filter,
            } => out.reply(token, self.list_groups(&states_filter, &types_filter)),
            Command::DeleteGroups { group_ids } => self.delete_groups(token, group_ids, out),
            Command::OffsetCommit {
                request,
                unknown_group,
            } => self.offset_commit(now, token, &request, Within::Nothing(unknown_group), out),
            Command::TxnOffsetCommit {
                request,
                producer_id,
                producer_epoch,
            } => {
                let within = Within::Transaction {
                    producer_id,
                    producer_epoch,
                };
                self.offset_commit(now, token, &request, within, out);
            }
            Command::EndTransaction(end) => Self::end_transaction(token, end, out),
            Command::OffsetFetch {
                group,
                require_stable,
            } => out.reply(token, self.offset_fetch(&group, require_stable)),
            Command::OffsetDelete(request) => self.offset_delete(token, &request, out),
            Command::ConsumerGroupHeartbeat(heartbeat) => {
                self.consumer_heartbeat(now, token, &heartbeat, out);
            }
            Command::ConsumerGroupDescribe { group_ids } => {
                out.reply(token, self.describe_consumer_groups(group_ids));
            }
            Command::ClusterChanged(update) => self.cluster_changed(token, update, out),
            Command::TopicsDeleted { topics } => self.topics_deleted(token, &topics, out),
        }
    }

    fn on_timer(&mut self, now: Millis, timer: Timer, out: &mut Effects<Self>) {
        match timer {
            Timer::Heartbeat { group, member } => {
                self.with_group(now, &group, out, |group, cx| {
                    group.expire_member(cx, &member)
                });
            }
            Timer::Join { group } => {
                self.with_group(now, &group, out, ClassicGroup::join_phase_over);
            }
            Timer::Sync { group } => {
                self.with_group(now, &group, out, ClassicGroup::expire_pending_sync);
            }
            Timer::Session { group, member } => self.session_over(now, &group, &member, out),
            Timer::Revocation { group, member } => self.revocation_over(now, &group, &member, out),
            Timer::Rejoin { group, member } | Timer::MemberSync { group, member } => {
                self.rejoin_over(now, &group, &member, out);
            }
            Timer::ResolveRegexes { group } => self.resolve_regexes(now, &group, out),
            Timer::ExpireOffsets => self.expire_offsets(now, out),
        }
    }

    fn apply(&mut self, offset: Offset, record: &GroupRecord) {
        self.hard.apply(offset, record);
        self.soft.follow(&self.hard, record);
    }

    fn on_loaded(&mut self, now: Millis, out: &mut Effects<Self>) {
        self.restore(now, out);
    }

    fn on_append_failed(
        &mut self,
        now: Millis,
        records: &[GroupRecord],
        error: ErrorCode,
        out: &mut Effects<Self>,
    ) {
        self.take_back(now, records, Self::client_error(error), out);
    }

    fn client_error(error: ErrorCode) -> ErrorCode {
        coordinator_error(error)
    }
}
