//! What the machines send the shell out for: tasks of their own, so that no machine waits for another one, or for itself.
//!
//! Always: every errand is reported to the machine that sent it, unless the service has ended. Once `end` returns none
//! runs any more, so that nothing is written into partitions that are being closed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordination::txn::EndTransaction;
use ottla_coordination::txn::coordinator::{
    MarkerOutcome, MarkersWritten, TopicPartition, TxnCommand, TxnErrand, WriteMarkers,
};
use ottla_protocol::errors::ErrorCode;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::TxnCoordinator;
use crate::broker::Broker;
use crate::exec::markers::{self, Marker};
use crate::exec::shard::Shard;

/// How many producer ids a machine gets at a time: few, as there is a machine for each of fifty partitions and what it
/// has left is lost with it, and enough for those that come while it asks for more.
const PRODUCER_IDS_EACH: i32 = 10;

#[derive(Default)]
pub(super) struct Errands {
    running: Mutex<JoinSet<()>>,
}

impl Errands {
    pub(super) fn run(
        &self,
        broker: Arc<Broker>,
        shard: Arc<Shard<TxnCoordinator>>,
        errand: TxnErrand,
    ) {
        let mut running = self.running.lock();
        while running.try_join_next().is_some() {}
        match errand {
            TxnErrand::ProducerIds => running.spawn(async move {
                let given = broker.producer_ids.some(&broker, PRODUCER_IDS_EACH).await;
                drop(shard.ask(TxnCommand::ProducerIdsGiven(given)));
            }),
            TxnErrand::WriteMarkers(wanted) => running.spawn(async move {
                let id = wanted.producer.transactional_id.clone();
                let written = write_markers(&broker, wanted).await;
                drop(shard.ask(TxnCommand::MarkersWritten(written)));
                broker.transactions.coordinator().ends.ended(&id);
            }),
        };
    }

    /// For when no machine is left that could send anybody out.
    pub(super) async fn end(&self) {
        let mut running = std::mem::take(&mut *self.running.lock());
        running.shutdown().await;
    }
}

async fn write_markers(broker: &Broker, wanted: WriteMarkers) -> MarkersWritten {
    let WriteMarkers {
        producer,
        coordinator_epoch,
        ..
    } = wanted;
    let end = EndTransaction {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        outcome: wanted.outcome,
        coordinator_epoch,
        transaction_version: wanted.transaction_version,
    };
    let begun = wanted.partitions.into_iter().map(|it| {
        let marker = markers::append(broker, &it.topic, it.partition, &end);
        (it, marker)
    });
    // All are on their logs before the first is waited for.
    let begun: Vec<(TopicPartition, Marker)> = begun.collect();
    let mut outcomes = BTreeMap::new();
    for (partition, marker) in begun {
        outcomes.insert(partition, outcome(marker.settled().await));
    }
    MarkersWritten {
        producer,
        coordinator_epoch,
        outcomes,
    }
}

fn outcome(written: Result<(), ErrorCode>) -> MarkerOutcome {
    match written {
        // A partition that is not there any more has nothing left to end.
        Ok(()) | Err(ErrorCode::UnknownTopicOrPartition) => MarkerOutcome::Done,
        Err(ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced) => {
            MarkerOutcome::Fenced
        }
        Err(_) => MarkerOutcome::Retry,
    }
}
