//! Indexes of aborted transactions go with their segments, and a reader's share of them is found.

use ottla_log::txn_index::AbortedTxn;
use ottla_log::{LogConfig, MinimumRead, ReadRequest};
use ottla_protocol::records::batch::BatchHeader;
use ottla_protocol::types::{Millis, Offset, ProducerId};

use crate::support::{
    append, bytes_of, clean, dense, new_log, numbered, open, segment_path, sized,
};

fn txn(first: i64, marker: i64) -> AbortedTxn {
    AbortedTxn {
        producer_id: ProducerId(7),
        first_offset: Offset(first),
        last_offset: Offset(marker),
        last_stable_offset: Offset(marker + 1),
    }
}

#[test]
fn a_segments_index_goes_with_the_segment() {
    let config = LogConfig {
        segment_bytes: 500,
        ..LogConfig::default()
    };
    let (disk, mut log) = new_log(config.clone());
    for n in 0..10 {
        append(&mut log, sized(1000 + n, 100));
    }
    let ranges: Vec<_> = log.segment_ranges().collect();
    for (base, end) in &ranges {
        let aborted = txn(base.0, end.0 - 1);
        log.replace_txn_index(*base, &[aborted]).unwrap();
        assert_eq!(log.txn_index(*base).unwrap(), Some(vec![aborted]));
    }
    let (first, second) = (ranges[0], ranges[1]);
    log.set_start(first.1).unwrap();
    let deleted = log.apply_retention(log.end(), Millis(0)).unwrap();
    for segment in &deleted {
        segment.remove(&*disk).unwrap();
    }
    assert!(disk.info(&segment_path(first.0.0, "txnindex")).is_err());
    let aborted = log.aborted_txns(second.0, second.1).unwrap();
    assert_eq!(aborted, [txn(second.0.0, second.1.0 - 1)]);
    log.truncate_to(second.1, Millis(0)).unwrap();
    assert!(
        log.aborted_txns(second.1, Offset(i64::MAX))
            .unwrap()
            .is_empty()
    );
    let end = log.close().unwrap();
    // What is left without its segment is removed.
    disk.rename(
        &segment_path(second.0.0, "txnindex"),
        &segment_path(999, "txnindex"),
    )
    .unwrap();
    let (log, report) = open(&disk, &config, clean(end));
    assert_eq!(log.txn_index(second.0).unwrap(), None);
    assert!(report.removed.contains(&segment_path(999, "txnindex")));
}

#[test]
fn readers_behind_the_last_aborted_transaction_need_no_index() {
    let config = LogConfig::default();
    let (disk, mut log) = new_log(config.clone());
    for n in 0..5 {
        append(&mut log, sized(1000 + n, 100));
    }
    assert!(!log.may_have_aborted(Offset::ZERO), "nothing was aborted");
    let marker = Offset(log.end().0 - 1);
    log.add_aborted(txn(0, marker.0)).unwrap();
    append(&mut log, sized(2000, 100));
    assert!(log.may_have_aborted(Offset::ZERO));
    assert!(log.may_have_aborted(marker));
    assert!(!log.may_have_aborted(marker.next()));
    let end = log.close().unwrap();
    let (mut log, _) = open(&disk, &config, clean(end));
    assert!(log.may_have_aborted(marker), "the index is not read anew");
    assert!(!log.may_have_aborted(end));
    append(&mut log, sized(3000, 100));
    let marker = Offset(log.end().0 - 1);
    log.add_aborted(txn(end.0, marker.0)).unwrap();
    assert!(log.may_have_aborted(marker));
    assert!(!log.may_have_aborted(log.end()));
}

#[test]
fn the_end_of_a_slice_is_the_end_of_its_last_batch() {
    let (_, disk, end) = numbered(&dense(), 60);
    let (log, _) = open(&disk, &dense(), clean(end));
    for from in 0..60 {
        for max_bytes in [1, 110, 500, 1500, 9999] {
            let request = ReadRequest {
                from: Offset(from),
                max_bytes,
                upper_end: Offset(50),
                minimum: MinimumRead::OneBatch,
            };
            let Some(slice) = log.read(request).unwrap() else {
                assert!(from >= 50);
                continue;
            };
            let (bytes, mut at, mut last) = (bytes_of(&slice), 0, None);
            // Also the batch that is cut: a client does not see it, and its transactions do no harm.
            while let Some(Ok(header)) = bytes.get(at..at + 61).map(BatchHeader::read) {
                last = Some(header.next_offset());
                at += header.size_in_bytes();
            }
            let found = log.end_of_slice(&slice).unwrap();
            let last = last.unwrap();
            assert!(found == last || found == last.next(), "{from} {max_bytes}");
        }
    }
}
