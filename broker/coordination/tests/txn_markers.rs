//! Transactions of one partition: what their markers end, and where readers of committed records stop.

use ottla_coordination::txn::coordinator::TransactionVersion;
use ottla_coordination::txn::{
    CompletedTxn, Origin, ProducerBatch, ProducerStates, TxnMarker, Verdict, Verification,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

const CLIENT: Origin = Origin::Client(Verification::Waived);
const A: ProducerId = ProducerId(7);
const B: ProducerId = ProducerId(8);

/// One record of a transaction.
fn record(producer_id: ProducerId, epoch: i16, sequence: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id,
        producer_epoch: ProducerEpoch(epoch),
        first_sequence: sequence,
        last_sequence: sequence,
        offset_delta: 0,
        max_timestamp: Millis(1_000),
        is_transactional: true,
    }
}

fn marker(producer_id: ProducerId, epoch: i16, committed: bool) -> TxnMarker {
    TxnMarker {
        producer_id,
        producer_epoch: ProducerEpoch(epoch),
        committed,
        coordinator_epoch: 3,
        timestamp: Millis(2_000),
    }
}

fn completed(id: ProducerId, committed: bool, offsets: (i64, i64), stable: i64) -> CompletedTxn {
    CompletedTxn {
        producer_id: id,
        committed,
        first_offset: Offset(offsets.0),
        last_offset: Offset(offsets.1),
        last_stable_offset: Offset(stable),
    }
}

#[test]
fn a_marker_ends_the_transaction_of_its_producer_and_of_no_other() {
    let mut states = ProducerStates::default();
    states.apply(&record(A, 0, 0), Offset(10));
    states.apply(&record(B, 0, 0), Offset(11));
    states.apply(&record(A, 0, 1), Offset(12));
    let ended = states.apply_marker(&marker(A, 0, false), Offset(13));
    // B's is still open, from offset 11 on.
    assert_eq!(ended, Some(completed(A, false, (10, 13), 11)));
    let ended = states.apply_marker(&marker(B, 0, true), Offset(14));
    assert_eq!(ended, Some(completed(B, true, (11, 14), 15)));
    let again = states.apply_marker(&marker(B, 0, true), Offset(15));
    assert_eq!(again, None, "nothing was open");
}

#[test]
fn readers_of_committed_records_wait_until_the_marker_is_below_the_high_watermark() {
    let mut states = ProducerStates::default();
    states.apply(&record(A, 0, 0), Offset(10));
    states.apply(&record(B, 0, 0), Offset(12));
    states.apply_marker(&marker(A, 0, true), Offset(14));
    states.high_watermark_at(Offset(14));
    assert_eq!(states.first_unstable_offset(), Some(Offset(10)));
    states.high_watermark_at(Offset(15));
    assert_eq!(states.first_unstable_offset(), Some(Offset(12)), "B's");
    states.apply_marker(&marker(B, 0, true), Offset(15));
    states.high_watermark_at(Offset(16));
    assert_eq!(states.first_unstable_offset(), None);
}

#[test]
fn sequences_go_on_behind_a_marker_and_duplicates_are_still_known() {
    let mut states = ProducerStates::default();
    states.apply(&record(A, 0, 0), Offset(10));
    states.apply_marker(&marker(A, 0, true), Offset(11));
    assert_eq!(states.check(&record(A, 0, 1), CLIENT), Ok(Verdict::Append));
    let first = states.check(&record(A, 0, 0), CLIENT);
    assert!(matches!(first, Ok(Verdict::Duplicate(d)) if d.base_offset == Offset(10)));
    let gap = Err(ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(states.check(&record(A, 0, 2), CLIENT), gap);
}

/// KIP-890 and fencing: the marker itself carries the next epoch, in which sequences begin anew.
#[test]
fn a_marker_in_a_higher_epoch_begins_that_epoch() {
    let mut states = ProducerStates::default();
    states.apply(&record(A, 0, 0), Offset(10));
    states.apply_marker(&marker(A, 1, false), Offset(11));
    let fenced = Err(ErrorCode::InvalidProducerEpoch);
    assert_eq!(states.check(&record(A, 0, 1), CLIENT), fenced);
    assert_eq!(states.check(&record(A, 1, 0), CLIENT), Ok(Verdict::Append));
    let gap = Err(ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(states.check(&record(A, 1, 1), CLIENT), gap);
}

#[test]
fn a_producer_with_an_open_transaction_may_not_write_outside_of_it() {
    let mut states = ProducerStates::default();
    states.apply(&record(A, 0, 0), Offset(10));
    let outside = ProducerBatch {
        is_transactional: false,
        ..record(A, 0, 1)
    };
    assert_eq!(
        states.check(&outside, CLIENT),
        Err(ErrorCode::InvalidTxnState)
    );
    states.apply_marker(&marker(A, 0, true), Offset(11));
    assert_eq!(states.check(&outside, CLIENT), Ok(Verdict::Append));
}

#[test]
fn a_snapshot_keeps_open_transactions_and_producers_that_left_only_a_marker() {
    let mut states = ProducerStates::default();
    states.apply_marker(&marker(A, 4, false), Offset(10));
    states.apply(&record(B, 2, 0), Offset(11));
    let entries = states.to_snapshot();
    assert_eq!((entries[0].last_sequence, entries[0].last_offset), (-1, -1));
    assert_eq!((entries[0].epoch, entries[0].coordinator_epoch), (4, 3));
    assert_eq!(entries[1].current_txn_first_offset, 11);
    let mut restored = ProducerStates::from_snapshot(&entries);
    assert_eq!(restored.to_snapshot(), entries);
    assert_eq!(restored.first_unstable_offset(), Some(Offset(11)));
    assert_eq!(
        restored.check(&record(A, 4, 0), CLIENT),
        Ok(Verdict::Append)
    );
    let ended = restored.apply_marker(&marker(B, 2, false), Offset(12));
    assert_eq!(ended, Some(completed(B, false, (11, 12), 13)));
}

#[test]
fn a_marker_of_a_later_epoch_or_of_nobody_known_is_welcome() {
    let mut states = ProducerStates::default();
    for version in [TransactionVersion(0), TransactionVersion(2)] {
        assert_eq!(states.check_marker(&marker(A, 0, true), version), Ok(()));
    }
    states.apply(&record(A, 0, 0), Offset(10));
    for version in [TransactionVersion(0), TransactionVersion(2)] {
        assert_eq!(states.check_marker(&marker(A, 1, true), version), Ok(()));
    }
}

/// KIP-890: every transaction has its own epoch, so the marker of one before can't end this one.
#[test]
fn a_late_marker_does_not_end_the_next_transaction() {
    let late = Err(ErrorCode::InvalidProducerEpoch);
    let mut states = ProducerStates::default();
    states.apply(&record(A, 4, 0), Offset(10));
    let (old, new) = (TransactionVersion(0), TransactionVersion(2));
    assert_eq!(states.check_marker(&marker(A, 3, true), old), late);
    assert_eq!(states.check_marker(&marker(A, 3, true), new), late);
    assert_eq!(states.check_marker(&marker(A, 4, true), old), Ok(()));
    assert_eq!(states.check_marker(&marker(A, 4, true), new), late);
}

#[test]
fn a_marker_may_come_again_when_its_transaction_has_ended() {
    let mut states = ProducerStates::default();
    states.apply(&record(A, 4, 0), Offset(10));
    states.apply_marker(&marker(A, 5, true), Offset(11));
    let version = TransactionVersion(2);
    assert_eq!(states.check_marker(&marker(A, 5, true), version), Ok(()));
    // The highest epoch can't rise, and what is open in it has to end.
    states.apply(&record(B, i16::MAX, 0), Offset(12));
    let last = marker(B, i16::MAX, false);
    assert_eq!(states.check_marker(&last, version), Ok(()));
}

#[test]
fn a_marker_of_a_coordinator_that_was_succeeded_is_refused() {
    let fenced = Err(ErrorCode::TransactionCoordinatorFenced);
    let mut states = ProducerStates::default();
    states.apply(&record(A, 0, 0), Offset(10));
    states.apply_marker(&marker(A, 0, true), Offset(11));
    let of_predecessor = TxnMarker {
        coordinator_epoch: 2,
        ..marker(A, 1, true)
    };
    let version = TransactionVersion(2);
    assert_eq!(states.check_marker(&of_predecessor, version), fenced);
}
