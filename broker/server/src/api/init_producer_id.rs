//! InitProducerId (22): an id and epoch for an idempotent producer, or for the one that takes a transactional id over.
//!
//! - v3: a producer tells the id and epoch that it had (KIP-360).
//! - v4: PRODUCER_FENCED is possible (KIP-588). v5: TRANSACTION_ABORTABLE is (KIP-890).
//! - v6: two-phase commit (KIP-939); not stable, and so not spoken.

use ottla_coordination::txn::coordinator::{InitProducerId, TxnCommand, TxnResponse};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use super::transaction::{error_of, known_to, reply};
use super::{Answer, Context};

const FENCED_FROM: i16 = 4;
const NO_EPOCH: i16 = -1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: InitProducerIdRequest,
) -> Answer<InitProducerIdResponse> {
    let has_id = request.producer_id != ProducerId::NONE.0;
    if has_id != (request.producer_epoch != NO_EPOCH) {
        return Answer::now(refused(ErrorCode::InvalidRequest));
    }
    match &request.transactional_id {
        None => idempotent(context),
        Some(id) => transactional(context, id, &request),
    }
}

fn idempotent(context: &Context<'_>) -> Answer<InitProducerIdResponse> {
    let broker = context.broker;
    if let Some(id) = broker.producer_ids.at_hand() {
        return Answer::now(given(id));
    }
    let broker = broker.clone();
    Answer::later(async move {
        match broker.producer_ids.next(&broker).await {
            Ok(id) => given(id),
            Err(error) => refused(error),
        }
    })
}

fn transactional(
    context: &Context<'_>,
    transactional_id: &str,
    request: &InitProducerIdRequest,
) -> Answer<InitProducerIdResponse> {
    let version = context.version;
    let had = (
        ProducerId(request.producer_id),
        ProducerEpoch(request.producer_epoch),
    );
    let wanted = InitProducerId {
        transactional_id: transactional_id.to_owned(),
        timeout_ms: request.transaction_timeout_ms,
        expected: (had.0 != ProducerId::NONE).then_some(had),
        enable_two_phase_commit: request.enable2_pc,
        keep_prepared: request.keep_prepared_txn,
    };
    let transactions = &context.broker.transactions;
    // Also where the coordinator is still being loaded: to try again would not help.
    if let Err(error) = wanted.validate(&transactions.settings()) {
        return Answer::now(refused(error));
    }
    let asked = transactions.ask(transactional_id, TxnCommand::InitProducerId(wanted));
    reply(asked, move |answer| {
        let mut response = match answer {
            Ok(TxnResponse::InitProducerId(response)) => response,
            other => refused(error_of(other)),
        };
        let error = ErrorCode::from_code(response.error_code);
        response.error_code = known_to(version >= FENCED_FROM, error).code();
        response
    })
}

fn given(id: ProducerId) -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id: id.0,
        producer_epoch: 0,
        ..Default::default()
    }
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_epoch: NO_EPOCH,
        ..Default::default()
    }
}
