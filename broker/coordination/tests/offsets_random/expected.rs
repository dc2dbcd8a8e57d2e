//! What a log of the offsets topic says about one partition, told from the end instead of record by record.
//!
//! Of the records about it that no tombstone follows and that no transaction took back, the last counts once the
//! transaction that it is of, if it is of one, has been committed; the others are pending while theirs is open.

use ottla_coordination::group::{GroupRecord, TransactionRecord};
use ottla_coordination::txn::coordinator::Outcome;
use ottla_protocol::messages::internal::OffsetCommitKey;

use crate::support::end_after;

/// The committed offset, and whether there are others that may take its place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) committed: Option<i64>,
    pub(super) is_pending: bool,
}

pub(super) fn expected(
    log: &[GroupRecord],
    group_id: &str,
    topic: &str,
    partition: i32,
) -> Expected {
    let is_it = |key: &OffsetCommitKey| {
        key.group == group_id && key.topic == topic && key.partition == partition
    };
    let mut expected = Expected::default();
    for (at, record) in log.iter().enumerate().rev() {
        let counts = match record {
            GroupRecord::OffsetCommit { key, value } if is_it(key) => match value {
                Some(value) => Some(value.offset),
                None => break,
            },
            GroupRecord::Transaction(TransactionRecord::Offset {
                producer_id,
                key,
                value,
                ..
            }) if is_it(key) => match end_after(log, at, *producer_id) {
                Some(Outcome::Commit) => Some(value.offset),
                Some(Outcome::Abort) => None,
                None => {
                    expected.is_pending = true;
                    None
                }
            },
            _ => None,
        };
        expected.committed = expected.committed.or(counts);
    }
    expected
}
