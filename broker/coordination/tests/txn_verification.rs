//! Transactions that the coordinator has to be asked for before a partition takes their first batch (KIP-890).

use ottla_coordination::txn::{
    Origin, ProducerBatch, ProducerStates, TxnMarker, Verdict, Verification,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

const P: ProducerId = ProducerId(7);
const NOW: Millis = Millis(1_000);
const APPEND: Result<Verdict, ErrorCode> = Ok(Verdict::Append);
const GAP: Result<Verdict, ErrorCode> = Err(ErrorCode::OutOfOrderSequenceNumber);
const NOT_IN_TXN: Result<Verdict, ErrorCode> = Err(ErrorCode::InvalidTxnState);

fn record(epoch: i16, sequence: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id: P,
        producer_epoch: ProducerEpoch(epoch),
        first_sequence: sequence,
        last_sequence: sequence,
        offset_delta: 0,
        max_timestamp: NOW,
        is_transactional: true,
    }
}

fn marker(epoch: i16) -> TxnMarker {
    TxnMarker {
        producer_id: P,
        producer_epoch: ProducerEpoch(epoch),
        committed: false,
        coordinator_epoch: 0,
        timestamp: NOW,
    }
}

/// Asks for a client that knows of epochs for every transaction.
fn ask(states: &mut ProducerStates, batch: &ProducerBatch) -> Verification {
    states.begin_verification(batch, true, NOW).unwrap()
}

fn check(
    states: &ProducerStates,
    batch: &ProducerBatch,
    verification: Verification,
) -> Result<Verdict, ErrorCode> {
    states.check(batch, Origin::Client(verification))
}

#[test]
fn the_first_batch_of_a_transaction_is_asked_for_and_those_that_follow_are_not() {
    let mut states = ProducerStates::default();
    let first = record(0, 0);
    assert_eq!(check(&states, &first, Verification::Open), NOT_IN_TXN);
    let asked = ask(&mut states, &first);
    assert!(matches!(asked, Verification::Asked(_)));
    assert_eq!(ask(&mut states, &first), asked, "of the same asking");
    assert_eq!(check(&states, &first, asked), APPEND);
    states.apply(&first, Offset(0));
    let second = record(0, 1);
    assert_eq!(ask(&mut states, &second), Verification::Open);
    assert_eq!(check(&states, &second, Verification::Open), APPEND);
}

/// The coordinator said yes, then the transaction timed out, and its marker came before the batch.
#[test]
fn a_marker_takes_back_what_was_verified_before_it() {
    let mut states = ProducerStates::default();
    let batch = record(0, 0);
    let asked = states.begin_verification(&batch, false, NOW).unwrap();
    states.apply_marker(&marker(0), Offset(0));
    assert_eq!(check(&states, &batch, asked), NOT_IN_TXN);
    let again = states.begin_verification(&batch, false, NOW).unwrap();
    assert_ne!(again, asked);
    assert_eq!(check(&states, &batch, asked), NOT_IN_TXN);
    assert_eq!(check(&states, &batch, again), APPEND);
}

/// A coordinator's batches have no sequence, and stand for a transaction as those of clients do.
#[test]
fn what_a_coordinator_writes_for_a_producer_is_verified_like_its_own_batches() {
    let mut states = ProducerStates::default();
    let offsets = record(0, -1);
    let write = |states: &ProducerStates, verification| {
        states.check(&offsets, Origin::Coordinator(verification))
    };
    assert_eq!(write(&states, Verification::Open), NOT_IN_TXN);
    assert_eq!(write(&states, Verification::Waived), APPEND);
    let asked = ask(&mut states, &offsets);
    assert_eq!(write(&states, asked), APPEND);
    states.apply(&offsets, Offset(0));
    assert_eq!(ask(&mut states, &offsets), Verification::Open);
    assert_eq!(write(&states, Verification::Open), APPEND);
    states.apply_marker(&marker(0), Offset(1));
    assert_eq!(write(&states, Verification::Open), NOT_IN_TXN);
    assert_eq!(write(&states, asked), NOT_IN_TXN);
}

#[test]
fn the_marker_of_a_transaction_does_not_touch_the_next_one_in_the_epoch_it_begins() {
    let mut states = ProducerStates::default();
    states.apply(&record(0, 0), Offset(0));
    let next = record(1, 0);
    let asked = ask(&mut states, &next);
    states.apply_marker(&marker(1), Offset(1));
    assert_eq!(check(&states, &next, asked), APPEND);
    states.apply_marker(&marker(2), Offset(2));
    let late = Err(ErrorCode::InvalidProducerEpoch);
    assert_eq!(check(&states, &next, asked), late);
    assert_eq!(
        states.begin_verification(&next, true, NOW),
        Err(ErrorCode::InvalidProducerEpoch)
    );
}

/// A transaction that was aborted before anything was sent raises the epoch without a marker here, so that of the one before
/// it may come again.
#[test]
fn a_marker_that_comes_again_does_not_touch_a_later_transaction() {
    for supports_epoch_bump in [true, false] {
        let mut states = ProducerStates::default();
        states.apply_marker(&marker(1), Offset(0));
        let batch = record(2, 0);
        let asked = states.begin_verification(&batch, supports_epoch_bump, NOW);
        states.apply_marker(&marker(1), Offset(1));
        assert_eq!(check(&states, &batch, asked.unwrap()), APPEND);
    }
}

/// The first batch met a coordinator that was not there, the second did not.
#[test]
fn a_batch_does_not_overtake_one_that_waits_for_the_coordinator() {
    let mut states = ProducerStates::default();
    let asked = states.begin_verification(&record(0, 5), false, NOW);
    let again = states.begin_verification(&record(0, 3), false, NOW);
    assert_eq!(asked, again);
    assert_eq!(check(&states, &record(0, 5), asked.unwrap()), GAP);
    assert_eq!(check(&states, &record(0, 3), asked.unwrap()), APPEND);
}

#[test]
fn with_an_epoch_for_every_transaction_a_producer_that_nobody_knows_begins_with_zero() {
    let mut states = ProducerStates::default();
    let asked = ask(&mut states, &record(4, 3));
    assert_eq!(check(&states, &record(4, 3), asked), GAP);
    let asked = ask(&mut states, &record(4, 0));
    assert_eq!(check(&states, &record(4, 0), asked), APPEND);
    let mut states = ProducerStates::default();
    let asked = states.begin_verification(&record(4, 3), false, NOW);
    assert_eq!(check(&states, &record(4, 3), asked.unwrap()), APPEND);
}

#[test]
fn an_asking_that_came_to_nothing_is_forgotten() {
    let mut states = ProducerStates::default();
    let batch = record(0, 0);
    let asked = ask(&mut states, &batch);
    states.expire(NOW.plus(Millis(60_000)), 60_000);
    assert_eq!(check(&states, &batch, asked), NOT_IN_TXN);
}

#[test]
fn where_nobody_asks_nothing_has_to_be_shown() {
    let states = ProducerStates::default();
    assert_eq!(check(&states, &record(0, 0), Verification::Waived), APPEND);
}
