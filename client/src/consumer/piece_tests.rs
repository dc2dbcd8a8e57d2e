//! Stories of a record set that is handed out piece by piece.

use ottla_protocol::{
    compress::Compression,
    records::{BatchBuilder, TimestampType, control::Place},
    types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId},
};

use super::*;

fn settings(isolation: Isolation) -> FetchSettings {
    FetchSettings {
        min_bytes: 1,
        max_wait: std::time::Duration::ZERO,
        max_bytes: 1 << 20,
        partition_bytes_max: 1 << 20,
        isolation,
        check_crcs: true,
    }
}

fn batch(base: i64, values: &[&str], compression: Compression) -> Vec<u8> {
    fill(
        BatchBuilder::new(compression)
            .base_offset(Offset(base))
            .leader_epoch(LeaderEpoch(3)),
        values,
    )
}

fn transactional(base: i64, producer: i64, values: &[&str]) -> Vec<u8> {
    fill(
        BatchBuilder::default()
            .base_offset(Offset(base))
            .producer(ProducerId(producer), ProducerEpoch(0), 0)
            .transactional(true),
        values,
    )
}

fn fill(mut builder: BatchBuilder, values: &[&str]) -> Vec<u8> {
    for value in values {
        builder
            .append(Millis(7), Some(b"k"), Some(value.as_bytes()), &[])
            .unwrap();
    }
    builder.build().unwrap()
}

fn marker(base: i64, producer: i64, committed: bool) -> Vec<u8> {
    let marker = EndTxnMarker {
        committed,
        coordinator_epoch: 0,
    };
    let place = Place {
        base_offset: Offset(base),
        leader_epoch: LeaderEpoch(3),
        timestamp: Millis(7),
    };
    marker
        .batch(place, ProducerId(producer), ProducerEpoch(0))
        .unwrap()
}

fn piece(batches: &[Vec<u8>], aborted: &[(i64, i64)]) -> Piece {
    let aborted: Vec<AbortedTransaction> = aborted
        .iter()
        .map(|(producer_id, first_offset)| AbortedTransaction {
            producer_id: *producer_id,
            first_offset: *first_offset,
            ..Default::default()
        })
        .collect();
    let records = Bytes::from(batches.concat());
    Piece::new(TopicPartition::new("t", 0), "t".into(), records, &aborted)
}

/// All values, taken so many at a time, and the offset behind them.
fn read(mut piece: Piece, from: i64, each: usize, isolation: Isolation) -> (Vec<String>, i64) {
    let (mut values, mut position) = (Vec::new(), from);
    loop {
        let mut out = Vec::new();
        let progress = piece
            .take(position, &settings(isolation), each, &mut out)
            .unwrap();
        assert!(out.len() <= each);
        assert!(out.iter().all(|record| record.offset >= position));
        position = progress.offset;
        values.extend(
            out.iter()
                .map(|record| String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap()),
        );
        if progress.is_drained {
            return (values, position);
        }
    }
}

const PLAIN: Isolation = Isolation::ReadUncommitted;

#[test]
fn records_come_a_few_at_a_time_across_batches_of_every_codec() {
    for compression in Compression::ALL {
        for each in 1..6 {
            let batches = [
                batch(0, &["a", "b", "c"], compression),
                batch(3, &["d", "e"], compression),
            ];
            let (values, position) = read(piece(&batches, &[]), 0, each, PLAIN);
            assert_eq!(values, ["a", "b", "c", "d", "e"]);
            assert_eq!(position, 5);
        }
    }
}

#[test]
fn records_before_the_position_are_not_handed_out_again() {
    let batches = [
        batch(0, &["a", "b"], Compression::None),
        batch(2, &["c", "d", "e"], Compression::Lz4),
    ];
    assert_eq!(read(piece(&batches, &[]), 3, 10, PLAIN).0, ["d", "e"]);
}

#[test]
fn a_record_has_everything_the_batch_says() {
    let mut builder = BatchBuilder::default()
        .base_offset(Offset(9))
        .leader_epoch(LeaderEpoch(3))
        .append_time(Millis(50));
    let headers = [ottla_protocol::records::Header {
        key: b"h",
        value: None,
    }];
    builder.append(Millis(7), None, None, &headers).unwrap();
    let mut piece = piece(&[builder.build().unwrap()], &[]);
    let mut out = Vec::new();
    let progress = piece.take(0, &settings(PLAIN), 10, &mut out).unwrap();
    assert_eq!(progress.epoch, Some(3));
    let record = out.remove(0);
    assert_eq!((record.offset, record.timestamp), (9, 50));
    assert_eq!(record.timestamp_type, TimestampType::LogAppendTime);
    assert_eq!((record.key, record.value), (None, None));
    assert_eq!(record.headers.len(), 1);
    assert_eq!(record.leader_epoch, Some(3));
}

#[test]
fn the_position_moves_past_what_the_cleaner_has_removed() {
    let mut builder = BatchBuilder::default().last_offset(Offset(9));
    builder
        .append_at(Offset(4), Millis(7), None, Some(b"a"), &[])
        .unwrap();
    let (values, position) = read(piece(&[builder.build().unwrap()], &[]), 0, 10, PLAIN);
    assert_eq!((values.len(), position), (1, 10));
}

#[test]
fn markers_are_never_handed_out_and_the_position_moves_past_them() {
    let batches = [transactional(0, 1, &["a"]), marker(1, 1, true)];
    assert_eq!(
        read(piece(&batches, &[]), 0, 10, PLAIN),
        (vec!["a".to_owned()], 2)
    );
}

#[test]
fn with_read_committed_only_aborted_transactions_are_left_out() {
    let batches = [
        transactional(0, 1, &["aborted"]),
        transactional(1, 2, &["committed"]),
        batch(2, &["plain"], Compression::None),
        marker(3, 1, false),
        transactional(4, 1, &["the next transaction"]),
        marker(5, 2, true),
        marker(6, 1, true),
    ];
    let aborted = [(1, 0)];
    let (values, position) = read(piece(&batches, &aborted), 0, 10, Isolation::ReadCommitted);
    assert_eq!(values, ["committed", "plain", "the next transaction"]);
    assert_eq!(position, 7);
    assert_eq!(read(piece(&batches, &aborted), 0, 10, PLAIN).0.len(), 4);
}

#[test]
fn damage_is_found_where_checksums_are_looked_at() {
    let mut damaged = batch(2, &["c"], Compression::None);
    let last = damaged.len() - 2;
    damaged[last] ^= 1;
    let batches = [batch(0, &["a", "b"], Compression::None), damaged];
    let mut out = Vec::new();
    let outcome = piece(&batches, &[]).take(0, &settings(PLAIN), 10, &mut out);
    assert!(
        matches!(outcome, Err(RecordError::Crc { .. })),
        "{outcome:?}"
    );
    assert_eq!(out.len(), 2, "what came before it is sound");
    let trusting = FetchSettings {
        check_crcs: false,
        ..settings(PLAIN)
    };
    let mut out = Vec::new();
    piece(&batches, &[])
        .take(0, &trusting, 10, &mut out)
        .unwrap();
    assert_eq!(out.len(), 3);
}

#[test]
fn a_batch_cut_off_at_the_end_is_left_for_the_next_fetch() {
    let mut records = batch(0, &["a"], Compression::None);
    records.extend_from_slice(&batch(1, &["b"], Compression::None)[..40]);
    let extent = extent(&records);
    assert_eq!((extent.next_offset, extent.is_sound), (Some(1), true));
    assert_eq!(
        read(piece(&[records], &[]), 0, 10, PLAIN),
        (vec!["a".to_owned()], 1)
    );
}

#[test]
fn bytes_without_a_batch_are_an_error_and_not_silence() {
    let cut = batch(0, &["a"], Compression::None)[..30].to_vec();
    assert!(!extent(&cut).is_sound);
    let mut out = Vec::new();
    let outcome = piece(&[cut], &[]).take(0, &settings(PLAIN), 10, &mut out);
    assert!(matches!(outcome, Err(RecordError::NoBatch)), "{outcome:?}");
    assert!(!extent(&[0; 40]).is_sound);
}
