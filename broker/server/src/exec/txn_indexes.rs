//! Whether the indexes of aborted transactions of a partition are what its log says, and making those anew that are not.
//!
//! Always: a segment that was replayed has the index that the replay gives it. One that was not is believed if the log
//! says so (`ottla_log::txn_sums`): it is then the index that was written for that segment, or of a log that was never
//! ours before.

use std::collections::BTreeMap;

use ottla_coordination::txn::CompletedTxn;
use ottla_log::Log;
use ottla_log::disk::DiskError;
use ottla_log::txn_index::AbortedTxn;
use ottla_protocol::types::Offset;
use tracing::warn;

pub(super) struct TxnIndexes {
    /// By base offset of the segment. None: the file is no such index.
    found: BTreeMap<Offset, Option<Vec<AbortedTxn>>>,
    /// What the replay yields, by offset of the marker.
    replayed: BTreeMap<Offset, AbortedTxn>,
}

impl TxnIndexes {
    /// Reads the indexes that there are.
    pub(super) fn survey(log: &Log) -> Result<Self, DiskError> {
        let mut found = BTreeMap::new();
        if log.has_aborted() {
            for (segment, _) in log.segment_ranges() {
                found.insert(segment, log.txn_index(segment)?);
            }
        }
        Ok(Self {
            found,
            replayed: BTreeMap::new(),
        })
    }

    /// The first segment whose index has to be made anew: the replay has to begin before it.
    pub(super) fn first_insane(&self) -> Option<Offset> {
        let mut insane = self.found.iter().filter(|(_, index)| index.is_none());
        insane.next().map(|(segment, _)| *segment)
    }

    /// The replay met the end of a transaction.
    pub(super) fn completed(&mut self, txn: &CompletedTxn) {
        if txn.committed {
            return;
        }
        self.replayed.insert(txn.last_offset, aborted(txn));
    }

    /// Gives every segment that was replayed, from `from` on, the index that the replay yields.
    pub(super) fn mend(&self, log: &mut Log, from: Offset) -> Result<(), DiskError> {
        let segments: Vec<_> = log
            .segment_ranges()
            .filter(|(_, end)| *end > from)
            .collect();
        for (segment, end) in segments {
            let found = match self.found.get(&segment) {
                Some(found) => found.as_deref(),
                None => Some(&[][..]),
            };
            let before = found.unwrap_or_default().iter();
            let before = before.filter(|txn| txn.last_offset < from);
            let replayed = self
                .replayed
                .range(segment.max(from)..end)
                .map(|(_, txn)| txn);
            let wanted: Vec<AbortedTxn> = before.chain(replayed).copied().collect();
            if found != Some(&wanted) {
                warn!(
                    folder = %log.dir().display(), %segment, aborted = wanted.len(),
                    "the index of aborted transactions was missing or wrong and is made anew"
                );
                log.replace_txn_index(segment, &wanted)?;
            }
        }
        Ok(())
    }
}

/// A transaction as an index keeps it.
pub(super) fn aborted(txn: &CompletedTxn) -> AbortedTxn {
    AbortedTxn {
        producer_id: txn.producer_id,
        first_offset: txn.first_offset,
        last_offset: txn.last_offset,
        last_stable_offset: txn.last_stable_offset,
    }
}
