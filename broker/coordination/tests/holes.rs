//! Logs of which a power cut has taken a batch and left a later one.

use ottla_coordination::ReplyToken;
use ottla_coordination::group::{
    Change, ConsumerGroup, ConsumerRecord, GroupMachine, GroupRecord, Response, Settings,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ConsumerGroupHeartbeatRequest;
use ottla_protocol::messages::internal::consumer_group_current_member_assignment_value::TopicPartitions;
use ottla_protocol::messages::internal::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMetadataValue,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Uuid;

use crate::support::{MemoryLog, check_replay, consumer_heartbeat, load};

fn group(epoch: i32) -> Change {
    Change::Group(Some(ConsumerGroupMetadataValue {
        epoch,
        ..Default::default()
    }))
}

fn target(assignment_epoch: i32) -> Change {
    Change::TargetEpoch(Some(ConsumerGroupTargetAssignmentMetadataValue {
        assignment_epoch,
        ..Default::default()
    }))
}

fn member(member_epoch: i32) -> Change {
    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch,
        ..Default::default()
    };
    Change::Current("m".to_owned(), Some(value))
}

/// A member that owns partitions of the one topic, and some that it has been told to give up.
fn owner(id: &str, member_epoch: i32, owned: &[i32], pending_revocation: &[i32]) -> Change {
    let partitions = |partitions: &[i32]| {
        vec![TopicPartitions {
            topic_id: Uuid([7; 16]),
            partitions: partitions.to_vec(),
            ..Default::default()
        }]
    };
    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch,
        state: i8::from(!pending_revocation.is_empty()),
        assigned_partitions: partitions(owned),
        partitions_pending_revocation: partitions(pending_revocation),
        ..Default::default()
    };
    Change::Current(id.to_owned(), Some(value))
}

fn log_of(changes: Vec<Change>) -> MemoryLog<GroupRecord> {
    let mut log = MemoryLog::default();
    log.records.extend(changes.into_iter().map(|change| {
        GroupRecord::Consumer(ConsumerRecord {
            group_id: "g".to_owned(),
            change,
        })
    }));
    log
}

/// The group once it is in service.
fn in_service(changes: Vec<Change>) -> ConsumerGroup {
    let mut log = log_of(changes);
    let end = log.end();
    let settings = Settings::default();
    let host = load(GroupMachine::new(settings.clone()), Millis(0), &mut log);
    assert!(host.end() >= end && end > Offset(0));
    let hard = host.machine().hard();
    check_replay(&settings, &log.records, hard);
    hard.consumer_group("g").expect("loaded").clone()
}

/// The group's epoch then.
fn loaded(changes: Vec<Change>) -> i32 {
    in_service(changes).epochs().0
}

/// The group's epoch then, its members, and who owns which partition.
fn mended(changes: Vec<Change>) -> (i32, Vec<String>, Vec<(i32, String)>) {
    let group = in_service(changes);
    let (epoch, _, members) = group.epochs();
    let members = members.map(|(id, _)| id.to_owned()).collect();
    let owners = group.owners();
    let owners = owners.map(|(_, partition, id)| (partition, id.to_owned()));
    (epoch, members, owners.collect())
}

#[test]
fn a_group_that_its_target_or_a_member_is_ahead_of_begins_a_new_epoch() {
    assert_eq!(loaded(vec![group(6), target(7), member(5)]), 8);
    assert_eq!(loaded(vec![group(6), target(6), member(7)]), 8);
    assert_eq!(loaded(vec![group(7), target(6), member(7)]), 8);
}

#[test]
fn a_group_whose_log_is_whole_stays_in_its_epoch() {
    assert_eq!(loaded(vec![group(7), target(7), member(7)]), 7);
    assert_eq!(loaded(vec![group(7), target(6), member(5)]), 7);
    assert_eq!(loaded(vec![group(7), target(7), member(-2)]), 7);
}

/// The batch that took the release is lost, the one that gave the partition to the next is not.
#[test]
fn members_that_share_a_partition_for_a_lost_release_join_anew() {
    let (epoch, members, owners) = mended(vec![
        group(7),
        target(7),
        owner("a", 6, &[0], &[1]),
        owner("b", 7, &[1, 2], &[]),
        owner("c", 7, &[3], &[]),
    ]);
    assert_eq!(epoch, 8);
    assert_eq!(members, ["c"]);
    assert_eq!(owners, [(3, "c".to_owned())]);
}

/// The batch that put the owner out is lost, and with it the epoch that it began.
#[test]
fn members_that_share_a_partition_for_a_lost_removal_join_anew() {
    let (epoch, members, owners) = mended(vec![
        group(6),
        owner("a", 6, &[0, 1], &[]),
        target(7),
        owner("b", 7, &[1], &[]),
        owner("c", 6, &[2], &[]),
    ]);
    assert_eq!(epoch, 8, "later than anything that is on the log");
    assert_eq!(members, ["c"]);
    assert_eq!(owners, [(2, "c".to_owned())]);
}

#[test]
fn members_that_share_nothing_keep_what_they_own() {
    let (epoch, members, owners) = mended(vec![
        group(7),
        target(7),
        owner("a", 6, &[0], &[1]),
        owner("b", 7, &[2], &[]),
    ]);
    assert_eq!(epoch, 7);
    assert_eq!(members, ["a", "b"]);
    assert_eq!(owners.len(), 3);
}

/// A disk that is full takes nothing; what a power cut has left must not be told for that.
#[test]
fn a_group_that_the_log_refuses_to_mend_is_mended_before_anybody_hears_of_it() {
    let mut log = log_of(vec![
        group(7),
        target(7),
        owner("a", 7, &[0], &[]),
        owner("b", 7, &[0], &[]),
        owner("c", 7, &[3], &[]),
    ]);
    let full = Some(ErrorCode::KafkaStorageError);
    log.refuse_next = full;
    let machine = GroupMachine::new(Settings::default());
    let mut host = load(machine, Millis(0), &mut log);
    let mut answer = |log: &mut MemoryLog<_>, member_id: &str, token| {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: member_id.into(),
            member_epoch: 7,
            rebalance_timeout_ms: -1,
            ..Default::default()
        };
        let command = consumer_heartbeat(request);
        host.handle(Millis(0), ReplyToken(token), command, log);
        host.committed(log.end());
        match host.take_answers().as_slice() {
            [(_, Ok(Response::ConsumerGroupHeartbeat(answer)))] => {
                ErrorCode::from_code(answer.error_code)
            }
            other => panic!("{other:?}"),
        }
    };
    log.refuse_next = full;
    assert_eq!(
        answer(&mut log, "b", 1),
        ErrorCode::CoordinatorLoadInProgress
    );
    assert_eq!(
        answer(&mut log, "c", 2),
        ErrorCode::CoordinatorLoadInProgress
    );
    assert_eq!(answer(&mut log, "b", 3), ErrorCode::UnknownMemberId);
    assert_eq!(answer(&mut log, "c", 4), ErrorCode::None);
}
