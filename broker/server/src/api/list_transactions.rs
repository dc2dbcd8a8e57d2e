//! ListTransactions (66): the transactional ids of this broker's coordinators.
//!
//! - v1: a filter by duration (KIP-994). v2: one by a pattern of transactional ids (KIP-1152).

use ottla_coordination::txn::coordinator::{TxnCommand, TxnResponse, unknown_states};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use super::transaction::{error_of, reply_all};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: ListTransactionsRequest,
) -> Answer<ListTransactionsResponse> {
    let transactions = &context.broker.transactions;
    let asked = transactions.ask_all(|| TxnCommand::ListTransactions(request.clone()));
    let asked = asked.into_iter().map(|asked| ((), asked)).collect();
    let unknown_state_filters = unknown_states(&request.state_filters);
    reply_all(asked, |answers| {
        let mut response = ListTransactionsResponse {
            unknown_state_filters,
            ..Default::default()
        };
        for ((), answer) in answers {
            let error = match answer {
                Ok(TxnResponse::ListTransactions(listed)) if listed.error_code == 0 => {
                    response
                        .transaction_states
                        .extend(listed.transaction_states);
                    continue;
                }
                Ok(TxnResponse::ListTransactions(listed)) => {
                    ErrorCode::from_code(listed.error_code)
                }
                Err(ErrorCode::NotCoordinator) => continue,
                other => error_of(other),
            };
            return ListTransactionsResponse {
                error_code: error.code(),
                ..Default::default()
            };
        }
        response
    })
}
