//! What loading a partition of `__consumer_offsets` tells its machine.

use bytes::Bytes;
use ottla_coordination::Loading;
use ottla_coordination::group::{GroupMachine, GroupRecord, TransactionRecord};
use ottla_coordination::txn::EndTransaction;
use ottla_protocol::records::{BatchHeader, OwnedRecord};

use crate::exec::producers;

/// A record, that of a transaction as such.
pub(super) fn record(
    loading: &mut Loading<GroupMachine>,
    header: &BatchHeader,
    record: OwnedRecord,
) -> Result<(), String> {
    let decoded = GroupRecord::decode(record.key, record.value);
    match decoded.map_err(|error| error.to_string())? {
        Some(decoded) if header.is_transactional() => {
            let sent = decoded.in_transaction(header.producer_id, header.producer_epoch);
            loading.load(record.offset, &sent);
        }
        Some(decoded) => loading.load(record.offset, &decoded),
        // Of a kind that this broker has no part in.
        None => {}
    }
    Ok(())
}

/// The end of a transaction.
pub(super) fn control(loading: &mut Loading<GroupMachine>, header: &BatchHeader, batch: &Bytes) {
    if let Some(marker) = producers::marker(header, batch) {
        let end = TransactionRecord::End(EndTransaction::of_marker(&marker));
        loading.load(header.base_offset, &GroupRecord::Transaction(end));
    }
}

#[cfg(test)]
mod tests {
    use ottla_coordination::group::Settings;
    use ottla_protocol::compress::Compression;
    use ottla_protocol::messages::internal::{OffsetCommitKey, OffsetCommitValue};
    use ottla_protocol::records::control::{EndTxnMarker, Place};
    use ottla_protocol::records::{BatchBuilder, batches_of};
    use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

    use super::super::GroupCoordinator;
    use super::*;
    use crate::exec::shard::load_batch;

    const NOBODY: i64 = -1;

    /// A commit of an offset of partition 0; without an offset a tombstone.
    fn commit(at: i64, producer: i64, topic: &str, offset: Option<i64>) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset(at));
        if producer != NOBODY {
            builder = builder
                .producer(ProducerId(producer), ProducerEpoch(0), 0)
                .transactional(true);
        }
        let record = GroupRecord::OffsetCommit {
            key: OffsetCommitKey {
                group: "g".into(),
                topic: topic.into(),
                partition: 0,
                ..Default::default()
            },
            value: offset.map(|offset| OffsetCommitValue {
                offset,
                ..Default::default()
            }),
        };
        let (key, value) = record.encode();
        builder
            .append(Millis(1), Some(&key), value.as_deref(), &[])
            .unwrap();
        builder.build().unwrap()
    }

    fn marker(at: i64, producer: i64, committed: bool) -> Vec<u8> {
        let place = Place {
            base_offset: Offset(at),
            leader_epoch: LeaderEpoch(0),
            timestamp: Millis(1),
        };
        let marker = EndTxnMarker {
            committed,
            coordinator_epoch: 0,
        };
        marker
            .batch(place, ProducerId(producer), ProducerEpoch(0))
            .unwrap()
    }

    /// What is committed after the log was loaded, by topic, and whose transactions are open.
    fn loaded(batches: &[Vec<u8>]) -> (Vec<(String, i64)>, Vec<i64>) {
        let log = Bytes::from(batches.concat());
        let mut loading = Loading::new(GroupMachine::new(Settings::default()));
        for batch in batches_of(&log) {
            let (header, batch) = batch.unwrap();
            load_batch::<GroupCoordinator>(&mut loading, &header, &batch, Offset(0)).unwrap();
        }
        let hard = loading.machine().hard();
        let topics = hard.offsets("g").into_iter().flatten();
        let committed = topics.map(|(topic, partitions)| (topic.clone(), partitions[&0].offset));
        let open = hard.pending().producers().map(|producer| producer.0);
        (committed.collect(), open.collect())
    }

    fn offsets(list: &[(&str, i64)]) -> Vec<(String, i64)> {
        list.iter()
            .map(|(topic, offset)| ((*topic).to_owned(), *offset))
            .collect()
    }

    #[test]
    fn offsets_of_a_transaction_count_from_its_commit_on() {
        let log = [
            commit(0, 7, "a", Some(70)),
            commit(1, NOBODY, "b", Some(1)),
            commit(2, 8, "a", Some(80)),
            commit(3, 9, "a", Some(90)),
            marker(4, 8, false),
            marker(5, 7, true),
        ];
        let committed = offsets(&[("a", 70), ("b", 1)]);
        assert_eq!(loaded(&log), (committed, vec![9]), "8 was aborted");
    }

    #[test]
    fn a_younger_offset_or_its_deletion_stays() {
        let log = [
            commit(0, 7, "a", Some(1)),
            commit(1, 7, "b", Some(2)),
            commit(2, 7, "c", Some(3)),
            commit(3, NOBODY, "a", Some(10)),
            commit(4, NOBODY, "c", None),
            marker(5, 7, true),
        ];
        assert_eq!(loaded(&log), (offsets(&[("a", 10), ("b", 2)]), Vec::new()));
    }
}
