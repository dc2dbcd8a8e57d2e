//! What the transaction machine can be asked, what it answers, and what it sends the shell out for.
//!
//! Versions of requests are the shell's: it fills in what an old one does not tell, says INVALID_PRODUCER_EPOCH for
//! PRODUCER_FENCED where a client is too old to know better, and checks access and that topics exist.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_transactions::response::TransactionState as DescribedTransaction;
use ottla_protocol::messages::{
    EndTxnResponse, InitProducerIdResponse, ListTransactionsRequest, ListTransactionsResponse,
};
use ottla_protocol::types::{PartitionIndex, ProducerEpoch, ProducerId};
use ottla_protocol::wire::StrBytes;

use super::settings::TxnSettings;
use super::state::{Outcome, TopicPartition, TransactionVersion};
use crate::controller::ProducerIdBlock;

const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// A request to the transactional ids of one partition of `__transaction_state`.
#[derive(Clone, Debug)]
pub enum TxnCommand {
    InitProducerId(InitProducerId),
    AddPartitionsToTxn(AddPartitionsToTxn),
    /// AddPartitionsToTxn with `verify_only`: a broker asks whether it may append.
    VerifyPartitions {
        producer: TxnProducer,
        partitions: BTreeSet<TopicPartition>,
    },
    EndTxn(EndTxn),
    ListTransactions(ListTransactionsRequest),
    DescribeTransactions {
        transactional_ids: Vec<StrBytes>,
    },
    /// What came of [`TxnErrand::WriteMarkers`], told once for each.
    MarkersWritten(MarkersWritten),
    /// What came of [`TxnErrand::ProducerIds`], told once for each.
    ProducerIdsGiven(Result<ProducerIdBlock, ErrorCode>),
    /// The configuration or the feature `transaction.version` is another.
    SettingsChanged(TxnSettings),
}

/// Who a request says that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnProducer {
    pub transactional_id: String,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
}

/// Requests without a transactional id don't come here.
#[derive(Clone, Debug)]
pub struct InitProducerId {
    pub transactional_id: String,
    pub timeout_ms: i32,
    /// What the producer had before, if it had; both or none.
    pub expected: Option<(ProducerId, ProducerEpoch)>,
    pub enable_two_phase_commit: bool,
    pub keep_prepared: bool,
}

#[derive(Clone, Debug)]
pub struct AddPartitionsToTxn {
    pub producer: TxnProducer,
    pub partitions: BTreeSet<TopicPartition>,
    /// 2 from version 4 of the request on, else 0.
    pub client_version: TransactionVersion,
}

impl AddPartitionsToTxn {
    /// AddOffsetsToTxn: the partition to which the group's offsets go. Only clients before KIP-890 send it.
    #[must_use]
    pub fn offsets(producer: TxnProducer, group_partition: PartitionIndex) -> Self {
        let partition = TopicPartition {
            topic: OFFSETS_TOPIC.to_owned(),
            partition: group_partition,
        };
        Self {
            producer,
            partitions: BTreeSet::from([partition]),
            client_version: TransactionVersion(0),
        }
    }
}

#[derive(Clone, Debug)]
pub struct EndTxn {
    pub producer: TxnProducer,
    pub outcome: Outcome,
    /// 2 from version 5 of the request on, else 0.
    pub client_version: TransactionVersion,
}

#[derive(Clone, Debug)]
pub struct MarkersWritten {
    /// From the errand, as are the next two.
    pub producer: TxnProducer,
    pub coordinator_epoch: i32,
    /// Of every partition that the errand named.
    pub outcomes: BTreeMap<TopicPartition, MarkerOutcome>,
}

/// What became of one partition's marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerOutcome {
    /// It is on the partition's log for good, or the partition is gone or could never have been written to.
    Done,
    /// Not now: no leader, not enough replicas, a connection that broke, …
    Retry,
    /// INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED: a later coordinator has taken the transaction over, and
    /// this one asks for no more.
    Fenced,
}

/// What the shell is sent out for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxnErrand {
    /// The same marker may be asked for again: on a partition where the transaction has ended already it changes nothing.
    WriteMarkers(WriteMarkers),
    /// A block of ids that nobody else has.
    ProducerIds,
}

/// To be written at the end of each of the partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteMarkers {
    pub producer: TxnProducer,
    pub outcome: Outcome,
    /// Of the transaction, for the check of its epoch (KIP-1228).
    pub transaction_version: TransactionVersion,
    pub coordinator_epoch: i32,
    pub partitions: BTreeSet<TopicPartition>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TxnResponse {
    InitProducerId(InitProducerIdResponse),
    /// The same for all partitions.
    AddPartitionsToTxn(ErrorCode),
    VerifyPartitions(BTreeMap<TopicPartition, ErrorCode>),
    EndTxn(EndTxnResponse),
    ListTransactions(ListTransactionsResponse),
    DescribeTransactions(Vec<DescribedTransaction>),
    /// To what the shell tells.
    Noted,
}
