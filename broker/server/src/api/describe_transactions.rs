//! DescribeTransactions (65): how transactions stand (KIP-664).

use std::collections::BTreeSet;

use ottla_coordination::txn::coordinator::{TxnCommand, TxnResponse};
use ottla_protocol::messages::describe_transactions::response::TransactionState;
use ottla_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::transaction::{error_of, reply_all};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeTransactionsRequest,
) -> Answer<DescribeTransactionsResponse> {
    // Each is described once: an answer must not grow by repeating one large transaction.
    let mut seen = BTreeSet::new();
    let mut wanted = request.transactional_ids;
    wanted.retain(|id| seen.insert(id.clone()));
    let asked = context
        .broker
        .transactions
        .ask_each(&wanted, |transactional_ids| {
            TxnCommand::DescribeTransactions { transactional_ids }
        });
    reply_all(asked, |answers| {
        let mut transaction_states = Vec::new();
        for (ids, answer) in answers {
            match answer {
                Ok(TxnResponse::DescribeTransactions(described)) => {
                    transaction_states.extend(described);
                }
                other => {
                    let error_code = error_of(other).code();
                    let failed = ids.into_iter().map(|transactional_id| TransactionState {
                        error_code,
                        transactional_id,
                        ..Default::default()
                    });
                    transaction_states.extend(failed);
                }
            }
        }
        DescribeTransactionsResponse {
            transaction_states,
            ..Default::default()
        }
    })
}
