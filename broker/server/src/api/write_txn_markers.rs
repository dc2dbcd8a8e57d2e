//! WriteTxnMarkers (27): ends transactions on the partitions that this broker leads.
//!
//! - v1: flexible. v2: the transaction's version, for the check of its epoch (KIP-1228).
//!
//! The transaction coordinator of this broker does not come this way. Tools do that end a transaction which hangs.

use ottla_coordination::txn::EndTransaction;
use ottla_coordination::txn::coordinator::{Outcome, TransactionVersion};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::write_txn_markers::request::WritableTxnMarker;
use ottla_protocol::messages::write_txn_markers::response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use ottla_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use ottla_protocol::types::{PartitionIndex, ProducerEpoch, ProducerId};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::exec::markers::{self, Marker};

/// The markers of one producer, by topic and partition.
struct Begun {
    producer_id: i64,
    topics: Vec<(StrBytes, Vec<(i32, Marker)>)>,
}

pub(crate) fn handle(
    context: &Context<'_>,
    request: WriteTxnMarkersRequest,
) -> Answer<WriteTxnMarkersResponse> {
    let markers = request.markers.iter();
    let begun: Vec<Begun> = markers
        .map(|marker| begin(context.broker, marker))
        .collect();
    Answer::later(async move {
        let mut markers = Vec::with_capacity(begun.len());
        for begun in begun {
            markers.push(finish(begun).await);
        }
        WriteTxnMarkersResponse {
            markers,
            ..Default::default()
        }
    })
}

fn begin(broker: &Broker, marker: &WritableTxnMarker) -> Begun {
    let end = EndTransaction {
        producer_id: ProducerId(marker.producer_id),
        producer_epoch: ProducerEpoch(marker.producer_epoch),
        outcome: match marker.transaction_result {
            true => Outcome::Commit,
            false => Outcome::Abort,
        },
        coordinator_epoch: marker.coordinator_epoch,
        transaction_version: TransactionVersion(marker.transaction_version.into()),
    };
    let topics = marker.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let marker = markers::append(broker, &topic.name, PartitionIndex(*index), &end);
            (*index, marker)
        });
        (topic.name.detached(), partitions.collect())
    });
    Begun {
        producer_id: marker.producer_id,
        topics: topics.collect(),
    }
}

async fn finish(begun: Begun) -> WritableTxnMarkerResult {
    let mut topics = Vec::with_capacity(begun.topics.len());
    for (name, markers) in begun.topics {
        let mut partitions = Vec::with_capacity(markers.len());
        for (partition_index, marker) in markers {
            let error = marker.settled().await.err().unwrap_or(ErrorCode::None);
            partitions.push(WritableTxnMarkerPartitionResult {
                partition_index,
                error_code: error.code(),
                ..Default::default()
            });
        }
        topics.push(WritableTxnMarkerTopicResult {
            name,
            partitions,
            ..Default::default()
        });
    }
    WritableTxnMarkerResult {
        producer_id: begun.producer_id,
        topics,
        ..Default::default()
    }
}
