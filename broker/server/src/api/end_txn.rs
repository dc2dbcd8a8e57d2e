//! EndTxn (26): commits or aborts a transaction.
//!
//! - v2: PRODUCER_FENCED is possible (KIP-588). v4: TRANSACTION_ABORTABLE is.
//! - v5: every transaction has an epoch of its own; the response tells the producer's next one (KIP-890).

use ottla_coordination::txn::coordinator::{
    EndTxn, Outcome, TransactionVersion, TxnCommand, TxnResponse,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::transaction::{error_of, known_to, producer, reply};
use super::{Answer, Context};

const FENCED_FROM: i16 = 2;
const EPOCH_BUMP_FROM: i16 = 5;

pub(crate) fn handle(context: &Context<'_>, request: EndTxnRequest) -> Answer<EndTxnResponse> {
    let version = context.version;
    let id = request.transactional_id.as_str();
    let command = TxnCommand::EndTxn(EndTxn {
        producer: producer(id, request.producer_id, request.producer_epoch),
        outcome: match request.committed {
            true => Outcome::Commit,
            false => Outcome::Abort,
        },
        client_version: match version >= EPOCH_BUMP_FROM {
            true => TransactionVersion(2),
            false => TransactionVersion(0),
        },
    });
    let asked = context.broker.transactions.ask(id, command);
    reply(asked, move |answer| {
        let mut response = match answer {
            Ok(TxnResponse::EndTxn(response)) => response,
            other => EndTxnResponse {
                error_code: error_of(other).code(),
                ..Default::default()
            },
        };
        let error = ErrorCode::from_code(response.error_code);
        response.error_code = known_to(version >= FENCED_FROM, error).code();
        response
    })
}
