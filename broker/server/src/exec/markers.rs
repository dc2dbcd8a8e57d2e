//! Writes the markers that end transactions to the logs of their partitions.
//!
//! Always: a marker counts as written once it is as durable as an acknowledgement with `acks=all`. All partitions of a
//! transaction get theirs before any of them is waited for.
//! Not here: how a transaction ends, and when to try again; the transaction coordinator decides.

use std::sync::Arc;

use ottla_coordination::txn::EndTransaction;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::PartitionIndex;

use super::auto_create::OFFSETS_TOPIC;
use super::waits::AckWait;
use crate::broker::Broker;
use crate::clock;

/// A marker on its way.
pub(crate) struct Marker(Result<Option<Arc<AckWait>>, ErrorCode>);

impl Marker {
    /// Waits until it is there for good; else why it is not.
    pub(crate) async fn settled(self) -> Result<(), ErrorCode> {
        let Some(wait) = self.0? else {
            return Ok(());
        };
        wait.release();
        match wait.settled().await {
            true => Ok(()),
            false => Err(ErrorCode::KafkaStorageError),
        }
    }
}

/// Appends a partition's marker.
pub(crate) fn append(
    broker: &Broker,
    topic: &str,
    index: PartitionIndex,
    end: &EndTransaction,
) -> Marker {
    let Some(partition) = broker.storage.topics.partition(topic, index.0) else {
        return Marker(Err(ErrorCode::UnknownTopicOrPartition));
    };
    if topic == OFFSETS_TOPIC {
        // The machine of its groups has to learn of it at its place in the log, and cannot yet.
        return Marker(Err(ErrorCode::NotLeaderOrFollower));
    }
    let mut wait = None;
    let appended = partition.append_marker(end, &mut wait, clock::now());
    Marker(appended.map(|_| wait))
}
