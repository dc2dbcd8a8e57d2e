//! What the accumulator knows of the transaction its records belong to.
//!
//! Pure. Always: records are taken and batches sent only while a transaction is open and has not failed; the first
//! failure stays until the next transaction begins. Not here: the coordinator, and what a failure means to the
//! application.

use super::{ProduceError, TransactionError};

/// Which of the two protocols a transaction follows; the cluster's feature `transaction.version` decides (KIP-890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransactionProtocol {
    /// The coordinator is told of each partition before the first batch goes there; the epoch stays.
    V1,
    /// The leaders tell the coordinator; each transaction has an epoch of its own.
    V2,
}

/// Whether the coordinator knows that the transaction has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Started {
    #[default]
    No,
    /// It was told and did not say that it has understood.
    Perhaps,
    Yes,
}

#[derive(Debug)]
pub(super) struct Scope {
    protocol: TransactionProtocol,
    is_open: bool,
    started: Started,
    /// An AddPartitionsToTxn is under way.
    is_adding: bool,
    failure: Option<TransactionError>,
}

impl Scope {
    /// Before the first transaction.
    pub(super) fn closed() -> Self {
        Self {
            protocol: TransactionProtocol::V1,
            is_open: false,
            started: Started::No,
            is_adding: false,
            failure: None,
        }
    }

    pub(super) fn begin(protocol: TransactionProtocol) -> Self {
        Self {
            protocol,
            is_open: true,
            ..Self::closed()
        }
    }

    /// No further records belong to the transaction.
    pub(super) fn end(&mut self) {
        self.is_open = false;
    }

    /// Nothing more of it is to be written.
    pub(super) fn fail(&mut self, error: TransactionError) {
        self.failure.get_or_insert(error);
    }

    pub(super) fn failure(&self) -> Option<&TransactionError> {
        self.failure.as_ref()
    }

    /// Whether a record may be added, or why not.
    pub(super) fn takes_records(&self) -> Result<(), ProduceError> {
        match &self.failure {
            Some(error) => Err(error.cause.clone()),
            None if self.is_open => Ok(()),
            None => Err(ProduceError::NoTransaction),
        }
    }

    /// Whether partitions must be added before anything is sent to them.
    pub(super) fn adds_partitions(&self) -> bool {
        self.protocol == TransactionProtocol::V1
    }

    pub(super) fn protocol(&self) -> TransactionProtocol {
        self.protocol
    }

    pub(super) fn note_started(&mut self, started: Started) {
        self.started = self.started.max(started);
    }

    pub(super) fn started(&self) -> Started {
        self.started
    }

    pub(super) fn set_adding(&mut self, is_adding: bool) {
        self.is_adding = is_adding;
    }

    pub(super) fn is_adding(&self) -> bool {
        self.is_adding
    }
}
