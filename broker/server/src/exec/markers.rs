//! Writes the markers that end transactions to the logs of their partitions.
//!
//! Always: a marker counts as written once it is as durable as an acknowledgement with `acks=all`. All partitions of a
//! transaction get theirs before any of them is waited for.
//! Not here: how a transaction ends, and when to try again; the transaction coordinator decides.

use std::sync::Arc;

use ottla_coordination::group::Response;
use ottla_coordination::txn::EndTransaction;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::PartitionIndex;

use super::auto_create::OFFSETS_TOPIC;
use super::shard::Asked;
use super::waits::AckWait;
use crate::broker::Broker;
use crate::clock;

/// A marker on its way.
pub(crate) enum Marker {
    Refused(ErrorCode),
    Appended(Option<Arc<AckWait>>),
    /// To a partition of offsets.
    Asked(Asked<Response>),
}

impl Marker {
    /// Waits until it is there for good; else why it is not.
    pub(crate) async fn settled(self) -> Result<(), ErrorCode> {
        match self {
            Self::Refused(error) => Err(error),
            Self::Appended(None) => Ok(()),
            Self::Appended(Some(wait)) => {
                wait.release();
                match wait.settled().await {
                    true => Ok(()),
                    false => Err(ErrorCode::KafkaStorageError),
                }
            }
            Self::Asked(asked) => asked.answer().await.map(drop).map_err(to_log_error),
        }
    }
}

/// Who wants markers written expects of a coordinator what it expects of any partition.
fn to_log_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::NotCoordinator => ErrorCode::NotLeaderOrFollower,
        other => other,
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
        return Marker::Refused(ErrorCode::UnknownTopicOrPartition);
    };
    if topic == OFFSETS_TOPIC {
        // The machine of its groups has to learn of it at its place in the log.
        return Marker::Asked(broker.groups.end_transaction(index, *end));
    }
    let mut wait = None;
    match partition.append_marker(end, &mut wait, clock::now()) {
        Ok(_) => Marker::Appended(wait),
        Err(error) => Marker::Refused(error),
    }
}
