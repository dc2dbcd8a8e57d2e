//! What a pass knows of transactions while it walks a log from its start: which batches were aborted, and which markers
//! have nothing left to mark.
//!
//! An aborted transaction is known by its entry in a `.txnindex`, which the segment of its marker has. A marker that is
//! met after records of its transaction stays; so does its entry, since what the pass has dropped a reader may still
//! have, and since a batch may stay as an empty one for its sequence.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::records::BatchHeader;
use ottla_protocol::records::control::ControlType;
use ottla_protocol::types::{Offset, ProducerId};

use super::errors::CleaningError;
use crate::txn_index::AbortedTxn;

#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// By producer and marker. One producer's do not overlap.
    aborted: BTreeMap<(ProducerId, Offset), AbortedTxn>,
    /// Those of which a batch was met and the marker was not yet.
    observed: BTreeSet<(ProducerId, Offset)>,
    /// Producers of which a batch that was not aborted was met since their last marker.
    committing: BTreeSet<ProducerId>,
}

/// What becomes of a control batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// Records of its transaction were met, or it is of another kind.
    Needed,
    /// An abort whose records were met; its entry goes into the new transaction index.
    NeededAbort(AbortedTxn),
    /// Nothing is left of its transaction.
    Idle,
}

impl Marker {
    pub(super) fn is_idle(self) -> bool {
        matches!(self, Self::Idle)
    }
}

impl Transactions {
    /// Takes the entries of the next segments in place of earlier ones that are done with.
    pub(super) fn know(&mut self, entries: impl IntoIterator<Item = AbortedTxn>, from: Offset) {
        self.aborted.retain(|(_, marker), _| *marker >= from);
        for txn in entries {
            self.aborted.insert((txn.producer_id, txn.last_offset), txn);
        }
    }

    /// Whether a batch of records belongs to an aborted transaction.
    pub(super) fn meet_batch(&mut self, batch: &BatchHeader) -> bool {
        if !batch.is_transactional() {
            return false;
        }
        let (producer, last) = (batch.producer_id, batch.last_offset());
        let next = self.aborted.range((producer, last)..).next();
        match next {
            Some((key, txn)) if key.0 == producer && txn.first_offset <= last => {
                self.observed.insert(*key);
                true
            }
            _ => {
                self.committing.insert(producer);
                false
            }
        }
    }

    /// What a control batch ends. `key` is that of its first record; none: the cleaner has emptied it before.
    pub(super) fn meet_marker(
        &mut self,
        batch: &BatchHeader,
        key: Option<&[u8]>,
    ) -> Result<Marker, CleaningError> {
        let Some(key) = key else {
            return Ok(Marker::Idle);
        };
        let (producer, offset) = (batch.producer_id, batch.last_offset());
        let control_type = ControlType::from_key(key)
            .map_err(|source| CleaningError::Control { offset, source })?;
        let committing = self.committing.contains(&producer);
        let marker = match control_type {
            ControlType::Commit if committing => Marker::Needed,
            ControlType::Commit => Marker::Idle,
            ControlType::Abort if committing => {
                return Err(CleaningError::UnknownAbort { marker: offset });
            }
            ControlType::Abort => match self.aborted.get(&(producer, offset)) {
                Some(txn) if self.observed.remove(&(producer, offset)) => Marker::NeededAbort(*txn),
                _ => Marker::Idle,
            },
            _ => return Ok(Marker::Needed),
        };
        self.committing.remove(&producer);
        Ok(marker)
    }
}
