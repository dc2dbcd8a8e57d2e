//! Ends of transactions: their markers on the log, and the index of those that were aborted.
//!
//! Always: an aborted transaction is in the index from the moment its marker is on the log, under one lock, and both are
//! durable with the same flush. What a crash leaves of one without the other the replay of the log mends (`producers`).
//! Not here: who decides how a transaction ends.

use std::sync::Arc;

use ottla_coordination::txn::{EndTransaction, ProducerBatch, TxnMarker, Verification};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::producer_snapshot::ProducerEntry;
use ottla_protocol::records::control::{EndTxnMarker, Place};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};
use tracing::error;

use super::replica::Replica;
use super::{Acks, Partition, Placed};
use crate::exec::txn_indexes::aborted;
use crate::exec::waits::AckWait;

impl Partition {
    /// Appends the marker that ends a producer's transaction here. It holds once `wait`, where there is one, has settled.
    pub(crate) fn append_marker(
        self: &Arc<Self>,
        end: &EndTransaction,
        wait: &mut Option<Arc<AckWait>>,
        now: Millis,
    ) -> Result<Placed, ErrorCode> {
        if self.settings().insync_replicas_min > 1 {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        self.check_room(now)?;
        let mut replica = self.open(now)?;
        let states = replica
            .producers(&*self.dir().disk)
            .map_err(|error| self.disk_failed(&error))?;
        let marker = end.marker(now);
        states.check_marker(&marker, end.transaction_version)?;
        let replica = &mut *replica;
        let log_end = replica.log.end();
        let written = self.write_marker(replica, &marker, now);
        if written.is_err() && replica.log.end() > log_end {
            self.take_back(replica, log_end, now);
        }
        let (placed, bytes) = written?;
        self.show_appended(replica, bytes, Acks::All, wait, now);
        Ok(placed)
    }

    /// What a batch can show for its transaction; see [`ProducerStates::begin_verification`].
    ///
    /// [`ProducerStates::begin_verification`]: ottla_coordination::txn::ProducerStates::begin_verification
    pub(crate) fn begin_verification(
        &self,
        batch: &ProducerBatch,
        supports_epoch_bump: bool,
        now: Millis,
    ) -> Result<Verification, ErrorCode> {
        let mut replica = self.open(now)?;
        let states = replica.producers(&*self.dir().disk);
        let states = states.map_err(|error| self.disk_failed(&error))?;
        states.begin_verification(batch, supports_epoch_bump, now)
    }

    /// What is remembered of the producers that have written here.
    pub(crate) fn active_producers(&self, now: Millis) -> Result<Vec<ProducerEntry>, ErrorCode> {
        if self.was_never_used() {
            return Ok(Vec::new());
        }
        let mut replica = self.open(now)?;
        let states = replica.producers(&*self.dir().disk);
        let states = states.map_err(|error| self.disk_failed(&error))?;
        Ok(states.to_entries())
    }

    /// The marker, its entry in the index, and what the state of the producers learns of it; or an error, and of these the
    /// marker alone.
    fn write_marker(
        &self,
        replica: &mut Replica,
        marker: &TxnMarker,
        now: Millis,
    ) -> Result<(Placed, usize), ErrorCode> {
        let mut batch = batch(marker)?;
        let log_append_time = self.settings().log_append_time;
        let appended = self.write_batch(replica, &mut batch, log_append_time, now)?;
        let offset = appended.base_offset;
        let states = replica.producers.as_ref();
        let completed = states.and_then(|states| states.completed_by(marker, offset));
        if let Some(txn) = completed.filter(|txn| !txn.committed) {
            self.dir()
                .with_room(|| replica.log.add_aborted(aborted(&txn)))
                .map_err(|error| self.disk_failed(&error))?;
        }
        if let Some(states) = &mut replica.producers {
            states.apply_marker(marker, offset);
        }
        let placed = Placed {
            base_offset: offset,
            log_append_time: appended.log_append_time,
            log_start: replica.log.start(),
        };
        Ok((placed, batch.len()))
    }

    /// A marker whose transaction could not be put into the index: without it readers would take what was aborted for
    /// committed. A copy that a move has made of it could not be taken back: no more of the directory then.
    fn take_back(&self, replica: &mut Replica, log_end: Offset, now: Millis) {
        let dir = self.dir();
        if self.cleaning.is_paused() {
            let why = "a marker without its index while the partition moves";
            return self.storage.dirs.fail(&dir, &why);
        }
        match dir.with_room(|| replica.log.truncate_to(log_end, now)) {
            Ok(segments) => {
                for segment in segments {
                    self.storage.keeper.remove_later(dir.clone(), segment);
                }
            }
            Err(error) => self.storage.dirs.fail(&dir, &error),
        }
    }
}

/// The control batch; the log gives it its offset and epoch.
fn batch(marker: &TxnMarker) -> Result<Vec<u8>, ErrorCode> {
    if marker.producer_id <= ProducerId::NONE || marker.producer_epoch < ProducerEpoch(0) {
        return Err(ErrorCode::InvalidRequest);
    }
    let at = Place {
        base_offset: Offset::ZERO,
        leader_epoch: LeaderEpoch(0),
        timestamp: marker.timestamp,
    };
    let end = EndTxnMarker {
        committed: marker.committed,
        coordinator_epoch: marker.coordinator_epoch,
    };
    let built = end.batch(at, marker.producer_id, marker.producer_epoch);
    built.map_err(|failure| {
        error!("a transaction's marker cannot be written: {failure}");
        ErrorCode::UnknownServerError
    })
}
