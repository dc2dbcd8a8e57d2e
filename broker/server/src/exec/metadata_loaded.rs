//! What snapshot and log of the metadata add up to, record by record.
//!
//! Always: the records of a transaction (KIP-868) count once it is ended, all or none of them.

use ottla_coordination::controller::MetadataImage;
use ottla_protocol::messages::metadata::{MetadataRecord, NoOpRecord};
use ottla_protocol::types::Offset;

use super::quorum_records::QuorumRecords;

#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) image: MetadataImage,
    pub(crate) quorum: QuorumRecords,
    /// Records of the transaction that has begun and not ended.
    transaction: Option<Vec<(Offset, MetadataRecord)>>,
}

impl Loaded {
    pub(crate) fn apply(&mut self, offset: Offset, record: MetadataRecord) {
        match (&record, &mut self.transaction) {
            (MetadataRecord::BeginTransaction(_), _) => self.transaction = Some(Vec::new()),
            (MetadataRecord::EndTransaction(_), Some(records)) => {
                for (offset, record) in std::mem::take(records) {
                    self.image.apply(offset, &record);
                }
                self.transaction = None;
            }
            (MetadataRecord::AbortTransaction(_), _) => self.transaction = None,
            (_, Some(records)) => {
                records.push((offset, record));
                return;
            }
            _ => {}
        }
        self.image.apply(offset, &record);
    }

    /// Forgets the transaction that nobody will end any more; true if there was one. Its offsets stay taken.
    pub(crate) fn drop_open_transaction(&mut self) -> bool {
        let Some(records) = self.transaction.take() else {
            return false;
        };
        if let Some((last, _)) = records.last() {
            let nothing = MetadataRecord::NoOp(NoOpRecord::default());
            self.image.apply(*last, &nothing);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::metadata::{
        AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord,
    };

    use super::*;

    fn level(level: i16) -> MetadataRecord {
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: level,
            ..Default::default()
        })
    }

    fn loaded(records: Vec<MetadataRecord>) -> Loaded {
        let mut loaded = Loaded::default();
        for (offset, record) in (0..).zip(records) {
            loaded.apply(Offset(offset), record);
        }
        loaded
    }

    fn begin() -> MetadataRecord {
        MetadataRecord::BeginTransaction(BeginTransactionRecord::default())
    }

    #[test]
    fn the_records_of_a_transaction_count_together_or_not_at_all() {
        let end = MetadataRecord::EndTransaction(EndTransactionRecord::default());
        let abort = MetadataRecord::AbortTransaction(AbortTransactionRecord::default());
        let after = |loaded: &Loaded| loaded.image.features().get("metadata.version").copied();
        let ended = loaded(vec![level(20), begin(), level(21), end]);
        assert_eq!((after(&ended), ended.image.end()), (Some(21), Offset(4)));
        let aborted = loaded(vec![level(20), begin(), level(21), abort]);
        assert_eq!(
            (after(&aborted), aborted.image.end()),
            (Some(20), Offset(4))
        );
        let mut open = loaded(vec![level(20), begin(), level(21)]);
        assert_eq!(after(&open), Some(20));
        assert!(open.drop_open_transaction());
        assert_eq!((after(&open), open.image.end()), (Some(20), Offset(3)));
        assert!(!open.drop_open_transaction());
    }
}
