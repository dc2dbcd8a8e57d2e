//! The records of an offsets partition that count: those outside of transactions, and those of committed ones.
//!
//! Always: a transaction's records are handed on when its marker is met, but none that a younger record of the same key
//! has replaced by then; those of transactions that were aborted, or are open still, are not. Memory is what the open
//! transactions hold, and the keys written meanwhile.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::{BatchHeader, OwnedRecord, RecordError, Records};
use ottla_protocol::types::{Offset, ProducerId};

use crate::exec::producers;

#[derive(Default)]
pub(super) struct Decided {
    open: BTreeMap<ProducerId, Vec<OwnedRecord>>,
    /// Newest record of each key that was handed on while a transaction was open.
    newest: HashMap<Bytes, Offset>,
}

impl Decided {
    /// Takes the next batch of the log and hands on what became of it and of the transaction that it ends.
    pub(super) fn take(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        from: Offset,
        handle: &mut dyn FnMut(OwnedRecord),
    ) -> Result<(), RecordError> {
        if header.is_control() {
            self.end(header, batch, handle);
            return Ok(());
        }
        for record in Records::open(batch, InflateLimits::LENIENT)?.owned() {
            let record = record?;
            if record.offset < from {
                continue;
            }
            if header.is_transactional() {
                self.open
                    .entry(header.producer_id)
                    .or_default()
                    .push(record);
            } else {
                self.hand_on(record, handle);
            }
        }
        Ok(())
    }

    /// Producers whose transactions nobody has ended yet.
    pub(super) fn open_transactions(&self) -> usize {
        self.open.len()
    }

    fn end(&mut self, header: &BatchHeader, batch: &Bytes, handle: &mut dyn FnMut(OwnedRecord)) {
        let Some(marker) = producers::marker(header, batch) else {
            return;
        };
        let records = self.open.remove(&marker.producer_id).unwrap_or_default();
        if marker.committed {
            for record in records {
                let key = record.key.as_ref();
                let replaced = key.and_then(|key| self.newest.get(key));
                if replaced.is_none_or(|newest| *newest < record.offset) {
                    self.hand_on(record, handle);
                }
            }
        }
        if self.open.is_empty() {
            self.newest.clear();
        }
    }

    fn hand_on(&mut self, record: OwnedRecord, handle: &mut dyn FnMut(OwnedRecord)) {
        if let Some(key) = record.key.clone().filter(|_| !self.open.is_empty()) {
            self.newest.insert(key, record.offset);
        }
        handle(record);
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::compress::Compression;
    use ottla_protocol::records::control::{EndTxnMarker, Place};
    use ottla_protocol::records::{BatchBuilder, batches_of};
    use ottla_protocol::types::{LeaderEpoch, Millis, ProducerEpoch};

    use super::*;

    const NOBODY: i64 = -1;

    fn record(offset: i64, producer: i64, key: &str, value: &str) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset(offset));
        if producer != NOBODY {
            builder = builder
                .producer(ProducerId(producer), ProducerEpoch(0), 0)
                .transactional(true);
        }
        builder
            .append(Millis(1), Some(key.as_bytes()), Some(value.as_bytes()), &[])
            .unwrap();
        builder.build().unwrap()
    }

    fn marker(offset: i64, producer: i64, committed: bool) -> Vec<u8> {
        let at = Place {
            base_offset: Offset(offset),
            leader_epoch: LeaderEpoch(0),
            timestamp: Millis(1),
        };
        let marker = EndTxnMarker {
            committed,
            coordinator_epoch: 0,
        };
        marker
            .batch(at, ProducerId(producer), ProducerEpoch(0))
            .unwrap()
    }

    fn values(batches: &[Vec<u8>]) -> Vec<String> {
        let log = Bytes::from(batches.concat());
        let mut decided = Decided::default();
        let mut values = Vec::new();
        for batch in batches_of(&log) {
            let (header, batch) = batch.unwrap();
            let mut handle = |record: OwnedRecord| {
                let value = record.value.unwrap_or_default();
                values.push(String::from_utf8_lossy(&value).into_owned());
            };
            decided
                .take(&header, &batch, Offset(0), &mut handle)
                .unwrap();
        }
        values
    }

    #[test]
    fn a_transactions_records_count_from_its_commit_on() {
        let log = [
            record(0, 7, "a", "a7"),
            record(1, NOBODY, "b", "b"),
            record(2, 8, "a", "a8"),
            record(3, 9, "a", "a9"),
            marker(4, 8, false),
            marker(5, 7, true),
        ];
        assert_eq!(values(&log), ["b", "a7"], "8 was aborted and 9 is open");
    }

    #[test]
    fn a_younger_record_of_the_same_key_stays() {
        let log = [
            record(0, 7, "a", "old"),
            record(1, 7, "b", "in time"),
            record(2, NOBODY, "a", "young"),
            marker(3, 7, true),
            record(4, 7, "a", "younger"),
            marker(5, 7, true),
        ];
        assert_eq!(values(&log), ["young", "in time", "younger"]);
    }
}
