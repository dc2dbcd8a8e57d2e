//! AddOffsetsToTxn (25): offsets of a group become part of a transaction.
//!
//! - v2: PRODUCER_FENCED is possible (KIP-588). v4: TRANSACTION_ABORTABLE is.
//!
//! Clients that give every transaction an epoch of its own do without it (KIP-890).

use ottla_coordination::group::partition_for;
use ottla_coordination::txn::coordinator::{AddPartitionsToTxn, TxnResponse};
use ottla_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::transaction::{ask_to_add, error_of, known_to, producer, reply};
use super::{Answer, Context};
use crate::exec::auto_create;

const FENCED_FROM: i16 = 2;

pub(crate) fn handle(
    context: &Context<'_>,
    request: AddOffsetsToTxnRequest,
) -> Answer<AddOffsetsToTxnResponse> {
    let (broker, version) = (context.broker, context.version);
    let id = request.transactional_id.as_str();
    let producer = producer(id, request.producer_id, request.producer_epoch);
    let partition = partition_for(&request.group_id, auto_create::offsets_partitions(broker));
    let asked = ask_to_add(broker, AddPartitionsToTxn::offsets(producer, partition));
    reply(asked, move |answer| {
        let error = match answer {
            Ok(TxnResponse::AddPartitionsToTxn(error)) => error,
            other => error_of(other),
        };
        AddOffsetsToTxnResponse {
            error_code: known_to(version >= FENCED_FROM, error).code(),
            ..Default::default()
        }
    })
}
