//! Hosts the transaction coordinator: one machine of `ottla_coordination::txn::coordinator` for each partition of
//! `__transaction_state`.
//!
//! Always: as with groups (`exec::groups`), a command is decided on the task that brings it and answered once its
//! decision is committed. The coordinator epoch of a machine is its partition's leader epoch.
//! Deliberately not here: what is decided, how a marker is written, and creating the topic.

mod ends;
mod errands;
mod settings;

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::Loading;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::txn::Verification;
use ottla_coordination::txn::coordinator::{
    TxnCommand, TxnErrand, TxnMachine, TxnRecord, TxnSettings,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::batch::NO_SEQUENCE;
use ottla_protocol::records::{BatchHeader, OwnedRecord};
use ottla_protocol::types::{Millis, Offset};

use super::Storage;
use super::auto_create::TRANSACTIONS_TOPIC;
use super::partition::Partition;
use super::shard::{Coordinator, Shard, Shards, append_plain};
use crate::broker::Broker;
use ends::Ends;
pub(crate) use ends::NextEnd;
use errands::Errands;

pub(crate) type Transactions = Shards<TxnCoordinator>;

pub(crate) struct TxnCoordinator {
    broker: Weak<Broker>,
    /// A machine in service has been told the newest, for it is stored before the machines that are in service are
    /// told, and one that enters service reads it after that.
    settings: ArcSwap<TxnSettings>,
    errands: Errands,
    ends: Ends,
}

impl Coordinator for TxnCoordinator {
    type Machine = TxnMachine;

    const TOPIC: &'static str = TRANSACTIONS_TOPIC;

    fn machine(&self, partition: &Partition) -> TxnMachine {
        let settings = self.settings.load();
        TxnMachine::new((**settings).clone(), partition.leader_epoch().0)
    }

    fn load_record(
        loading: &mut Loading<TxnMachine>,
        _: &BatchHeader,
        record: OwnedRecord,
    ) -> Result<(), String> {
        let decoded = TxnRecord::decode(record.key, record.value);
        if let Some(decoded) = decoded.map_err(|error| error.to_string())? {
            loading.load(record.offset, &decoded);
        }
        Ok(())
    }

    fn first_command(&self) -> Option<TxnCommand> {
        let settings = self.settings.load();
        Some(TxnCommand::SettingsChanged((**settings).clone()))
    }

    fn append(
        partition: &Arc<Partition>,
        now: Millis,
        records: &[TxnRecord],
        _: Verification,
    ) -> Result<Offset, ErrorCode> {
        append_plain(
            partition,
            now,
            NO_SEQUENCE,
            records.iter().map(TxnRecord::encode),
        )
    }

    fn run_errand(&self, shard: &Arc<Shard<Self>>, errand: TxnErrand) {
        // Without a broker the process ends.
        if let Some(broker) = self.broker.upgrade() {
            self.errands.run(broker, shard.clone(), errand);
        }
    }
}

impl Transactions {
    /// Of the broker that carries errands out.
    pub(crate) fn new(broker: Weak<Broker>, config: &BrokerConfig) -> Self {
        let settings = settings::settings(config, &MetadataImage::default());
        Self::of(TxnCoordinator {
            broker,
            settings: ArcSwap::from_pointee(settings),
            errands: Errands::default(),
            ends: Ends::default(),
        })
    }

    /// Takes over the partitions of a newly published image, and tells the machines what holds from now on.
    pub(crate) fn follow(
        &self,
        storage: &Storage,
        config: &BrokerConfig,
        old: &MetadataImage,
        new: &MetadataImage,
    ) {
        let current = &self.coordinator().settings;
        let settings = settings::settings(config, new);
        if **current.load() != settings {
            current.store(Arc::new(settings.clone()));
            self.tell_all(|| TxnCommand::SettingsChanged(settings.clone()));
        }
        if !std::ptr::eq(old.topics(), new.topics()) {
            self.take_over(storage);
        }
    }

    /// What every machine has been told, or is about to be.
    pub(crate) fn settings(&self) -> Arc<TxnSettings> {
        self.coordinator().settings.load_full()
    }

    /// The next end of a transaction of the producer's, to be waited for.
    pub(crate) fn next_end<'a>(&'a self, transactional_id: &'a str) -> NextEnd<'a> {
        self.coordinator().ends.watch(transactional_id)
    }

    /// Ends the service, and what was done for it.
    pub(crate) async fn end(&self) {
        self.close();
        self.coordinator().errands.end().await;
    }
}
