//! What must be true of a log at any moment of a random history.

use std::collections::{BTreeMap, BTreeSet};

use ottla_log::{Log, names, txn_index};
use ottla_protocol::types::{Offset, ProducerId};

use crate::cleaning::*;
use crate::compaction_model::{DELETE_RETENTION_MS, Fate, Known, Story};
use crate::support::*;

impl Story {
    pub(crate) fn verify(&mut self, log: &Log) {
        let told = self.told();
        let seen = seen_in(log);
        for record in &seen {
            let Some(known) = self.records.get(&record.offset) else {
                panic!("{record:?} was never written: {told}");
            };
            assert_eq!(
                (&record.key, &record.value),
                (&known.key, &known.value),
                "{told}"
            );
            assert_eq!(record.timestamp, known.timestamp, "{told}");
        }
        assert!(seen.is_sorted_by_key(|s| s.offset), "{told}");
        self.verify_last_values(&seen, &told);
        self.verify_aborted(&seen, &told);
        let headers: Vec<_> = batches_in(log).into_iter().map(|(h, _)| h).collect();
        for (producer, batches) in &self.batches {
            let Some(last) = batches.last() else { continue };
            let there = headers.iter().find(|h| {
                h.producer_id == ProducerId(*producer)
                    && h.last_offset() == Offset(last.last_offset)
            });
            assert_eq!(
                there.map(|h| h.last_sequence()),
                Some(last.last_sequence),
                "last of producer {producer}: {told}"
            );
        }
        // From wherever a consumer begins, it sees what is left from there on.
        let from = self.random.below(1 + log.end().0 as u64) as i64;
        let rest = seen.partition_point(|s| s.offset < from);
        assert_eq!(
            seen_from(log, Offset(from)),
            seen[rest..],
            "from {from}: {told}"
        );
    }

    fn is_committed(&self, known: &Known) -> bool {
        known
            .txn
            .is_none_or(|t| self.txns[t].fate == Fate::Committed)
    }

    fn verify_last_values(&self, seen: &[Seen], told: &str) {
        let mut last = BTreeMap::new();
        for (offset, known) in self.records.iter().filter(|(_, k)| self.is_committed(k)) {
            last.insert(&known.key, (*offset, known));
        }
        let mut left = BTreeMap::new();
        for record in seen
            .iter()
            .filter(|s| self.is_committed(&self.records[&s.offset]))
        {
            left.insert(&record.key, record.offset);
        }
        for (key, (offset, known)) in last {
            let found = left.get(key).copied();
            let may_be_gone = known.value.is_none()
                && known
                    .first_cleaned
                    .is_some_and(|at| self.now >= at + DELETE_RETENTION_MS);
            let right = found == Some(offset) || (found.is_none() && may_be_gone);
            assert!(
                right,
                "{key}: last is {known:?} at {offset}, the log has {found:?}: {told}"
            );
        }
    }

    /// A reader of committed records learns of every aborted one that is left, and of no other.
    fn verify_aborted(&self, seen: &[Seen], told: &str) {
        let mut entries = Vec::new();
        for entry in self.shared.list(dir()).unwrap() {
            if let Some((base, "txnindex")) = names::parse_segment_file(&entry.name) {
                entries.extend(txn_index::read(self.shared.as_ref(), dir(), base).unwrap());
            }
        }
        for record in seen {
            let known = &self.records[&record.offset];
            let Some(txn) = known.txn.map(|t| self.txns[t]) else {
                continue;
            };
            let named = entries.iter().any(|e| {
                e.producer_id.0 == txn.producer
                    && (e.first_offset.0..e.last_offset.0).contains(&record.offset)
            });
            assert_eq!(
                named,
                txn.fate == Fate::Aborted,
                "{record:?} {txn:?}: {told}"
            );
        }
    }

    /// Below the checkpoint each key has one record, and nothing that was aborted has any.
    pub(crate) fn assert_clean(&self, log: &Log, end: Offset) {
        let mut keys = BTreeSet::new();
        for seen in seen_in(log).iter().filter(|s| s.offset < end.0) {
            assert!(
                keys.insert(seen.key.clone()),
                "{} twice: {}",
                seen.key,
                self.told()
            );
            let txn = self.records[&seen.offset].txn;
            let aborted = txn.is_some_and(|t| self.txns[t].fate == Fate::Aborted);
            assert!(!aborted, "{seen:?} was aborted: {}", self.told());
        }
    }
}
