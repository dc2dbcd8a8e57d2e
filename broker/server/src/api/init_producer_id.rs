//! InitProducerId (22): an id for an idempotent producer. Transactions are not built yet.
//!
//! - v3: a producer tells the id and epoch that it had (KIP-360), which matters to transactions only.
//! - v4: PRODUCER_FENCED is possible (KIP-588).

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_protocol::types::ProducerId;

use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: InitProducerIdRequest,
) -> Answer<InitProducerIdResponse> {
    if let Some(transactional_id) = &request.transactional_id {
        return Answer::now(refused(if transactional_id.is_empty() {
            ErrorCode::InvalidRequest
        } else {
            ErrorCode::UnsupportedVersion
        }));
    }
    let has_id = request.producer_id != ProducerId::NONE.0;
    if has_id != (request.producer_epoch != -1) {
        return Answer::now(refused(ErrorCode::InvalidRequest));
    }
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
        ..Default::default()
    }
}
