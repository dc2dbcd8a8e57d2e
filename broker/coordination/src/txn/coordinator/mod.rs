//! The transaction coordinator: the machine behind one partition of `__transaction_state`.
//!
//! Owns: which producer holds a transactional id, what its transaction comprises, how it ends, and that every decision
//! reaches every partition.
//! Always: an id's producer epoch never falls while its producer id stays; an id has one transaction at most; a
//! decision is on the log for good before a client or a partition hears of it, and does not change.
//! Not here: writing markers and fetching producer ids (see [`TxnErrand`]), access, API versions, what partitions
//! keep of producers (`producer_state`).
//!
//! The reference answers CONCURRENT_TRANSACTIONS while a record is on its way to its replicas. Here a record counts
//! from the moment it is appended and answers wait for the log, so such a request is decided on the new state instead.

mod add_partitions;
mod commands;
mod describe;
mod end_txn;
mod init_producer_id;
mod markers;
mod records;
mod settings;
mod soft;
mod state;
mod timeouts;

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, ProducerId};

use crate::effects::{Effects, ReplyToken};
use crate::machine::{Machine, coordinator_error};

pub use commands::{
    AddPartitionsToTxn, EndTxn, InitProducerId, MarkerOutcome, MarkersWritten, TxnCommand,
    TxnErrand, TxnProducer, TxnResponse, WriteMarkers,
};
pub use describe::unknown_states;
pub use records::{TxnRecord, TxnRecordError};
pub use settings::TxnSettings;
pub use state::{
    NO_EPOCH, Outcome, TopicPartition, Transaction, TransactionState, TransactionVersion,
};

use soft::Soft;
use state::Step;

/// What a client is told that is to try again when there are producer ids.
const NO_PRODUCER_ID: ErrorCode = ErrorCode::CoordinatorLoadInProgress;

/// The transactional ids of one partition of `__transaction_state`.
#[derive(Debug)]
pub struct TxnMachine {
    settings: TxnSettings,
    /// Leader epoch of the partition: tells this coordinator's markers from its predecessors'.
    coordinator_epoch: i32,
    hard: Hard,
    soft: Soft,
}

/// What replaying the log gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hard {
    transactions: BTreeMap<String, Transaction>,
}

impl Hard {
    #[must_use]
    pub fn get(&self, transactional_id: &str) -> Option<&Transaction> {
        self.transactions.get(transactional_id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.transactions
            .iter()
            .map(|(id, transaction)| (id.as_str(), transaction))
    }

    fn apply(&mut self, record: &TxnRecord) {
        let id = record.transactional_id.clone();
        match &record.transaction {
            Some(transaction) => self.transactions.insert(id, transaction.clone()),
            None => self.transactions.remove(&id),
        };
    }
}

/// The machine's timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TxnTimer {
    /// The next attempt at a prepared transaction's markers.
    Markers { transactional_id: String },
    /// The next look for transactions that have timed out; armed while any is open.
    CheckTimeouts,
    /// The next look for transactional ids that nobody has used for long.
    ExpireIds,
}

impl TxnMachine {
    #[must_use]
    pub fn new(settings: TxnSettings, coordinator_epoch: i32) -> Self {
        Self {
            settings,
            coordinator_epoch,
            hard: Hard::default(),
            soft: Soft::default(),
        }
    }

    #[must_use]
    pub fn hard(&self) -> &Hard {
        &self.hard
    }

    /// Makes a step a record; all records but tombstones come from here.
    fn propose(&mut self, id: &str, step: Step) -> TxnRecord {
        self.soft.propose(id, step.last_epoch);
        let version = self.settings.transaction_version;
        TxnRecord::new(id, Some(step.after), version)
    }

    /// Where none is left the shell has been asked for more.
    fn take_producer_id(&mut self, out: &mut Effects<Self>) -> Result<ProducerId, ErrorCode> {
        let taken = self.soft.reserve.take();
        if self.soft.reserve.ask(self.settings.producer_ids_low) {
            out.send(TxnErrand::ProducerIds);
        }
        taken.ok_or(NO_PRODUCER_ID)
    }
}

impl Machine for TxnMachine {
    type Command = TxnCommand;
    type Record = TxnRecord;
    type Response = TxnResponse;
    type Timer = TxnTimer;
    type Errand = TxnErrand;

    fn handle(
        &mut self,
        now: Millis,
        token: ReplyToken,
        command: TxnCommand,
        out: &mut Effects<Self>,
    ) {
        match command {
            TxnCommand::InitProducerId(request) => self.init_producer_id(now, token, request, out),
            TxnCommand::AddPartitionsToTxn(request) => {
                self.add_partitions(now, token, &request, out);
            }
            TxnCommand::VerifyPartitions {
                producer,
                partitions,
            } => out.reply(token, self.verify_partitions(&producer, partitions)),
            TxnCommand::EndTxn(request) => self.end_txn(now, token, &request, out),
            TxnCommand::ListTransactions(request) => {
                out.reply(token, self.list_transactions(now, &request));
            }
            TxnCommand::DescribeTransactions { transactional_ids } => {
                out.reply(token, self.describe_transactions(transactional_ids));
            }
            TxnCommand::MarkersWritten(written) => {
                self.markers_written(now, &written, out);
                out.reply(token, TxnResponse::Noted);
            }
            TxnCommand::ProducerIdsGiven(given) => {
                self.producer_ids_given(now, given, out);
                out.reply(token, TxnResponse::Noted);
            }
            TxnCommand::SettingsChanged(settings) => {
                self.settings = settings;
                out.reply(token, TxnResponse::Noted);
            }
        }
    }

    fn on_timer(&mut self, now: Millis, timer: TxnTimer, out: &mut Effects<Self>) {
        match timer {
            TxnTimer::Markers { transactional_id } => {
                self.retry_markers(now, &transactional_id, out);
            }
            TxnTimer::CheckTimeouts => self.check_timeouts(now, out),
            TxnTimer::ExpireIds => self.expire_ids(now, out),
        }
    }

    fn apply(&mut self, _: Offset, record: &TxnRecord) {
        self.hard.apply(record);
        self.soft.follow(record);
    }

    fn on_loaded(&mut self, now: Millis, out: &mut Effects<Self>) {
        self.resume_markers(now, out);
        if !self.soft.ongoing.is_empty() {
            self.check_timeouts_later(now, out);
        }
        self.expire_ids_later(now, out);
    }

    fn on_append_failed(
        &mut self,
        now: Millis,
        records: &[TxnRecord],
        _: ErrorCode,
        out: &mut Effects<Self>,
    ) {
        self.take_back(now, records, out);
    }

    fn client_error(error: ErrorCode) -> ErrorCode {
        coordinator_error(error)
    }
}
