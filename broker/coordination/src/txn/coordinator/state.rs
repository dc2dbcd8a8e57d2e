//! A transactional id as its last record tells it, and the steps that lead from one record to the next.
//!
//! Always: a step keeps the id's producer epoch or raises it; where epochs run out, the producer id changes and the
//! epoch begins at 0. Every step is a function of what was before; time and ids come in.

use std::collections::BTreeSet;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, PartitionIndex, ProducerEpoch, ProducerId};

/// Stands for no epoch, in requests and in memory.
pub const NO_EPOCH: ProducerEpoch = ProducerEpoch(-1);
const EPOCH_MAX: i16 = i16::MAX;

/// Level of the feature `transaction.version`, of the cluster or as a client speaks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionVersion(pub i16);

impl TransactionVersion {
    /// KIP-890: every transaction gets an epoch of its own.
    #[must_use]
    pub fn supports_epoch_bump(self) -> bool {
        self.0 >= 2
    }

    /// In which version `TransactionLogValue` is written.
    #[must_use]
    pub fn log_value_version(self) -> i16 {
        self.0.clamp(0, 1)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: PartitionIndex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionState {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

impl TransactionState {
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// As the log has it.
    #[must_use]
    pub fn id(self) -> i8 {
        match self {
            Self::Empty => 0,
            Self::Ongoing => 1,
            Self::PrepareCommit => 2,
            Self::PrepareAbort => 3,
            Self::CompleteCommit => 4,
            Self::CompleteAbort => 5,
        }
    }

    #[must_use]
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.id() == id)
    }

    /// As ListTransactions and DescribeTransactions have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }

    /// The decision that is being carried out; none where nothing is decided or all is done.
    #[must_use]
    pub fn prepared(self) -> Option<Outcome> {
        match self {
            Self::PrepareCommit => Some(Outcome::Commit),
            Self::PrepareAbort => Some(Outcome::Abort),
            _ => None,
        }
    }

    /// Whether nothing is open, so that the id may expire.
    #[must_use]
    pub fn is_at_rest(self) -> bool {
        matches!(
            self,
            Self::Empty | Self::CompleteCommit | Self::CompleteAbort
        )
    }

    fn may_follow(self, before: Self) -> bool {
        match self {
            Self::Empty => before.is_at_rest(),
            Self::Ongoing => before == Self::Ongoing || before.is_at_rest(),
            Self::PrepareCommit => before == Self::Ongoing,
            Self::PrepareAbort => before == Self::Ongoing || before.is_at_rest(),
            Self::CompleteCommit => before == Self::PrepareCommit,
            Self::CompleteAbort => before == Self::PrepareAbort,
        }
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Commit,
    Abort,
}

impl Outcome {
    fn prepare(self) -> TransactionState {
        match self {
            Self::Commit => TransactionState::PrepareCommit,
            Self::Abort => TransactionState::PrepareAbort,
        }
    }

    fn complete(self) -> TransactionState {
        match self {
            Self::Commit => TransactionState::CompleteCommit,
            Self::Abort => TransactionState::CompleteAbort,
        }
    }
}

/// One transactional id: the fields of its `TransactionLogValue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub producer_id: ProducerId,
    /// The producer id before the last step; most often the same.
    pub previous_producer_id: ProducerId,
    /// Takes over when the prepared transaction is complete; none while epochs last.
    pub next_producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub timeout_ms: i32,
    pub state: TransactionState,
    pub partitions: BTreeSet<TopicPartition>,
    /// None: no transaction since the producer was initialized.
    pub started_at: Option<Millis>,
    pub updated_at: Millis,
    /// Of the client that made the last step in which it matters.
    pub client_version: TransactionVersion,
}

/// Where a step leads.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) after: Transaction,
    /// The epoch that the producer had before, for telling a retry. It is not on the log and lost with the coordinator.
    pub(super) last_epoch: ProducerEpoch,
}

impl Transaction {
    /// The first record of a transactional id.
    pub(super) fn created(producer_id: ProducerId, timeout_ms: i32, now: Millis) -> Step {
        Step {
            after: Self {
                producer_id,
                previous_producer_id: producer_id,
                next_producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch(0),
                timeout_ms,
                state: TransactionState::Empty,
                partitions: BTreeSet::new(),
                started_at: None,
                updated_at: now,
                client_version: TransactionVersion(0),
            },
            last_epoch: NO_EPOCH,
        }
    }

    /// The highest epoch is kept free, so that a producer can always be fenced.
    #[must_use]
    pub fn is_epoch_exhausted(&self) -> bool {
        is_exhausted(self.producer_epoch)
    }

    /// Two-phase commit has no timeout.
    #[must_use]
    pub fn has_timed_out(&self, now: Millis) -> bool {
        self.state == TransactionState::Ongoing
            && self.timeout_ms != i32::MAX
            && self
                .started_at
                .is_some_and(|start| start.plus(Millis(self.timeout_ms.into())) < now)
    }

    /// A producer begins anew, or goes on after an error if it tells the epoch that it had.
    pub(super) fn increment_epoch(
        &self,
        last_epoch: ProducerEpoch,
        timeout_ms: i32,
        expected: Option<ProducerEpoch>,
        now: Millis,
    ) -> Result<Step, ErrorCode> {
        if self.is_epoch_exhausted() {
            // Only with an expected epoch that is not the current one; the reference has no better answer either.
            return Err(ErrorCode::UnknownServerError);
        }
        let bumped = ProducerEpoch(self.producer_epoch.0 + 1);
        let (epoch, last_epoch) = match expected {
            None => (bumped, NO_EPOCH),
            Some(expected) if expected == self.producer_epoch => (bumped, self.producer_epoch),
            // A retry of what has succeeded. A new producer would have made the last epoch unknown.
            Some(expected) if expected == last_epoch => (self.producer_epoch, last_epoch),
            Some(_) => return Err(ErrorCode::ProducerFenced),
        };
        Ok(self.initialized(self.producer_id, epoch, last_epoch, timeout_ms, now))
    }

    /// A producer begins anew with another id, as the epochs of the one it had are used up.
    pub(super) fn rotate(
        &self,
        producer_id: ProducerId,
        timeout_ms: i32,
        last_epoch: ProducerEpoch,
        now: Millis,
    ) -> Step {
        self.initialized(producer_id, ProducerEpoch(0), last_epoch, timeout_ms, now)
    }

    fn initialized(
        &self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        last_epoch: ProducerEpoch,
        timeout_ms: i32,
        now: Millis,
    ) -> Step {
        let after = Self {
            producer_id,
            producer_epoch,
            timeout_ms,
            partitions: BTreeSet::new(),
            started_at: None,
            ..self.next(TransactionState::Empty, now)
        };
        Step { after, last_epoch }
    }

    pub(super) fn add_partitions(
        &self,
        last_epoch: ProducerEpoch,
        partitions: &BTreeSet<TopicPartition>,
        client_version: TransactionVersion,
        now: Millis,
    ) -> Step {
        let started_at = if self.state == TransactionState::Ongoing {
            self.started_at
        } else {
            Some(now)
        };
        let after = Self {
            partitions: self.partitions.union(partitions).cloned().collect(),
            started_at,
            client_version,
            ..self.next(TransactionState::Ongoing, now)
        };
        Step { after, last_epoch }
    }

    /// Decides the transaction. With KIP-890 the markers carry the next epoch, in which the producer goes on.
    pub(super) fn prepare(
        &self,
        last_epoch: ProducerEpoch,
        outcome: Outcome,
        client_version: TransactionVersion,
        next_producer_id: ProducerId,
        now: Millis,
    ) -> Step {
        let (producer_epoch, last_epoch) = if client_version.supports_epoch_bump() {
            // At the very end the epoch stays: what can't be bumped can still be aborted.
            let bumped = ProducerEpoch(self.producer_epoch.0.saturating_add(1));
            (bumped, self.producer_epoch)
        } else {
            (self.producer_epoch, last_epoch)
        };
        // A client may abort what has no partitions yet; then this is its start.
        let started_at = if self.state == TransactionState::Ongoing {
            self.started_at
        } else {
            Some(now)
        };
        let after = Self {
            producer_epoch,
            next_producer_id,
            started_at,
            client_version,
            ..self.next(outcome.prepare(), now)
        };
        Step { after, last_epoch }
    }

    /// Aborts the transaction of a producer that is to write no more, as it was before KIP-890: the epoch rises first.
    pub(super) fn fence(&self, now: Millis) -> Step {
        let fenced = Self {
            producer_epoch: ProducerEpoch(self.producer_epoch.0.saturating_add(1)),
            ..self.clone()
        };
        let version = TransactionVersion(0);
        fenced.prepare(NO_EPOCH, Outcome::Abort, version, ProducerId::NONE, now)
    }

    /// All markers are written.
    pub(super) fn complete(&self, last_epoch: ProducerEpoch, now: Millis) -> Step {
        let outcome = self.state.prepared();
        let state = outcome.expect("a prepared transaction").complete();
        let rotates =
            self.client_version.supports_epoch_bump() && self.next_producer_id != ProducerId::NONE;
        let (producer_id, producer_epoch) = if rotates {
            (self.next_producer_id, ProducerEpoch(0))
        } else {
            (self.producer_id, self.producer_epoch)
        };
        let after = Self {
            producer_id,
            producer_epoch,
            next_producer_id: ProducerId::NONE,
            partitions: BTreeSet::new(),
            ..self.next(state, now)
        };
        Step { after, last_epoch }
    }

    fn next(&self, state: TransactionState, now: Millis) -> Self {
        assert!(
            state.may_follow(self.state),
            "{state:?} can't follow {:?}",
            self.state
        );
        Self {
            previous_producer_id: self.producer_id,
            state,
            updated_at: now,
            ..self.clone()
        }
    }
}

pub(super) fn is_exhausted(epoch: ProducerEpoch) -> bool {
    epoch.0 >= EPOCH_MAX - 1
}
