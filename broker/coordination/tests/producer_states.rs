//! Idempotent producers: which batches are appended, which are duplicates, which are refused.

use ottla_coordination::txn::{
    Duplicate, Origin, ProducerBatch, ProducerStates, Verdict, Verification,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

const CLIENT: Origin = Origin::Client(Verification::Waived);
const P: ProducerId = ProducerId(7);

/// `count` records of the producer from sequence `first` on.
fn batch(epoch: i16, first: i32, count: i32) -> ProducerBatch {
    let last = i64::from(first) + i64::from(count) - 1;
    ProducerBatch {
        producer_id: P,
        producer_epoch: ProducerEpoch(epoch),
        first_sequence: first,
        last_sequence: i32::try_from(last % (1 << 31)).expect("wrapped"),
        offset_delta: count - 1,
        max_timestamp: Millis(1_000),
        is_transactional: false,
    }
}

/// A partition that took these batches one after another, starting at offset 100.
fn after(batches: &[ProducerBatch]) -> ProducerStates {
    let mut states = ProducerStates::default();
    let mut end = Offset(100);
    for batch in batches {
        assert_eq!(
            states.check(batch, CLIENT),
            Ok(Verdict::Append),
            "{batch:?}"
        );
        states.apply(batch, end);
        end = end.plus(i64::from(batch.offset_delta) + 1);
    }
    states
}

fn duplicate(base: i64, last: i64) -> Result<Verdict, ErrorCode> {
    Ok(Verdict::Duplicate(Duplicate {
        base_offset: Offset(base),
        last_offset: Offset(last),
        timestamp: Millis(1_000),
    }))
}

#[test]
fn what_follows_is_appended_and_what_leaves_a_gap_is_refused() {
    let states = after(&[batch(0, 0, 3)]);
    let gap = Err(ErrorCode::OutOfOrderSequenceNumber);
    let cases = [
        (batch(0, 3, 1), Ok(Verdict::Append)),
        (batch(0, 4, 1), gap),
        (batch(0, 1, 2), gap),
        (batch(0, 0, 2), gap),
        (batch(1, 0, 1), Ok(Verdict::Append)),
        (batch(1, 3, 1), gap),
        (batch(-1, 0, 1), Err(ErrorCode::InvalidProducerEpoch)),
    ];
    for (batch, verdict) in cases {
        assert_eq!(states.check(&batch, CLIENT), verdict, "{batch:?}");
    }
}

#[test]
fn the_last_five_batches_are_known_again_and_told_where_they_are() {
    let batches: Vec<ProducerBatch> = (0..6).map(|n| batch(0, n * 2, 2)).collect();
    let states = after(&batches);
    assert_eq!(
        states.check(&batches[0], CLIENT),
        Err(ErrorCode::OutOfOrderSequenceNumber)
    );
    for (n, batch) in (0..).zip(&batches).skip(1) {
        let base = 100 + n * 2;
        assert_eq!(states.check(batch, CLIENT), duplicate(base, base + 1));
    }
}

#[test]
fn a_producer_that_was_forgotten_starts_with_any_sequence() {
    let mut states = after(&[batch(3, 0, 5)]);
    states.expire(Millis(1_000 + 60_000), 60_001);
    assert_eq!(states.len(), 1);
    states.expire(Millis(1_000 + 60_000), 60_000);
    assert!(states.is_empty());
    assert_eq!(states.check(&batch(3, 5, 1), CLIENT), Ok(Verdict::Append));
}

#[test]
fn a_higher_epoch_fences_the_lower_one() {
    let states = after(&[batch(0, 0, 5), batch(1, 0, 1)]);
    assert_eq!(
        states.check(&batch(0, 5, 1), CLIENT),
        Err(ErrorCode::InvalidProducerEpoch)
    );
    assert_eq!(
        states.check(&batch(0, 0, 5), CLIENT),
        Err(ErrorCode::InvalidProducerEpoch)
    );
    assert_eq!(states.check(&batch(1, 0, 1), CLIENT), duplicate(105, 105));
}

#[test]
fn sequences_go_on_with_zero_after_the_highest() {
    let highest = i32::MAX;
    let states = after(&[batch(0, highest - 1, 2)]);
    assert_eq!(states.check(&batch(0, 0, 1), CLIENT), Ok(Verdict::Append));
    assert_eq!(
        states.check(&batch(0, highest, 1), CLIENT),
        Err(ErrorCode::OutOfOrderSequenceNumber)
    );
    // One batch across the seam: …, 2^31-1, 0, 1.
    let across = batch(0, highest - 1, 4);
    assert_eq!(across.last_sequence, 1);
    let states = after(&[across]);
    assert_eq!(states.check(&across, CLIENT), duplicate(100, 103));
    assert_eq!(states.check(&batch(0, 2, 1), CLIENT), Ok(Verdict::Append));
}

#[test]
fn producers_do_not_disturb_each_other() {
    let states = after(&[batch(0, 0, 3)]);
    let other = ProducerBatch {
        producer_id: ProducerId(8),
        ..batch(0, 0, 1)
    };
    assert_eq!(states.check(&other, CLIENT), Ok(Verdict::Append));
}

#[test]
fn a_snapshot_keeps_the_last_five_batches_of_each_producer_and_the_last_one_last() {
    let batches: Vec<_> = (0..6).map(|n| batch(2, 3 * n, 3)).collect();
    let states = after(&batches);
    let snapshot = states.to_snapshot();
    let restored = ProducerStates::from_snapshot(&snapshot);
    assert_eq!(restored, states);
    for (n, offset) in (1..6).zip((103..).step_by(3)) {
        assert_eq!(
            restored.check(&batches[n], CLIENT),
            duplicate(offset, offset + 2)
        );
    }
    let forgotten = restored.check(&batches[0], CLIENT);
    assert_eq!(forgotten, Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(
        restored.check(&batch(2, 18, 1), CLIENT),
        Ok(Verdict::Append)
    );
    assert_eq!(snapshot.len(), 5);
    assert_eq!(snapshot.last(), states.to_entries().last());
    let of_the_reference = ProducerStates::from_snapshot(&states.to_entries());
    assert_eq!(of_the_reference.to_entries(), states.to_entries());
    let before_the_last = of_the_reference.check(&batches[4], CLIENT);
    assert_eq!(before_the_last, Err(ErrorCode::OutOfOrderSequenceNumber));
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset_and_outlives_expiry() {
    let first = ProducerBatch {
        is_transactional: true,
        ..batch(0, 0, 2)
    };
    let mut states = ProducerStates::default();
    assert_eq!(states.first_unstable_offset(), None);
    states.apply(&first, Offset(40));
    let second = ProducerBatch {
        first_sequence: 2,
        last_sequence: 2,
        offset_delta: 0,
        ..first
    };
    states.apply(&second, Offset(42));
    assert_eq!(states.first_unstable_offset(), Some(Offset(40)));
    states.expire(Millis(i64::MAX), 1);
    let restored = ProducerStates::from_snapshot(&states.to_snapshot());
    assert_eq!(restored.first_unstable_offset(), Some(Offset(40)));
}
