//! Logs of which a power cut has taken a batch and left a later one.

use ottla_coordination::Loading;
use ottla_coordination::group::{Change, ConsumerRecord, GroupMachine, GroupRecord, Settings};
use ottla_protocol::messages::internal::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMetadataValue,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use ottla_protocol::types::{Millis, Offset};

use crate::support::MemoryLog;

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

/// The group's epoch once it is in service.
fn loaded(changes: Vec<Change>) -> i32 {
    let mut loading = Loading::new(GroupMachine::new(Settings::default()));
    let mut log = MemoryLog::default();
    for change in changes {
        let record = GroupRecord::Consumer(ConsumerRecord {
            group_id: "g".to_owned(),
            change,
        });
        loading.load(log.end(), &record);
        log.records.push(record);
    }
    let end = log.end();
    let host = loading.finish(Millis(0), end, end, &mut log);
    assert!(host.end() >= end && end > Offset(0));
    let hard = host.machine().hard();
    hard.consumer_group("g").expect("loaded").epochs().0
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
